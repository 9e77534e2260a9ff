"""Sheets of every place of every comparison: its statistic, permutations, curve and AUROCs.

Groups of rows belong to a `part` (a model at a level), a `cell` (a place of a comparison, numbered
comparison by comparison), a `scan` (the runs of a cell on some rows) or a `cloud` (a cell's rows in
principal components).
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_curve

from personascan.analysis.separation import METRICS
from personascan.places import ONCE, Place, depths, lines_of
from personascan.report.sheets.columns import Grouped, Sheet
from personascan.report.words import line_name
from personascan.study.results import Part, Study
from personascan.study.stages import detection, where
from personascan.visible import visible

CORNERS = 60  # of a curve; more cannot be told apart in a picture
MEASURES = ("probe_auroc", *(m for m in METRICS if m != "probe_auroc"))


def place_sheets(study: Study) -> dict[str, Sheet]:
    """Returns the sheets of parts, places, comparisons and their cells, by name."""
    return {
        "parts": parts_sheet(study),
        "places": places_sheet(study),
        "comparisons": comparisons_sheet(study),
        "cells": cells_sheet(study),
        "null": null_sheet(study),
        "roc": roc_sheet(study),
    }


@dataclass(frozen=True)
class Spot:
    """The name and order of a place in pictures."""

    place: str
    line: str  # the layers of a site at a position
    layer: str  # its number, or the name that it has
    number: int  # to order layers by: those of all lines at once
    depth: float


def spots(part: Part) -> dict[Place, Spot]:
    """Returns the spot of every place of the part."""
    line_of = {
        place: line_name(*key) for key, line in lines_of(part.places).items() for place in line
    }
    depth_of = depths(part.places, part.source.layers)
    last = max((q.layer for q in part.places if q.site not in ONCE), default=-1) + 1
    return {
        q: Spot(
            visible(str(q)),
            visible(line_of[q]),
            visible(q.site) if q.network or q.site in ONCE else str(q.layer),
            i if q.network else last if q.site in ONCE else q.layer,
            depth_of[q],
        )
        for i, q in enumerate(part.places)
    }


def parts_sheet(study: Study) -> Sheet:
    return Sheet(
        {
            "model": [visible(part.model) for part in study.parts],
            "level": np.array([part.level for part in study.parts]),
        }
    )


def places_sheet(study: Study) -> Sheet:
    """Returns every place: its name, its line of layers, and its depth."""
    rows = Grouped("part", "place", "site", "position", "line", "layer", "spot", "depth", by="part",
                   keys={"part": "parts"})  # fmt: skip
    for p, part in enumerate(study.parts):
        lines = [
            (p, at.place, visible(q.site), str(q.position), at.line, at.layer, at.number, at.depth)
            for q, at in spots(part).items()
        ]
        rows.add_lines(lines)
    return rows.sheet()


def comparisons_sheet(study: Study) -> Sheet:
    """Returns every comparison of a part, with its finding."""
    rows = Grouped(
        "part", "comparison", "h1", "h0", "wording", "furthest", "best_z", "best_p", "best_q",
        "passing", "limit", by="part",
    )  # fmt: skip
    for p, part in enumerate(study.parts):
        findings = {f.name: f for f in part.findings()}
        cells = numbered_cells(study, part)
        lines = []
        for name in part.scans:
            f = findings.get(name)
            lines.append(
                (
                    p, visible(name), *part.pool_sizes[name], part.wording[name][0],
                    cells[name, part.furthest[name]],
                    *((f.z, f.p_family, f.q, f.passing) if f else (np.nan,) * 4),
                    limit_of(part, name),
                )
            )  # fmt: skip
        rows.add_lines(lines)
    return rows.sheet()


def limit_of(part: Part, name: str) -> float:
    """Returns the z that the highest place of a permutation stays below in 95% of them."""
    if name not in part.calibrations:
        return np.nan
    highest_T = part.calibrations[name].z_PT[:, 1:].max(0)
    return float(np.quantile(highest_T, 0.95, method="higher"))


def cells_of(study: Study, part: Part) -> Iterator[tuple]:
    """Yields (the cell's number, comparison, its number, place, its number) of a part's cells."""
    before = list(itertools.takewhile(lambda other: other is not part, study.parts))
    places = sum(len(other.places) for other in before)
    comparisons = sum(len(other.scans) for other in before)
    cell = itertools.count(sum(len(other.scans) * len(other.places) for other in before))
    for c, name in enumerate(part.scans, comparisons):
        for i, place in enumerate(part.places, places):
            yield next(cell), name, c, place, i


def numbered_cells(study: Study, part: Part) -> dict[tuple, int]:
    """Returns {(comparison, place): the cell's number} of a part."""
    return {(name, place): cell for cell, name, _, place, _ in cells_of(study, part)}


def cells_sheet(study: Study) -> Sheet:
    """Returns every place of every comparison, with its measurements."""
    rows = Grouped(
        "cell", "at", "of", *where.COLUMNS, "held_out_auroc", "distance", "beyond",
        *detection.FIELDS, "auroc_low", "auroc_high", *MEASURES, "kept", by="part",
        keys={"at": "places", "of": "comparisons"},
    )  # fmt: skip
    for part in study.parts:
        cells = list(cells_of(study, part))
        values = [measurements(part, name, place) for _, name, _, place, _ in cells]
        numbers = np.array([(cell, i, c) for cell, _, c, _, i in cells])
        rows.add(*numbers.T, *np.array(values, float).T)
    return rows.sheet()


def measurements(part: Part, name: str, place) -> list[float]:
    """Returns the numbers of a place of a comparison; NaN where there is none."""
    c, distance = part.calibrations.get(name), np.nan
    if c is not None:
        k = c.keys.index(place)
        distance = deviations_above(c.score[k], c.null[k])
    held_out = part.place_aurocs.get(name, {}).get(place, np.nan)
    simpler = np.nan
    if name in part.held_out_texts:
        simpler = max(one.auroc for one in part.held_out_texts[name].simpler.values())
    alone, apart = part.detections[name][place], part.separation[name][place]
    return [
        *where.columns(part, name, place), held_out, distance, held_out - simpler,
        *(getattr(alone, field) for field in detection.FIELDS),
        alone.auroc_low, alone.auroc_high,
        *(apart.mean[metric] for metric in MEASURES),
        any(s.place == place for s in part.scans[name]),
    ]  # fmt: skip


def deviations_above(score: float, null_T) -> float:
    """Returns how many deviations of permuted labels' values a score lies above their mean."""
    deviation = null_T.std()
    return (score - null_T.mean()) / deviation if deviation else np.nan


def null_sheet(study: Study) -> Sheet:
    """Returns the statistic under permuted labels, studentised, of every cell."""
    rows = Grouped("null_z", by="cell", steps={"null_z": 0.005})
    for part in study.parts:
        for _, name, _, place, _ in cells_of(study, part):
            c = part.calibrations.get(name)
            rows.add(np.empty(0) if c is None else np.sort(c.z_PT[c.keys.index(place), 1:]))
    return rows.sheet()


def roc_sheet(study: Study) -> Sheet:
    """Returns the corners of the ROC curve of rows scanned alone, at every cell."""
    rows = Grouped("fpr", "tpr", by="cell", steps={"fpr": 1e-4, "tpr": 1e-4})
    for part in study.parts:
        for _, name, _, place, _ in cells_of(study, part):
            rows.add(*curve(part.detections[name][place], part.detection_rows[name][0].positive_N))
    return rows.sheet()


def curve(detection, positive_N) -> tuple[np.ndarray, np.ndarray]:
    """Returns false and true positive rates of rows scanned alone, at some thresholds."""
    score_N = np.asarray(detection.score_N)
    known_N = np.isfinite(score_N)
    fpr, tpr, _ = roc_curve(positive_N[known_N], score_N[known_N])
    if len(fpr) <= CORNERS:
        return fpr, tpr
    corners = np.unique(np.round(np.linspace(0, len(fpr) - 1, CORNERS)).astype(int))
    return fpr[corners], tpr[corners]


def validation_sheet(study: Study) -> Sheet:
    """Returns the AUROC of each method on the half that did not find the nodes."""
    rows = Grouped("of", "comparison", "half", "place", "method", "auroc", by="part")
    for part in study.parts:
        numbers = {name: i for i, name in enumerate(part.scans)}
        lines = [
            (numbers[name], visible(name), v.half, visible(str(v.place)), method, metrics["auroc"])
            for name, halves in part.validations.items()
            for v in halves
            for method, metrics in v.methods.items()
            if "auroc" in metrics and not np.isnan(metrics["auroc"])
        ]
        rows.add_lines(lines)
    return rows.sheet()


def ways_sheet(study: Study) -> Sheet:
    """Returns rows scanned alone by every detector, where there are several."""
    rows = Grouped("of", "comparison", "kind", "way", "place", "line", "layer", "spot", "auroc",
                   "low", "high", by="part")  # fmt: skip
    for part in study.parts:
        at, lines = spots(part), []
        for c, (name, detections) in enumerate(part.all_detections.items()):
            ways = [
                ("scan" if way else "first", str(detector), at[place], places[place])
                for way, (detector, places) in enumerate(detections.items())
                for place in part.places
            ]
            ways += [
                ("simpler", visible(method), Spot(visible(str(place)), "", "", -1, np.nan), d)
                for method, (place, d) in part.baselines[name].items()
            ]
            lines += [
                (
                    c, visible(name), kind, way, spot.place, spot.line, spot.layer, spot.number,
                    d.auroc, d.auroc_low, d.auroc_high,
                )
                for kind, way, spot, d in ways
            ]  # fmt: skip
        rows.add_lines(lines if part.compares_detectors else [])
    return rows.sheet()
