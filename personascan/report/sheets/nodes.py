"""Sheets of what runs returned, of overlaps of node sets, and of effects of edits.

The groups of `places` are met again here: rows and nodes belong to a `scan`, points to a `cloud`.
"""

import numpy as np

from personascan.analysis.overlaps import exclusive_counts
from personascan.interventions.design import FOUND, STEER
from personascan.interventions.options import CONTROLS
from personascan.report.charts.sets import SHAPES, middles, outline
from personascan.report.sections.edits import action_name, main_keys
from personascan.report.sheets.columns import Grouped, Sheet
from personascan.report.sheets.places import numbered_cells
from personascan.report.words import center, set_sizes
from personascan.study.results import Part, Study
from personascan.study.stages.nodes import all_scans, scanned_rows
from personascan.visible import visible

FINE = 1e-4  # steps of rates
COMBINATIONS = 30  # that an UpSet plot shows; more cannot be read


class Texts:
    """Every row's text once, numbered, with the id of the first row that has it."""

    def __init__(self, study: Study):
        self.ids: dict[str, str] = {}
        for part in study.parts:
            for name, texts in part.row_texts.items():
                for text, id_ in zip(texts, part.pool_ids[name], strict=True):
                    self.ids.setdefault(text, id_)
        self.numbers = {text: i for i, text in enumerate(sorted(self.ids))}

    def of(self, part: Part, name: str) -> np.ndarray:
        """Returns the numbers of a comparison's rows."""
        return np.array([self.numbers[text] for text in part.row_texts[name]], int)

    def sheet(self) -> Sheet:
        return Sheet(
            {
                "text": [visible(text) for text in self.numbers],
                "id": [visible(self.ids[text]) for text in self.numbers],
            }
        )


def returned_sheets(study: Study) -> dict[str, Sheet]:
    """Returns the scans of chosen and named places, their rows and nodes, and clouds of rows."""
    texts = Texts(study)
    scans = Grouped(
        "scan", "cell", "rows", "chosen", "p_judged", "precision", "recall", "returned_auroc",
        "runs", "set_high", "set_low", "set_p", "at_least", by="part", keys={"cell": "cells"},
    )  # fmt: skip
    nodes = Grouped(
        "node", "direction", "effect", "frequency", "null_frequency", "q", "node_p", "in_set",
        "rank", by="scan",
        steps=dict.fromkeys(("effect", "frequency", "null_frequency", "q", "node_p"), FINE),
    )  # fmt: skip
    rows = Grouped("row", "positive", "scanned", "returned", by="scan", keys={"row": "texts"})
    clouds = Grouped("cloud", "cell", "share_1", "share_2", by="part", keys={"cell": "cells"})
    points = Grouped("row", "side", "positive", "x", "y", by="cloud", keys={"row": "texts"})
    for part in study.parts:
        cells, lines, seen = numbered_cells(study, part), [], {}
        for name, own in part.scans.items():
            for scan in own:
                number = nodes.add(*node_columns(scan))
                rows.add(*row_columns(part, name, scan, texts))
                lines.append((number, cells[name, scan.place], *scan_line(scan)))
            for p in part.projections[name]:
                cell = cells[name, p.place]
                if cell not in seen:
                    seen[cell] = (points.add(*point_columns(part, name, p, texts)), cell)
                    seen[cell] += tuple(float(share) for share in p.share_2)
        scans.add_lines(lines)
        clouds.add_lines(list(seen.values()))
    groups = {"scans": scans, "nodes": nodes, "rows": rows, "clouds": clouds, "points": points}
    return {name: one.sheet() for name, one in groups.items()} | {"texts": texts.sheet()}


def scan_line(scan) -> tuple:
    """Returns a scan in numbers: its rows, its precision and recall, the size of its node set."""
    judged = scan.choice.p_judged if scan.choice else np.nan
    return (
        rows_words(scan), int(scan.choice is not None), judged, center(scan.precision_R)[0],
        center(scan.recall_R)[0], scan.auroc, len(scan.precision_R),
        *(set_sizes(scan) if scan.halves == 2 else (int(scan.set_TC[0].sum()), 0)),
        int((scan.p_C <= 0.05).sum()), np.nan if scan.tested is None else scan.tested.at_least(),
    )  # fmt: skip


def rows_words(scan) -> str:
    """Returns which rows were scanned, and who chose the place."""
    if scan.choice is None:
        return scanned_rows(scan)
    judge = "B" if scan.choice.half == "A" else "A"
    return f"half {judge} (half {scan.choice.half} chose the place)"


def node_columns(scan) -> tuple:
    """Returns every node of a place in the direction of its effect, the largest first.

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


def row_columns(part: Part, name: str, scan, texts: Texts) -> tuple:
    """Returns every row that some run scanned: how many did, and how many returned it."""
    some = np.flatnonzero(scan.scanned_N)
    rows = scan.rows[some]
    returned_N = np.asarray(scan.runs.rows[0]).sum(0)[some]
    return texts.of(part, name)[rows], part.positive[name][rows], scan.scanned_N[some], returned_N


def point_columns(part: Part, name: str, projection, texts: Texts) -> tuple:
    x_N, y_N = projection.points_N2.T
    sides = ["H1" if positive else "H0" for positive in projection.positive_N]
    return texts.of(part, name), sides, projection.positive_N, x_N, y_N


def overlap_sheets(study: Study) -> dict[str, Sheet]:
    """Returns the overlaps of node sets at each named place, beside chance, and exclusive nodes."""
    shared = Grouped("shared", "place", by="part")
    pairs = Grouped(
        "names", "sets", "observed", "expected", "ratio", "low", "high", "chance_mean", "p",
        "hypergeometric_p", by="shared",
    )  # fmt: skip
    exclusive = Grouped("combination", "names", "nodes", by="shared")
    members = Grouped("combination", "comparison", "inside", by="shared")
    outlines = Grouped("comparison", "order", "x", "y", by="shared")
    counts = Grouped("names", "nodes", "x", "y", by="shared")
    for part in study.parts:
        lines = []
        for place, overlaps in part.overlaps.items():
            sets = {n: s.nodes_D for n, s in all_scans(part) if s.place == place and s.plain}
            some = {name: nodes_D for name, nodes_D in sets.items() if nodes_D.any()}
            number = pairs.add_lines(
                [overlap_line(o) for o in overlaps if set(o.names) <= set(some)]
            )
            combinations = list(exclusive_counts(sets).items())[:COMBINATIONS]
            exclusive.add_lines([(i, joined_names(c), n) for i, (c, n) in enumerate(combinations)])
            members.add_lines(
                [
                    (i, visible(name), int(name in inside))
                    for i, (inside, _) in enumerate(combinations)
                    for name in some
                ]
            )
            outlines.add_lines(outline_lines(list(some)))
            counts.add_lines(count_lines(some))
            lines.append((number, visible(str(place))))
        shared.add_lines(lines)
    groups = {"shared": shared, "overlaps": pairs, "exclusive": exclusive, "members": members,
            "venn_outlines": outlines, "venn_counts": counts}  # fmt: skip
    return {name: one.sheet() for name, one in groups.items()}


def outline_lines(names: list[str]) -> list[tuple]:
    """Returns the outlines of a Venn diagram; none of one set, or of more than can be read."""
    lines = []
    for name, shape in zip(names, SHAPES.get(len(names), []), strict=False):
        points = zip(*outline(shape), strict=True)
        lines += [(visible(name), i, float(x), float(y)) for i, (x, y) in enumerate(points)]
    return lines


def count_lines(sets: dict[str, np.ndarray]) -> list[tuple]:
    """Returns the number of nodes in exactly the sets of each region, and where it is written."""
    if len(sets) not in SHAPES:
        return []
    names, exclusive = list(sets), exclusive_counts(sets)
    lines = []
    for members, (x, y) in middles(len(names)).items():
        inside = tuple(names[i] for i in members)
        lines.append((joined_names(inside), exclusive.get(inside, 0), x, y))
    return lines


def joined_names(names) -> str:
    return " & ".join(map(visible, names))


def overlap_line(o) -> tuple:
    """Returns how many nodes sets share, relative to independent ones, beside 95% of chance."""
    low, high = o.chance_low / o.expected, o.chance_high / o.expected
    return (
        joined_names(o.names), len(o.names), o.observed, o.expected, o.observed / o.expected, low,
        high, o.chance_mean, o.p, o.p_hypergeometric,
    )  # fmt: skip


def edit_sheets(study: Study) -> dict[str, Sheet]:
    """Returns every tested node set, and the effect of each method and action on each outcome."""
    edits = Grouped("part", "edit", "comparison", "half", "place", "nodes", by="part")
    effects = Grouped(
        "edit", "method", "control", "act", "action", "strength", "outcome", "effect", "low",
        "high", "p", "family_p", by="edit", keys={"edit": "edits"},
    )  # fmt: skip
    count = 0
    for p, part in enumerate(study.parts):
        lines = []
        for one in part.interventions:
            tested = one.tested
            number = effects.add_lines([(count, *effect_line(one, e)) for e in one.effects])
            count += 1
            lines.append(
                (p, number, visible(tested.name), tested.half, visible(str(tested.place)),
                 tested.nodes)
            )  # fmt: skip
        edits.add_lines(lines)
    return {"edits": edits.sheet(), "effects": effects.sheet(), "doses": doses_sheet(study)}


def doses_sheet(study: Study) -> Sheet:
    """Returns every method's effect on the answer by the strength of steering; 0 at strength 0."""
    rows = Grouped("method", "control", "strength", "effect", "low", "high", "p", by="edit")
    for part in study.parts:
        for one in part.interventions:
            lines = []
            for method in dict.fromkeys(e.method for e in one.effects):
                steered = one.of(method, STEER)
                control = int(method in CONTROLS)
                lines += [(method, control, 0.0, 0.0, 0.0, 0.0, np.nan)] if steered else []
                for e in steered:
                    p = next(iter(e.p.values()), np.nan)
                    lines.append((method, control, e.strength, e.effect, e.low, e.high, p))
            rows.add_lines(lines)
    return rows.sheet()


def acts_sheet(study: Study) -> Sheet:
    """Returns every action with its strength, those that are judged first."""
    rows = Grouped("act", by="part")
    for part in study.parts:
        judged = [action_name(*key) for key in main_keys(part)[::-1]] if part.interventions else []
        done = [action_name(e.action, e.strength) for f in part.interventions for e in f.effects]
        rows.add([act for act in dict.fromkeys([*judged, *done]) if act in done])
    return rows.sheet()


def effect_line(tested, e) -> tuple:
    p = [value for value in e.p.values() if not np.isnan(value)]
    family = tested.p_family.get(e.key, np.nan) if e.method == FOUND else np.nan
    return (
        e.method, int(e.method in CONTROLS), action_name(e.action, e.strength), e.action,
        e.strength, e.outcome, e.effect, e.low, e.high, p[0] if p else np.nan, family,
    )  # fmt: skip


def specificity_sheet(study: Study) -> Sheet:
    """Returns each comparison's node set on the statements of every comparison, by halves."""
    rows = Grouped("judged", "owner", "half", "act", "effect", "low", "high", by="part")
    for part in study.parts:
        lines = [
            (visible(c.judged), visible(c.owner), c.half,
             action_name(c.action, c.strength), c.effect, c.low, c.high)
            for c in part.specificity
        ]  # fmt: skip
        rows.add_lines(lines)
    return rows.sheet()
