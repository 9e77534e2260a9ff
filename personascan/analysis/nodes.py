"""Nodes over many runs: selection frequency, node sets, and their overlaps against chance."""

import itertools
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Overlap:
    """Nodes shared by several node sets."""

    names: tuple[str, ...]
    observed: int  # nodes in all of these sets
    expected: float  # the same for independent sets of these sizes: D * product of |set| / D
    exclusive: int  # nodes in all of these sets and in no other


def selection_frequency(nodes_RD) -> np.ndarray:
    """The share of runs [D] that returned each node."""
    return np.asarray(nodes_RD, bool).mean(0)


def overlaps(sets: dict[str, np.ndarray]) -> list[Overlap]:
    """Every pair of node sets, and every combination that some node belongs to exactly.

    sets: bool masks [D] by name. Ordered by number of sets, then as given.
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
        found.append(
            Overlap(
                names=tuple(names[i] for i in combination),
                observed=int(within_D.sum()),
                expected=float(nodes * np.prod(member_SD[inside].mean(1))),
                exclusive=int((within_D & ~member_SD[~inside].any(0)).sum()),
            )
        )
    return found


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
