"""Axes of a comparison: the direction, and the mean over found nodes, that rows lie along.

A row of the study lies further from the other side on an axis that it was found with than a new row
would: H0 rows are projected on axes that are found without their fold.
Letters: N rows, D nodes, K folds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from personascan.analysis.crossfit import folds_of
from personascan.errors import InputError
from personascan.interventions.directions import PlaceStatistics
from personascan.places import Place
from personascan.study.stages import evidence

DIRECTION, NODES = "direction", "nodes"


@dataclass(frozen=True)
class Projector:
    """What is projected on: a row's value is row @ weight_D - offset."""

    weight_D: np.ndarray
    offset: float

    def values(self, rows_ND) -> np.ndarray:
        """Returns the value of each row: float64 [N]."""
        return np.asarray(rows_ND, np.float64) @ self.weight_D - self.offset

    def over(self, unit: float) -> "Projector":
        return Projector(self.weight_D / unit, self.offset / unit)


@dataclass(frozen=True)
class Axis:
    """An axis found with all rows, with one for each fold that is found without its rows."""

    name: str
    whole: Projector
    folds: tuple[Projector, ...]
    h0_N: np.ndarray  # values of the H0 rows, each on that of its fold
    nodes: int = 0  # of the set; of a direction 0


@dataclass(frozen=True)
class Axes:
    """The axes of a comparison at a place."""

    place: Place
    axes: tuple[Axis, ...]
    fold_N: np.ndarray  # of every row of the comparison
    held_out: bool  # False: too few rows, and H0 rows lie on the axis that they were found with


def axes_of(case, place: Place) -> Axes:
    """Returns the direction at a place and, where nodes were found there, their mean z.

    The direction is the ridge's (`ridge.readout`), in deviations of the H0 rows from their mean.
    Without a fold as many nodes are taken as were found with all rows: those of the largest |d|.
    """
    place_ND = case.rows(place).array().astype(np.float64)
    positive_N = case.pool.positive_N
    try:
        fold_N = folds_of(positive_N, case.config.where.folds, case.seed, case.pool.together)
        held_out = True
    except InputError:
        fold_N, held_out = np.zeros(positive_N.size, int), False
    rows = LabelledPlace(place_ND, positive_N, fold_N, held_out)
    axes = [in_deviations(rows.axis(DIRECTION, direction_projector, direction_projector))]
    signed_D = found_nodes(case, place)
    if signed_D is not None and signed_D.any():
        most = int(np.count_nonzero(signed_D))
        nodes = rows.axis(
            NODES,
            lambda statistics: nodes_projector(statistics, signed_D),
            lambda statistics: nodes_projector(statistics, largest_nodes(statistics, most)),
        )
        axes.append(replace(nodes, nodes=most))
    return Axes(place, tuple(axes), fold_N, held_out)


@dataclass(frozen=True)
class LabelledPlace:
    """The rows of a place with their labels and folds."""

    place_ND: np.ndarray
    positive_N: np.ndarray
    fold_N: np.ndarray
    held_out: bool

    def axis(self, name: str, found: Callable, found_without: Callable) -> Axis:
        """Returns an axis: two functions find it, with all rows and without a fold."""
        every = found(PlaceStatistics(self.place_ND, self.positive_N))
        folds = [every]
        if self.held_out:
            kept = (self.fold_N != number for number in range(self.fold_N.max() + 1))
            folds = [
                found_without(PlaceStatistics(self.place_ND[rows], self.positive_N[rows]))
                for rows in kept
            ]
        h0 = np.flatnonzero(~self.positive_N)
        values = [folds[self.fold_N[row]].values(self.place_ND[row]) for row in h0]
        return Axis(name, every, tuple(folds), np.array(values))


def in_deviations(axis: Axis) -> Axis:
    """Returns the axis in deviations of its H0 rows."""
    unit = float(axis.h0_N.std()) if np.ptp(axis.h0_N) > 0 else 1.0
    folds = tuple(one.over(unit) for one in axis.folds)
    return replace(axis, whole=axis.whole.over(unit), folds=folds, h0_N=axis.h0_N / unit)


def direction_projector(statistics: PlaceStatistics) -> Projector:
    """Returns the direction, from the mean of the H0 rows."""
    direction_D = statistics.readout_D
    return Projector(direction_D, float(statistics.mean_D @ direction_D))


def nodes_projector(statistics: PlaceStatistics, signed_D) -> Projector:
    """Returns the mean z of signed nodes, in deviations of each over H0; constant ones count 0."""
    deviation_D = statistics.deviation_D
    varies_D = deviation_D > 0
    weight_D = np.where(varies_D, signed_D / np.where(varies_D, deviation_D, 1.0), 0.0)
    weight_D /= np.count_nonzero(signed_D)
    return Projector(weight_D, float(statistics.mean_D @ weight_D))


def largest_nodes(statistics: PlaceStatistics, most: int) -> np.ndarray:
    """Returns the nodes of the largest |d| in the directions in which H1 differs: -1, 0, 1 [D]."""
    nodes = np.argsort(-np.abs(statistics.cohen_D), kind="stable")[:most]
    return statistics.signed_nodes(nodes)


def found_nodes(case, place: Place) -> np.ndarray | None:
    """Returns the nodes with a small q at the furthest place on all rows; None if not tested."""
    if not case.portions or place != case.furthest():
        return None
    tested = evidence.read_case(case).tested
    return np.where(tested.q <= case.config.node_q, np.sign(tested.effect), 0)
