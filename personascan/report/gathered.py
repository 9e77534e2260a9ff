"""What a page shows of a study, as sheets: every place of every comparison, and what is chosen.

Groups of rows belong to a `part` (a model at a level), a `cell` (a place of a comparison, numbered
comparison by comparison), a `scan` (the runs of a cell on some rows) or a `cloud` (a cell's rows in
principal components).
"""

import numpy as np

from personascan.report.cells import cells_sheet, null_sheet, numbered_cells, roc_sheet
from personascan.report.gathered_across import across_sheets
from personascan.report.gathered_runs import runs_sheets
from personascan.report.sheets import Grouped, Sheet, columns_of
from personascan.report.spots import spots
from personascan.study.results import Part, Study
from personascan.visible import visible


def gathered(study: Study) -> dict[str, Sheet]:
    """The sheets of all parts, by name."""
    return {
        "parts": parts_sheet(study),
        "places": places_sheet(study),
        "comparisons": comparisons_sheet(study),
        "cells": cells_sheet(study),
        "null": null_sheet(study),
        "roc": roc_sheet(study),
        **runs_sheets(study),
        **across_sheets(study),
    }


def parts_sheet(study: Study) -> Sheet:
    return Sheet(
        {
            "model": [visible(part.model) for part in study.parts],
            "level": np.array([part.level for part in study.parts]),
        }
    )


def places_sheet(study: Study) -> Sheet:
    """Every place: what it is called, its line of layers, and how deep it lies."""
    rows = Grouped("part", "place", "site", "position", "line", "layer", "spot", "depth", by="part",
                   keys={"part": "parts"})  # fmt: skip
    for p, part in enumerate(study.parts):
        lines = [
            (p, at.place, visible(q.site), str(q.position), at.line, at.layer, at.number, at.depth)
            for q, at in spots(part).items()
        ]
        rows.add(*columns_of(lines, len(rows.names)))
    return rows.sheet()


def comparisons_sheet(study: Study) -> Sheet:
    """Every comparison of a part, with what was found."""
    rows = Grouped(
        "part", "comparison", "h1", "h0", "wording", "furthest", "best_z", "best_p", "best_q",
        "passing", "limit", by="part",
    )  # fmt: skip
    for p, part in enumerate(study.parts):
        found = {f.name: f for f in part.findings()}
        cells = numbered_cells(study, part)
        lines = []
        for name in part.scans:
            f = found.get(name)
            lines.append(
                (
                    p, visible(name), *part.pool_sizes[name], part.wording[name][0],
                    cells[name, part.furthest[name]],
                    *((f.z, f.p_family, f.q, f.passing) if f else (np.nan,) * 4),
                    limit_of(part, name),
                )
            )  # fmt: skip
        rows.add(*columns_of(lines, len(rows.names)))
    return rows.sheet()


def limit_of(part: Part, name: str) -> float:
    """The studentised statistic that 95% of the permutations' highest places stay below."""
    if name not in part.calibrations:
        return np.nan
    highest_T = part.calibrations[name].z_PT[:, 1:].max(0)
    return float(np.quantile(highest_T, 0.95, method="higher"))
