"""The sheet of how well found nodes, other nodes and simpler scores tell rows, side by side."""

import numpy as np

from personascan.analysis.claims import auroc_limits
from personascan.analysis.judged import DIRECTION, FOUND, RANDOM
from personascan.report.ceilings import better_than_random, ceiling_of, length_auroc
from personascan.report.sheets.columns import Grouped, Sheet
from personascan.study.results import Part, Study
from personascan.visible import visible

PLACE, LENGTH = "place, held out", "statement length"
NODES = {FOUND: "found nodes", RANDOM: "random nodes", DIRECTION: "mean difference"}


def special_sheet(study: Study) -> Sheet:
    """Returns the AUROC of each score of a comparison with its interval, and whether it is at its
    ceiling: so high that no better one could be shown.
    """
    rows = Grouped("of", "comparison", "method", "order", "own", "auroc", "low", "high", "ceiling",
                   by="part")  # fmt: skip
    for part in study.parts:
        lines = []
        for number, name in enumerate(part.scans):
            for order, (method, auroc, full) in enumerate(scores_of(part, name)):
                low, high = auroc_limits(auroc, part.pool_sizes[name])
                own = int(method in (PLACE, NODES[FOUND]))
                lines.append((number, visible(name), method, order, own, auroc, low, high, full))
        rows.add_lines(lines)
    return rows.sheet()


def scores_of(part: Part, name: str) -> list[tuple[str, float, int]]:
    """Returns (score, AUROC, at its ceiling) of a comparison; of node sets the halves' mean."""
    scores = []
    held_out = part.held_out.get(name)
    if held_out:
        scores.append((PLACE, held_out.auroc, 0))
    judged = better_than_random(part, [name])
    for method, words in NODES.items():
        aurocs = [v.methods.get(method, {}).get("auroc", np.nan)
                  for v in part.validations.get(name, [])]  # fmt: skip
        full = int(method == RANDOM and bool(judged and judged["ceiling"]))
        if aurocs and not np.isnan(aurocs).any():
            scores.append((words, float(np.mean(aurocs)), full))
    if held_out:
        scores += [(one.name, one.auroc, int(ceiling_of(one))) for one in held_out.simpler.values()]
    length = length_auroc(part, name)
    if not np.isnan(length):
        scores.append((LENGTH, length, 0))
    return [(method, float(auroc), full) for method, auroc, full in scores]
