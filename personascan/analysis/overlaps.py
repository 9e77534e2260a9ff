"""Node sets and their overlaps against chance."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import hypergeom

from personascan.analysis.chance import sets_of_size
from personascan.array_like import ArrayLike
from personascan.errors import InputError


@dataclass(frozen=True)
class Overlap:
    """Nodes shared by several node sets.

    Chance is given by sets of equal sizes that tell random halves of the H0 rows apart (`chance`):
    the nodes that differ most in each halving.
    """

    names: tuple[str, ...]
    observed: int  # nodes in all of these sets
    expected: float  # the same for independent sets of these sizes: D * product of |set| / D
    exclusive: int  # nodes in all of these sets and in no other
    chance_mean: float  # mean number shared by chance; NaN without halvings
    p: float  # (halvings whose sets share as many nodes or more + 1) / (T + 1); NaN without them
    # 95% of such numbers lie between these (all, of under 39 halvings). Without halvings: of pairs
    # drawn node by node; of more sets NaN.
    chance_low: float
    chance_high: float
    p_hypergeometric: float  # pairs only: assumes exchangeable nodes, which they rarely are
    # Of tested nodes, pairs only: the share of the shared nodes that have one direction in both
    # sets, and how many shared nodes differ at least, by the lesser bound (`Nodes.at_least`).
    same_direction: float = np.nan
    at_least: float = np.nan


def overlaps(
    sets: Mapping[str, ArrayLike],
    chance: Mapping[str, np.ndarray] | None = None,
    seed: int = 0,
) -> list[Overlap]:
    """Measures overlaps of all pairs of node sets, and of all exact combinations that have nodes.

    Args:
      sets: bool masks [D] by name, of one place.
      chance: how far each node differs in T random halvings of H0, [T, D] by name
        (`halving_sizes`).
      seed: of the order of nodes that differ equally in a halving.

    Returns:
      Overlaps ordered by number of sets, then as given.

    Raises:
      InputError: no sets, masks of different lengths, chance without one of the sets.
    """
    names, member_SD = list(sets), membership(sets)
    if chance is not None and (missing := sets.keys() - chance.keys()):
        raise InputError(f"chance lacks the halvings of {min(missing)!r}; give those of every set")
    chance_STD = None
    if chance is not None:
        chance_STD = [
            sets_of_size(chance[name], int(member_D.sum()), [seed, *name.encode()])
            for name, member_D in zip(names, member_SD, strict=True)
        ]
    exact = {tuple(np.flatnonzero(column)) for column in member_SD.T}
    chosen = set(itertools.combinations(range(len(names)), 2))
    chosen |= {combination for combination in exact if len(combination) > 1}
    nodes, overlaps_ = member_SD.shape[1], []
    for combination in sorted(chosen, key=lambda c: (len(c), c)):
        inside = np.isin(np.arange(len(names)), combination)
        within_D = member_SD[inside].all(0)
        chosen_names = tuple(names[i] for i in combination)
        observed = int(within_D.sum())
        if chance_STD is not None:
            shared_T = np.logical_and.reduce([chance_STD[i] for i in combination]).sum(1)
            by_chance = halving_chance(observed, shared_T)
        else:
            by_chance = independent_chance(member_SD[inside].sum(1), nodes)
        overlaps_.append(
            Overlap(
                chosen_names,
                observed,
                expected=float(nodes * np.prod(member_SD[inside].mean(1))),
                exclusive=int((within_D & ~member_SD[~inside].any(0)).sum()),
                **by_chance,
                p_hypergeometric=(pair_p(*member_SD[inside]) if len(combination) == 2 else np.nan),
            )
        )
    return overlaps_


def membership(sets: Mapping[str, ArrayLike]) -> np.ndarray:
    """Returns which nodes belong to each set: bool [S, D]."""
    masks = [np.asarray(mask, bool) for mask in sets.values()]
    if not masks or {mask.shape for mask in masks} != {(masks[0].size,)}:
        raise InputError("sets must be bool masks [D] of the nodes of one place, at least one")
    return np.stack(masks)


def add_tests(overlaps: list[Overlap], sets: dict, tested: dict) -> list[Overlap]:
    """Returns the overlaps with results of tests of the nodes that pairs share.

    Args:
      sets: bool masks [D] by name, as of `overlaps`.
      tested: `Nodes` by name.
    """
    with_tests = []
    for one in overlaps:
        if len(one.names) == 2:
            shared = np.flatnonzero(np.logical_and(*(sets[name] for name in one.names)))
            both = [tested[name] for name in one.names]
            same = np.equal(*(nodes.direction[shared] for nodes in both))
            one = replace(
                one, same_direction=float(same.mean()) if shared.size else np.nan,
                at_least=float(min(nodes.at_least(shared) for nodes in both)),
            )  # fmt: skip
        with_tests.append(one)
    return with_tests


def halving_chance(observed: int, shared_T) -> dict[str, float]:
    """Compares the number of shared nodes with the numbers in random halvings."""
    rank = max(1, int(0.025 * (len(shared_T) + 1) + 1e-9))  # of either end of the interval
    ordered_T = np.sort(shared_T)
    return {
        "chance_mean": float(shared_T.mean()),
        "p": float(((shared_T >= observed).sum() + 1) / (len(shared_T) + 1)),
        "chance_low": float(ordered_T[rank - 1]),
        "chance_high": float(ordered_T[-rank]),
    }


def independent_chance(sizes, nodes: int) -> dict[str, float]:
    """Returns the interval of nodes shared by pairs of independent sets; the rest is unknown."""
    low, high = chance_interval(*sizes, nodes) if len(sizes) == 2 else (np.nan, np.nan)
    return {
        "chance_mean": np.nan,
        "p": np.nan,
        "chance_low": float(low),
        "chance_high": float(high),
    }


def pair_p(one_D, other_D) -> float:
    """Returns P(two random sets of these sizes share as many nodes or more): hypergeometric."""
    shared = int((one_D & other_D).sum())
    return float(hypergeom.sf(shared - 1, len(one_D), int(one_D.sum()), int(other_D.sum())))


def chance_interval(size: int, other: int, nodes: int) -> np.ndarray:
    """Returns the limits of nodes shared by two random sets of these sizes in 95% of draws: [2]."""
    return hypergeom.ppf((0.025, 0.975), nodes, size, other)


def exclusive_counts(sets: Mapping[str, ArrayLike]) -> dict[tuple[str, ...], int]:
    """Counts the nodes that belong to exactly each combination of sets, largest first.

    Args:
      sets: bool masks [D] by name, of one place.

    Returns:
      {names of the sets: number of nodes}, without combinations to which no node belongs.

    Raises:
      InputError: no sets, masks of different lengths.
    """
    names, member_DS = list(sets), membership(sets).T
    patterns, counts = np.unique(member_DS[member_DS.any(1)], axis=0, return_counts=True)
    count_of = {
        tuple(name for name, inside in zip(names, pattern, strict=True) if inside): int(count)
        for pattern, count in zip(patterns, counts, strict=True)
    }
    return dict(sorted(count_of.items(), key=lambda item: (-item[1], item[0])))
