"""Sheets of the evidence at the furthest places: statements with scores, nodes and their values.

Groups of rows belong to an `evidence` (a comparison's furthest place) or a `probe` (a node of it).
"""

import numpy as np

from personascan.report.sheets.columns import Grouped, Sheet

ALL_ROWS = "all rows"
SCORE_STEP, VALUE_STEP = 0.001, 0.01  # in deviations


class EvidenceSheets:
    """Gathers the evidence of comparison after comparison."""

    def __init__(self):
        self.evidence = Grouped("evidence", "cell", "scan", "above", "below", by="part",
                                keys={"cell": "cells"})  # fmt: skip
        self.statements = Grouped("row", "positive", "score", by="evidence", keys={"row": "texts"},
                                  steps={"score": SCORE_STEP})  # fmt: skip
        self.probes = Grouped("probe", "node", by="evidence")
        self.values = Grouped("row", "positive", "value", by="probe", keys={"row": "texts"},
                              steps={"value": VALUE_STEP})  # fmt: skip
        self.lines = []

    def add(self, found, cell: int, scan: int, positive_N, texts_N) -> None:
        """Adds the evidence of a comparison, whose nodes are those of a scan's group."""
        score_N, above, below = found.score_N, np.nan, np.nan
        if score_N is None:
            number = self.statements.add(*[np.empty(0, int)] * 3)
        else:
            number = self.statements.add(texts_N, positive_N, score_N)
            above, below = (score_N[positive_N] > 0).mean(), (score_N[~positive_N] > 0).mean()
        probes = [
            (self.values.add(texts_N, positive_N, value_N), int(node))
            for node, value_N in zip(found.kept_K, found.value_NK.T, strict=True)
        ]
        self.probes.add_lines(probes)
        self.lines.append((number, cell, scan, float(above), float(below)))

    def end_part(self) -> None:
        """Ends a part."""
        self.evidence.add_lines(self.lines)
        self.lines = []

    def sheets(self) -> dict[str, Sheet]:
        """Returns the sheets by name."""
        names = ("evidence", "statements", "probes", "values")
        return {name: getattr(self, name).sheet() for name in names}


def pair_lines(scans: dict[int, object]) -> list[tuple]:
    """Returns how far every two tested scans of one place agree on its nodes.

    scans: {the scan's number: the scan}.
    """
    lines = []
    for first, one in scans.items():
        for second, other in scans.items():
            effects = one.tested.effect, other.tested.effect
            both_D = one.nodes_D & other.nodes_D
            same = int((both_D & (np.sign(effects[0]) == np.sign(effects[1]))).sum())
            expected = one.nodes_D.sum() * other.nodes_D.sum() / both_D.size
            varied = all(effect.std() > 0 for effect in effects)
            correlation = float(np.corrcoef(*effects)[0, 1]) if varied else np.nan
            lines.append((first, second, correlation, int(both_D.sum()), same, float(expected)))
    return lines


def evidence_nodes(tested, node_q: float) -> tuple:
    """Returns the columns of every node, the largest effect first, as those of a scan."""
    order = np.argsort(-np.abs(tested.effect), kind="stable")
    unknown = np.full(order.size, np.nan)
    columns = (order, tested.direction[order], tested.effect[order], unknown, unknown,
               tested.q[order], tested.p_family[order], tested.q[order] <= node_q)  # fmt: skip
    return *columns, np.ones(order.size, bool), np.arange(1, order.size + 1)


def evidence_line(tested, node_q: float) -> tuple:
    """Returns the evidence in numbers, as a scan of all rows without runs."""
    in_set = tested.q <= node_q
    return (
        ALL_ROWS, 0, *(np.nan,) * 4, 0, int((in_set & (tested.effect > 0)).sum()),
        int((in_set & (tested.effect < 0)).sum()), int((tested.p_family <= 0.05).sum()),
        tested.at_least(),
    )  # fmt: skip
