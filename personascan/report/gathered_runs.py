"""What runs returned, as sheets: rows, nodes, and the rows in principal components."""

import numpy as np

from personascan.report.cells import numbered_cells
from personascan.report.sheets import Grouped, Sheet, columns_of
from personascan.report.summary import center
from personascan.study.results import Part, Study
from personascan.study.stages.nodes import scanned_part
from personascan.visible import visible

FINE = 1e-4  # steps of rates


class Texts:
    """Every row's text once, numbered, with the id of the first row that has it."""

    def __init__(self, study: Study):
        self.ids: dict[str, str] = {}
        for part in study.parts:
            for name, texts in part.shown.items():
                for text, id_ in zip(texts, part.pool_ids[name], strict=True):
                    self.ids.setdefault(text, id_)
        self.numbers = {text: i for i, text in enumerate(sorted(self.ids))}

    def of(self, part: Part, name: str) -> np.ndarray:
        """The numbers of a comparison's rows."""
        return np.array([self.numbers[text] for text in part.shown[name]], int)

    def sheet(self) -> Sheet:
        return Sheet(
            {
                "text": [visible(text) for text in self.numbers],
                "id": [visible(self.ids[text]) for text in self.numbers],
            }
        )


def runs_sheets(study: Study) -> dict[str, Sheet]:
    """The scans at chosen and named places, what they returned, and the clouds of rows."""
    texts, nodes, rows = Texts(study), nodes_grouped(), rows_grouped()
    scans, clouds, points = scans_grouped(), clouds_grouped(), points_grouped()
    for part in study.parts:
        cells, lines, seen = numbered_cells(study, part), [], {}
        for name, found in part.scans.items():
            for scan in found:
                number = nodes.add(*node_columns(scan))
                rows.add(*row_columns(part, name, scan, texts))
                lines.append((number, cells[name, scan.place], *scan_line(scan)))
            for p in part.projections[name]:
                cell = cells[name, p.place]
                if cell not in seen:
                    seen[cell] = (points.add(*point_columns(part, name, p, texts)), cell)
                    seen[cell] += tuple(float(share) for share in p.share_2)
        scans.add(*columns_of(lines, len(scans.names)))
        clouds.add(*columns_of(list(seen.values()), len(clouds.names)))
    made = {"scans": scans, "nodes": nodes, "rows": rows, "clouds": clouds, "points": points}
    return {name: one.sheet() for name, one in made.items()} | {"texts": texts.sheet()}


def scans_grouped() -> Grouped:
    return Grouped(
        "scan", "cell", "rows", "chosen", "p_judged", "precision", "recall", "returned_auroc",
        "runs", "set_high", "set_low", "set_p", "at_least", by="part", keys={"cell": "cells"},
    )  # fmt: skip


def scan_line(scan) -> tuple:
    """A scan in numbers: of which rows, how right it was, and how many nodes its set has."""
    inside_C, signed = scan.set_TC[0], scan.halves == 2
    judged = scan.choice.p_judged if scan.choice else np.nan
    return (
        rows_words(scan), int(scan.choice is not None), judged, center(scan.precision_R)[0],
        center(scan.recall_R)[0], scan.auroc, len(scan.precision_R),
        int((inside_C & (scan.directions_C == (1 if signed else 0))).sum()),
        int((inside_C & (scan.directions_C == -1)).sum()), int((scan.p_C <= 0.05).sum()),
        np.nan if scan.tested is None else scan.tested.at_least(),
    )  # fmt: skip


def rows_words(scan) -> str:
    """Which rows were scanned, and who chose the place."""
    if scan.choice is None:
        return scanned_part(scan)
    judge = "B" if scan.choice.half == "A" else "A"
    return f"half {judge} (half {scan.choice.half} chose the place)"


def nodes_grouped() -> Grouped:
    steps = dict.fromkeys(("effect", "frequency", "null_frequency", "q", "node_p"), FINE)
    return Grouped(
        "node", "direction", "effect", "frequency", "null_frequency", "q", "node_p", "in_set",
        "rank", by="scan", steps=steps,
    )  # fmt: skip


def node_columns(scan) -> tuple:
    """Every node of a place in the direction of its effect, the largest first.

    Without tests: every column (a node, or a node in one direction), most often selected first.
    """
    frequency_C = np.asarray(scan.frequency_TC[0], float)
    nodes = frequency_C.size // scan.halves
    effect_C = np.full(frequency_C.size, np.nan)
    order = np.argsort(-frequency_C, kind="stable")
    if scan.tested is not None:
        effect_C = np.tile(scan.tested.effect, scan.halves)
        order = np.argsort(-np.abs(scan.tested.effect), kind="stable")
        if scan.halves == 2:
            order = np.where(scan.tested.effect[order] < 0, order + nodes, order)
    null_TC = scan.frequency_TC[1:]
    null_C = null_TC.mean(0) if len(null_TC) else np.full(frequency_C.size, np.nan)
    nodes_C = np.arange(frequency_C.size) % nodes
    columns = (
        nodes_C, scan.directions_C, effect_C, frequency_C, null_C, scan.q_C, scan.p_C,
        scan.set_TC[0],
    )  # fmt: skip
    return *(np.asarray(c)[order] for c in columns), np.arange(1, order.size + 1)


def rows_grouped() -> Grouped:
    return Grouped("row", "positive", "scanned", "returned", by="scan", keys={"row": "texts"})


def row_columns(part: Part, name: str, scan, texts: Texts) -> tuple:
    """Every row that some run scanned: how many did, and how many returned it."""
    some = np.flatnonzero(scan.scanned_N)
    rows = scan.rows[some]
    returned_N = np.asarray(scan.runs.rows[0]).sum(0)[some]
    return texts.of(part, name)[rows], part.positive[name][rows], scan.scanned_N[some], returned_N


def clouds_grouped() -> Grouped:
    return Grouped("cloud", "cell", "share_1", "share_2", by="part", keys={"cell": "cells"})


def points_grouped() -> Grouped:
    return Grouped("row", "side", "positive", "x", "y", by="cloud", keys={"row": "texts"})


def point_columns(part: Part, name: str, projection, texts: Texts) -> tuple:
    x_N, y_N = projection.points_N2.T
    sides = ["H1" if positive else "H0" for positive in projection.positive_N]
    return texts.of(part, name), sides, projection.positive_N, x_N, y_N
