"""Node sets and their overlaps against chance."""

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom


@dataclass(frozen=True)
class Overlap:
    """Nodes shared by several node sets."""

    names: tuple[str, ...]
    observed: int  # nodes in all of these sets
    expected: float  # the same for independent sets of these sizes: D * product of |set| / D
    exclusive: int  # nodes in all of these sets and in no other
    null_mean: float  # mean number shared under permuted labels; NaN without permutations
    p: float  # permutation p-value of the number shared; NaN without permutations
    p_hypergeometric: float  # pairs only: assumes exchangeable nodes, which they rarely are


def overlaps(sets: dict[str, np.ndarray], null_sets=None) -> list[Overlap]:
    """Every pair of node sets, and every combination that some node belongs to exactly.

    Args:
      sets: bool masks [D] by name.
      null_sets: the same sets under T permutations of the labels, bool [T, D] by name; the p-value
        is (permutations that share at least as many nodes + 1) / (T + 1).

    Returns:
      Overlaps ordered by number of sets, then as given.
    """
    names = list(sets)
    member_SD = np.stack([np.asarray(sets[name], bool) for name in names])
    exact = {tuple(np.flatnonzero(column)) for column in member_SD.T}
    chosen = set(itertools.combinations(range(len(names)), 2))
    chosen |= {combination for combination in exact if len(combination) > 1}
    nodes, found = member_SD.shape[1], []
    for combination in sorted(chosen, key=lambda c: (len(c), c)):
        inside = np.isin(np.arange(len(names)), combination)
        within_D = member_SD[inside].all(0)
        chosen_names = tuple(names[i] for i in combination)
        null_T = None
        if null_sets is not None:
            null_T = np.logical_and.reduce([null_sets[name] for name in chosen_names]).sum(1)
        found.append(
            Overlap(
                names=chosen_names,
                observed=int(within_D.sum()),
                expected=float(nodes * np.prod(member_SD[inside].mean(1))),
                exclusive=int((within_D & ~member_SD[~inside].any(0)).sum()),
                null_mean=np.nan if null_T is None else float(null_T.mean()),
                p=np.nan if null_T is None else permutation_p(within_D.sum(), null_T),
                p_hypergeometric=(pair_p(*member_SD[inside]) if len(combination) == 2 else np.nan),
            )
        )
    return found


def permutation_p(observed, null_T) -> float:
    """The share of permutations, the observed one among them, that reach the observed value."""
    return float(((null_T >= observed).sum() + 1) / (len(null_T) + 1))


def pair_p(one_D, other_D) -> float:
    """P(two random sets of these sizes share at least as many nodes): hypergeometric."""
    shared = int((one_D & other_D).sum())
    return float(hypergeom.sf(shared - 1, len(one_D), int(one_D.sum()), int(other_D.sum())))


def chance_interval(size: int, other: int, nodes: int) -> np.ndarray:
    """Between which numbers of shared nodes 95% of two random sets of these sizes lie: [2]."""
    return hypergeom.ppf((0.025, 0.975), nodes, size, other)


def exclusive_counts(sets: dict[str, np.ndarray]) -> dict[tuple[str, ...], int]:
    """How many nodes belong to exactly each combination of sets, largest first."""
    names = list(sets)
    member_DS = np.stack([np.asarray(sets[name], bool) for name in names], axis=1)
    patterns, counts = np.unique(member_DS[member_DS.any(1)], axis=0, return_counts=True)
    found = {
        tuple(name for name, inside in zip(names, pattern, strict=True) if inside): int(count)
        for pattern, count in zip(patterns, counts, strict=True)
    }
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
