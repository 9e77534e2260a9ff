"""The rows of some places in their first two principal components, for pictures."""

from dataclasses import dataclass

import numpy as np

from personascan.analysis.separation import principal_components
from personascan.places import Place
from personascan.study.rows import StoredRows
from personascan.study.stage import Phase, Stage
from personascan.study.units import Unit, Work

SHOWN = 3  # places: an early, a middle and the furthest one


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
    none = 2 - share_C.size  # of a single node there is one component
    points_N2 = np.pad(points_NC, ((0, 0), (0, none)))
    return {}, {"points_N2": points_N2, "share_2": np.pad(share_C, (0, none))}


def pictured(case) -> list[Place]:
    """An early place, one in the middle, and the furthest; then those that are scanned."""
    furthest = case.furthest()
    alike = [
        p for p in case.source.places if (p.site, p.position) == (furthest.site, furthest.position)
    ]
    shown = [alike[min(1, len(alike) - 1)], alike[len(alike) // 2], furthest]
    scanned = [place for _, _, place, _ in case.choices()] + list(case.named)
    return [*shown, *(p for p in dict.fromkeys(scanned) if p not in shown)]


def projections(case) -> list[Projection]:
    found = []
    for place in pictured(case):
        arrays = case.read(work(case, place)).arrays
        found.append(
            Projection(place, arrays["points_N2"], case.pool.positive_N, arrays["share_2"])
        )
    return found


def count(counted) -> int:
    most = SHOWN + 2 * counted.chooses + counted.named
    return counted.comparisons * min(len(counted.widths), most)


STAGE = Stage(
    "projection",
    Phase.CHOSEN,
    works=lambda level: [work(case, place) for case in level.cases for place in pictured(case)],
    count=count,
    read=lambda level: {"projections": {case.name: projections(case) for case in level.cases}},
    seconds=lambda trial: trial.timed(do, trial.rows),
    disk=lambda sizes: 16 * sizes.rows,
    memory=lambda sizes: 2 * sizes.place,
)
