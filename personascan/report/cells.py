"""Every place of every comparison as sheets: its statistic, its permutations and its curve."""

import itertools
from collections.abc import Iterator

import numpy as np
from sklearn.metrics import roc_curve

from personascan.analysis.separation import METRICS
from personascan.report.sheets import Grouped, Sheet
from personascan.study.results import Part, Study
from personascan.study.stages import detection, where

CORNERS = 60  # of a curve; more cannot be told apart in a picture
MEASURES = ("probe_auroc", *(m for m in METRICS if m != "probe_auroc"))


def parts_before(study: Study, part: Part) -> list[Part]:
    return list(itertools.takewhile(lambda other: other is not part, study.parts))


def cells_of(study: Study, part: Part) -> Iterator[tuple]:
    """(comparison, its number, place, the place's number) of a part's cells, in their order."""
    before = parts_before(study, part)
    places = sum(len(other.places) for other in before)
    comparisons = sum(len(other.scans) for other in before)
    for c, name in enumerate(part.scans):
        for i, place in enumerate(part.places):
            yield name, comparisons + c, place, places + i


def numbered_cells(study: Study, part: Part) -> dict[tuple, int]:
    """{(comparison, place): the cell's number} of a part."""
    before = parts_before(study, part)
    first = sum(len(other.scans) * len(other.places) for other in before)
    cells = cells_of(study, part)
    return {(name, place): first + i for i, (name, _, place, _) in enumerate(cells)}


def cells_sheet(study: Study) -> Sheet:
    """Every place of every comparison: its statistic, and what else was measured there."""
    names = (
        *where.COLUMNS,
        "held_out_auroc",
        "distance",
        "beyond",
        *detection.FIELDS,
        "auroc_low",
        "auroc_high",
        *MEASURES,
        "kept",
    )
    rows = Grouped(
        "cell", "at", "of", *names, by="part", keys={"at": "places", "of": "comparisons"}
    )
    for part in study.parts:
        cells = list(cells_of(study, part))
        values = np.array([measured(part, name, place) for name, _, place, _ in cells], float)
        rows.add(
            np.array(list(numbered_cells(study, part).values())),
            np.array([number for *_, number in cells]),
            np.array([c for _, c, _, _ in cells]),
            *values.T,
        )
    return rows.sheet()


def measured(part: Part, name: str, place) -> list[float]:
    """The numbers of a place of a comparison; NaN where there is none."""
    c, distance = part.calibrations.get(name), np.nan
    if c is not None:
        k = c.keys.index(place)
        distance = deviations_above_null(c.score[k], c.null[k])
    alone, apart = part.detections[name][place], part.separation[name][place]
    return [
        *where.columns(part, name, place), told_at(part, name, place), distance,
        beyond_at(part, name, place), *(getattr(alone, field) for field in detection.FIELDS),
        alone.auroc_low, alone.auroc_high,
        *(apart.mean[metric] for metric in MEASURES),
        any(s.place == place for s in part.scans[name]),
    ]  # fmt: skip


def told_at(part: Part, name: str, place) -> float:
    """AUROC of held-out rows told by the place."""
    return part.told.get(name, {}).get(place, np.nan)


def beyond_at(part: Part, name: str, place) -> float:
    """How far that lies above what tells them more simply: the higher AUROC of these."""
    if name not in part.beyond:
        return np.nan
    simpler = part.beyond[name].simpler.values()
    return told_at(part, name, place) - max(one.auroc for one in simpler)


def deviations_above_null(score: float, null_T) -> float:
    """How many deviations of the permuted labels' values it lies above their mean."""
    deviation = null_T.std()
    return (score - null_T.mean()) / deviation if deviation else np.nan


def null_sheet(study: Study) -> Sheet:
    """The statistic under permuted labels, studentised, of every cell."""
    rows = Grouped("null_z", by="cell", steps={"null_z": 0.005})
    for part in study.parts:
        for name, _, place, _ in cells_of(study, part):
            c = part.calibrations.get(name)
            rows.add(np.empty(0) if c is None else np.sort(c.z_PT[c.keys.index(place), 1:]))
    return rows.sheet()


def roc_sheet(study: Study) -> Sheet:
    """How the scores of rows scanned alone tell H1 from H0 at every cell: corners of the curve."""
    rows = Grouped("fpr", "tpr", by="cell", steps={"fpr": 1e-4, "tpr": 1e-4})
    for part in study.parts:
        for name, _, place, _ in cells_of(study, part):
            rows.add(*curve(part.detections[name][place], part.wide[name][0].positive_N))
    return rows.sheet()


def curve(detection, positive_N) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates of the scores of rows scanned alone, at some thresholds."""
    score_N = np.asarray(detection.score_N)
    known_N = np.isfinite(score_N)
    fpr, tpr, _ = roc_curve(positive_N[known_N], score_N[known_N])
    if len(fpr) <= CORNERS:
        return fpr, tpr
    kept = np.unique(np.round(np.linspace(0, len(fpr) - 1, CORNERS)).astype(int))
    return fpr[kept], tpr[kept]
