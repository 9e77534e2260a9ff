"""Projections: the rows of some places in two principal components, for pictures."""

from dataclasses import dataclass

import numpy as np

from personascan.analysis.separation import principal_components
from personascan.places import Place
from personascan.study.rows import StoredRows
from personascan.study.stage import Phase, Stage
from personascan.study.units import Unit, Work

SHOWN = 3  # places: an early one, one in the middle, and the furthest


@dataclass(frozen=True)
class Projection:
    """One place of one comparison in its first two principal components."""

    place: Place
    points_N2: np.ndarray
    positive_N: np.ndarray
    share_2: np.ndarray  # share of variance of each component


def work(case, place) -> Work:
    rows = case.rows(place)
    return Work(Unit("projection", rows.inputs(case.pool.positive_N)), do, (rows,))


def do(rows: StoredRows):
    rows_ND = rows.array()
    points_NC, share_C = principal_components(rows_ND, min(2, rows_ND.shape[1]))
    missing = 2 - share_C.size  # a single node has one component
    points_N2 = np.pad(points_NC, ((0, 0), (0, missing)))
    return {}, {"points_N2": points_N2, "share_2": np.pad(share_C, (0, missing))}


def projected_places(case) -> list[Place]:
    """Returns an early place, one in the middle, and the furthest; then those that are scanned."""
    furthest = case.furthest()
    line = [
        p for p in case.source.places if (p.site, p.position) == (furthest.site, furthest.position)
    ]
    shown = [line[min(1, len(line) - 1)], line[len(line) // 2], furthest]
    scanned = [place for _, _, place, _ in case.choices()] + list(case.named)
    return [*shown, *(p for p in dict.fromkeys(scanned) if p not in shown)]


def projections(case) -> list[Projection]:
    shown = []
    for place in projected_places(case):
        arrays = case.read(work(case, place)).arrays
        shown.append(
            Projection(place, arrays["points_N2"], case.pool.positive_N, arrays["share_2"])
        )
    return shown


def count(counted) -> int:
    most = SHOWN + 2 * counted.chooses + counted.named
    return counted.comparisons * min(len(counted.widths), most)


STAGE = Stage(
    "projection",
    Phase.CHOSEN,
    works=lambda level: [
        work(case, place) for case in level.cases for place in projected_places(case)
    ],
    count=count,
    read=lambda level: {"projections": {case.name: projections(case) for case in level.cases}},
    seconds=lambda trial: trial.time(do, trial.rows),
    disk=lambda sizes: 16 * sizes.rows,
    memory=lambda sizes: 2 * sizes.place,
)
