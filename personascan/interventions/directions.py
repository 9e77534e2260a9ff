"""Node sets and directions of a place, and the controls they have to beat: from rows alone.

All statistics are of the rows that found the nodes. Letters: N rows, D nodes; a signed set is
1 where an upper half was found, -1 where a lower one was, 0 elsewhere.
"""

import functools
from dataclasses import dataclass

import numpy as np

from personascan.errors import InputError
from personascan.ridge import readout_of

NEAREST = 0.02  # nodes of like variance: this share of all on each side, by deviation
FEWEST = 5  # and at least so many on each side


@dataclass(frozen=True)
class PlaceStatistics:
    """The rows of a place that found a node set, and the statistics that edits take from them."""

    place_ND: np.ndarray
    positive_N: np.ndarray

    @functools.cached_property
    def background_BD(self) -> np.ndarray:
        """The rows of H0."""
        return np.asarray(self.place_ND, np.float64)[~self.positive_N]

    @functools.cached_property
    def positive_ND(self) -> np.ndarray:
        """The rows of H1."""
        return np.asarray(self.place_ND, np.float64)[self.positive_N]

    @functools.cached_property
    def mean_D(self) -> np.ndarray:
        return self.background_BD.mean(0)

    @functools.cached_property
    def deviation_D(self) -> np.ndarray:
        """The background's standard deviation, the unit of steering; 0 where a node is constant."""
        return np.where(np.ptp(self.background_BD, axis=0) > 0, self.background_BD.std(0), 0.0)

    @functools.cached_property
    def difference_D(self) -> np.ndarray:
        """Mean of H1 less mean of H0 (Marks and Tegmark 2023, mass mean)."""
        return self.positive_ND.mean(0) - self.mean_D

    @functools.cached_property
    def readout_D(self) -> np.ndarray:
        """The direction by which a ridge regression separates H1 from H0 (`ridge`)."""
        return readout_of(self.place_ND, self.positive_N)

    @functools.cached_property
    def cohen_D(self) -> np.ndarray:
        """Cohen's d: the difference over the pooled deviation; 0 where nothing varies."""
        sizes = len(self.positive_ND) - 1, len(self.background_BD) - 1
        variances = self.positive_ND.var(0, ddof=1), self.background_BD.var(0, ddof=1)
        pooled_D = np.sqrt(np.average(variances, axis=0, weights=sizes))
        # Rounded sums give constant nodes a small variance: these are recognised by their values.
        sides = self.positive_ND, self.background_BD
        pooled_D[sum(np.ptp(side_ND, axis=0) for side_ND in sides) == 0] = 0
        return np.divide(
            self.difference_D, pooled_D, out=np.zeros(pooled_D.size), where=pooled_D > 0
        )

    @functools.cached_property
    def sign_D(self) -> np.ndarray:
        """The direction in which H1 differs: 1 or -1."""
        return np.where(self.difference_D >= 0, 1, -1)

    def signed_nodes(self, nodes) -> np.ndarray:
        """Returns a set of these nodes, each in the direction in which H1 differs."""
        signed_D = np.zeros(self.sign_D.size, np.int8)
        signed_D[nodes] = self.sign_D[nodes]
        return signed_D

    def push(self, signed_D) -> np.ndarray:
        """Returns one background deviation at every node of a set, in its direction: float [D]."""
        return signed_D * self.deviation_D


def signed_set(columns_C, nodes: int, statistics: PlaceStatistics) -> np.ndarray:
    """Returns the signed set of a scan's columns: upper halves, then lower ones, or whole nodes.

    A node whose halves were both found has the sign of its mean difference, as whole nodes have.
    """
    columns_C = np.asarray(columns_C, bool)
    if columns_C.size == nodes:
        return statistics.signed_nodes(np.flatnonzero(columns_C))
    high_D, low_D = columns_C[:nodes], columns_C[nodes:]
    found_D = high_D.astype(np.int8) - low_D.astype(np.int8)
    return np.where(high_D & low_D, statistics.sign_D, found_D).astype(np.int8)


def most_frequent(columns_C, frequency_C, most: int) -> np.ndarray:
    """Returns the `most` columns of a set that were selected most often, or all of them for 0."""
    chosen = np.flatnonzero(columns_C)
    if most and chosen.size > most:
        order = np.argsort(-np.asarray(frequency_C)[chosen], kind="stable")
        chosen = chosen[order[:most]]
    return np.isin(np.arange(len(columns_C)), chosen)


def random_set(size: int, statistics: PlaceStatistics, rng) -> np.ndarray:
    """Returns a set of `size` nodes, drawn uniformly from all."""
    return statistics.signed_nodes(rng.choice(statistics.sign_D.size, size, replace=False))


def matched_set(signed_D, statistics: PlaceStatistics, rng) -> np.ndarray:
    """Returns, for each node of a set, another one of like variance, none of them twice.

    It is drawn from the nearest in the order of the background's deviations; further away, and in
    the end from the set itself, only if none is left.
    """
    order = np.argsort(statistics.deviation_D, kind="stable")
    rank_D = np.argsort(order, kind="stable")
    members = rng.permutation(np.flatnonzero(signed_D))
    free = np.asarray(signed_D)[order] == 0  # by rank
    reach = max(FEWEST, round(NEAREST * order.size))
    partners = []
    for node in members:
        open_ranks = np.flatnonzero(free)
        if not open_ranks.size:
            partners += members[len(partners) :].tolist()
            break
        distance = np.abs(open_ranks - rank_D[node])
        near = open_ranks[distance <= max(reach, distance.min())]
        chosen = rng.choice(near)
        free[chosen] = False
        partners.append(order[chosen])
    return statistics.signed_nodes(np.array(partners, int))


def largest_set(size: int, value_D, statistics: PlaceStatistics) -> np.ndarray:
    """Returns the set of the nodes with the largest absolute values."""
    return statistics.signed_nodes(np.argsort(-np.abs(value_D), kind="stable")[:size])


def head_set(size: int, statistics: PlaceStatistics, head_width: int) -> np.ndarray:
    """Returns the whole heads of the largest mean |d| that hold `size` nodes (2603.13249)."""
    strength_H = np.abs(statistics.cohen_D).reshape(-1, head_width).mean(1)
    heads = np.argsort(-strength_H, kind="stable")[: -(-size // head_width)]
    return statistics.signed_nodes(
        np.flatnonzero(np.isin(np.arange(statistics.cohen_D.size) // head_width, heads))
    )


def scale_to_norm(direction_D, norm: float) -> np.ndarray:
    """Returns the direction at that length. Raises InputError if it has no length."""
    length = np.linalg.norm(direction_D)
    if not length or not np.isfinite(length):
        raise InputError("a direction has no length: all of its values are 0, or one is not finite")
    return np.asarray(direction_D, np.float64) * (norm / length)


def random_direction(norm: float, nodes: int, rng) -> np.ndarray:
    """Returns a direction drawn uniformly from all, at that length."""
    return scale_to_norm(rng.normal(size=nodes), norm)
