"""Node sets and their overlaps against chance."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom

from personascan.analysis.chance import sets_of_size
from personascan.errors import InputError


@dataclass(frozen=True)
class Overlap:
    """Nodes shared by several node sets.

    Chance is sets of equal sizes that tell random halves of the H0 rows apart (`chance`): of every
    split the nodes that differ most.
    """

    names: tuple[str, ...]
    observed: int  # nodes in all of these sets
    expected: float  # the same for independent sets of these sizes: D * product of |set| / D
    exclusive: int  # nodes in all of these sets and in no other
    chance_mean: float  # mean number shared by chance; NaN without splits
    p: float  # (splits whose sets share at least as many nodes + 1) / (T + 1); NaN without splits
    # Between which 95% of such numbers lie (all, of under 39 splits). Without splits: of pairs
    # drawn node by node; of more sets NaN.
    chance_low: float
    chance_high: float
    p_hypergeometric: float  # pairs only: assumes exchangeable nodes, which they rarely are
    # Of tested nodes, pairs only: the share of the shared nodes that both raise or both lower, and
    # how many of these differ at least, by the lesser of the two bounds (`Nodes.at_least`).
    same_direction: float = np.nan
    at_least: float = np.nan


def overlaps(
    sets: Mapping[str, npt.ArrayLike],
    chance: Mapping[str, np.ndarray] | None = None,
    seed: int = 0,
) -> list[Overlap]:
    """Every pair of node sets, and every combination that some node belongs to exactly.

    Args:
      sets: bool masks [D] by name, of one place.
      chance: how far each node differs in T random splits of H0, [T, D] by name
        (`chance.halving_sizes`).
      seed: of the order of nodes that differ equally in a split.

    Returns:
      Overlaps ordered by number of sets, then as given.

    Raises:
      InputError: no sets, masks of different lengths, chance without one of the sets.
    """
    names, member_SD = list(sets), as_members(sets)
    if chance is not None and (missing := sets.keys() - chance.keys()):
        raise InputError(f"chance lacks the splits of {min(missing)!r}; give those of every set")
    split_STD = None
    if chance is not None:
        split_STD = [
            sets_of_size(chance[name], int(member_D.sum()), [seed, *name.encode()])
            for name, member_D in zip(names, member_SD, strict=True)
        ]
    exact = {tuple(np.flatnonzero(column)) for column in member_SD.T}
    chosen = set(itertools.combinations(range(len(names)), 2))
    chosen |= {combination for combination in exact if len(combination) > 1}
    nodes, found = member_SD.shape[1], []
    for combination in sorted(chosen, key=lambda c: (len(c), c)):
        inside = np.isin(np.arange(len(names)), combination)
        within_D = member_SD[inside].all(0)
        chosen_names = tuple(names[i] for i in combination)
        observed = int(within_D.sum())
        if split_STD is not None:
            shared_T = np.logical_and.reduce([split_STD[i] for i in combination]).sum(1)
            beside = beside_splits(observed, shared_T)
        else:
            beside = beside_independent(member_SD[inside].sum(1), nodes)
        found.append(
            Overlap(
                chosen_names,
                observed,
                expected=float(nodes * np.prod(member_SD[inside].mean(1))),
                exclusive=int((within_D & ~member_SD[~inside].any(0)).sum()),
                **beside,
                p_hypergeometric=(pair_p(*member_SD[inside]) if len(combination) == 2 else np.nan),
            )
        )
    return found


def as_members(sets: Mapping[str, npt.ArrayLike]) -> np.ndarray:
    """Which nodes belong to each set: bool [S, D]."""
    masks = [np.asarray(mask, bool) for mask in sets.values()]
    if not masks or {mask.shape for mask in masks} != {(masks[0].size,)}:
        raise InputError("sets must be bool masks [D] of the nodes of one place, at least one")
    return np.stack(masks)


def with_tests(found: list[Overlap], sets: dict, tested: dict) -> list[Overlap]:
    """The same with what the tests of nodes say of the nodes that pairs share.

    Args:
      sets: bool masks [D] by name, as of `overlaps`.
      tested: `Nodes` by name.
    """
    made = []
    for one in found:
        if len(one.names) == 2:
            shared = np.flatnonzero(np.logical_and(*(sets[name] for name in one.names)))
            both = [tested[name] for name in one.names]
            same = np.equal(*(nodes.direction[shared] for nodes in both))
            one = replace(
                one, same_direction=float(same.mean()) if shared.size else np.nan,
                at_least=float(min(nodes.at_least(shared) for nodes in both)),
            )  # fmt: skip
        made.append(one)
    return made


def beside_splits(observed: int, shared_T) -> dict[str, float]:
    """What sets without meaning share, beside the number observed."""
    rank = max(1, int(0.025 * (len(shared_T) + 1) + 1e-9))  # of either end of the interval
    ordered_T = np.sort(shared_T)
    return {
        "chance_mean": float(shared_T.mean()),
        "p": float(((shared_T >= observed).sum() + 1) / (len(shared_T) + 1)),
        "chance_low": float(ordered_T[rank - 1]),
        "chance_high": float(ordered_T[-rank]),
    }


def beside_independent(sizes, nodes: int) -> dict[str, float]:
    """What pairs of independent sets share."""
    low, high = chance_interval(*sizes, nodes) if len(sizes) == 2 else (np.nan, np.nan)
    return {
        "chance_mean": np.nan,
        "p": np.nan,
        "chance_low": float(low),
        "chance_high": float(high),
    }


def pair_p(one_D, other_D) -> float:
    """P(two random sets of these sizes share at least as many nodes): hypergeometric."""
    shared = int((one_D & other_D).sum())
    return float(hypergeom.sf(shared - 1, len(one_D), int(one_D.sum()), int(other_D.sum())))


def chance_interval(size: int, other: int, nodes: int) -> np.ndarray:
    """Between which numbers of shared nodes 95% of two random sets of these sizes lie: [2]."""
    return hypergeom.ppf((0.025, 0.975), nodes, size, other)


def exclusive_counts(sets: Mapping[str, npt.ArrayLike]) -> dict[tuple[str, ...], int]:
    """How many nodes belong to exactly each combination of sets, largest first.

    Args:
      sets: bool masks [D] by name, of one place.

    Returns:
      {names of the sets: number of nodes}, without combinations to which no node belongs.

    Raises:
      InputError: no sets, masks of different lengths.
    """
    names, member_DS = list(sets), as_members(sets).T
    patterns, counts = np.unique(member_DS[member_DS.any(1)], axis=0, return_counts=True)
    found = {
        tuple(name for name, inside in zip(names, pattern, strict=True) if inside): int(count)
        for pattern, count in zip(patterns, counts, strict=True)
    }
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
