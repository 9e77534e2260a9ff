"""Sections of the page on the runs of chosen and named places: their rows and their nodes."""

from collections import Counter

import numpy as np

from personascan.report.section import QUOTED, Section, Shown, Table
from personascan.report.summary import center, mean_deviation
from personascan.report.words import joined, listed, rows_word, safe
from personascan.study.stages.nodes import scanned_part

LINES = 30  # of a table of overlaps; the file has them all
SHOWN_ROWS = 2  # of each end
CUT = 160  # characters of a text in a table


def held_out_section(part) -> Section | None:
    """Which rows are told by places that they did not choose, and which are mistaken."""
    if not part.held_out:
        return None
    called = rows_word(part)
    rows, ends = [], []
    for name, one in part.held_out.items():
        places = Counter(one.places).most_common()
        chosen = "; ".join(f"{safe(place)} ({count})" for place, count in places[:3])
        rows.append(
            [
                safe(name), f"{one.auroc:.3f} ({one.low:.2f} to {one.high:.2f})",
                "-" if np.isnan(one.precision) else f"{one.precision:.2f}", f"{one.recall:.2f}",
                chosen + ("; ..." if len(places) > 3 else ""),
            ]
        )  # fmt: skip
        if part.texts:
            ends += ends_of(part, name, one)
    blocks = [
        f"Each of the {called} is told by a place and a direction chosen without its fold: "
        "the direction along which a ridge regression tells the labels of the other folds. Above "
        "their mean it is told as H1. `held_out.csv` has every one.",
        Table(["", "AUROC (95%)", "precision", "recall", "place (folds)"], rows),
    ]
    if ends:
        blocks.append(Table(["", "told as", "is", QUOTED], ends))
    return Section(f"Which {called} are told, unseen", *blocks)


def kinds_section(part) -> Section | None:
    """How rows of H1 differ from one another on the nodes that tell them from H0."""
    called = rows_word(part)
    found = [(name, one) for name, ones in part.kinds.items() for one in ones]
    found = [(name, one) for name, one in found if not np.isnan(one.kinds.share)]
    if not found:
        return None
    rows = [
        [safe(name), one.place, one.part, one.nodes, f"{one.kinds.share:.0%}",
         "-" if np.isnan(one.kinds.agreement) else f"{one.kinds.agreement:.2f}"]
        for name, one in found
    ]  # fmt: skip
    blocks = [
        f"The {called} of H1 may be of several kinds. Their first principal component, on the "
        "nodes that were found, orders them: of a half's nodes the other half's, of all those "
        "of all. Agreement: the correlation of that order with the one that the component of other "
        f"{called} gives (near 0: noise; what orders them, length for example, it does not say). "
        "`kinds.csv` has every one.",
        Table(["", "place", "nodes of", "nodes", "share of variance", "agreement"], rows),
    ]
    if part.texts:
        ends = [line for name, one in first_of_each(found) for line in kind_ends(part, name, one)]
        blocks.append(Table(["", "end", QUOTED], ends))
    return Section(f"Kinds among the {called} of H1", *blocks)


def first_of_each(found: list) -> list:
    """One order of each comparison: the one that other rows confirm most."""
    best = {}
    for name, one in sorted(found, key=lambda pair: -np.nan_to_num(pair[1].kinds.agreement)):
        best.setdefault(name, one)
    return [(name, best[name]) for name in dict.fromkeys(name for name, _ in found)]


def kind_ends(part, name: str, one) -> list[list]:
    """The rows furthest out on either side of an order."""
    order = one.rows[np.argsort(one.kinds.score_N, kind="stable")]
    ends = [("high", i) for i in order[::-1][:SHOWN_ROWS]] + [
        ("low", i) for i in order[:SHOWN_ROWS]
    ]
    return [[safe(name), end, safe(cut(part.shown[name][i]))] for end, i in ends]


def ends_of(part, name: str, one) -> list[list]:
    """The rows furthest out on either side."""
    order = np.argsort(one.score_N, kind="stable")
    chosen = [*order[::-1][:SHOWN_ROWS], *order[:SHOWN_ROWS]]
    return [
        [
            safe(name), "H1" if one.score_N[i] > 0 else "H0",
            "H1" if part.positive[name][i] else "H0", safe(cut(part.shown[name][i])),
        ]
        for i in chosen
    ]  # fmt: skip


def cut(text: str) -> str:
    return text if len(text) <= CUT else f"{text[: CUT - 3]}..."


def runs_section(part) -> Section | None:
    """Which rows the runs of chosen and named places returned."""
    config, called = part.config, rows_word(part)
    options, scan = config.runs, config.scan
    rows = [
        [
            safe(name), found.place, scanned_part(found),
            mean_deviation(found.runs.score, 1),
            f"{np.nanmedian(found.runs.alpha):.3f}" if found.runs.score.any() else "-",
            mean_deviation(found.precision_R), f"{found.chance:.2f}",
            mean_deviation(found.recall_R), f"{found.auroc:.2f}",
            mean_deviation(found.runs.rows[0].sum(1), 1),
            mean_deviation(found.runs.nodes[0].sum(1), 1),
        ]
        for name, scans in part.scans.items()
        for found in scans
    ]  # fmt: skip
    if not rows:
        return None
    # A list: both halves may have chosen one place.
    means = [
        (center(s.precision_R)[0], f"{safe(name)} at {safe(s.place)}")
        for name, ss in part.scans.items()
        for s in ss
    ]
    means, extremes = [one for one in means if not np.isnan(one[0])], ""
    if means:
        (low, at_low), (high, at_high) = min(means), max(means)
        extremes = f" Mean precision runs from {low:.2f} ({at_low}) to {high:.2f} ({at_high})."
    silent = [
        f"{safe(name)} at {safe(s.place)}"
        for name, ss in part.scans.items() for s in ss if not s.runs.score.any()
    ]  # fmt: skip
    if silent:
        extremes += f" No run returned anything for {joined(silent)}."
    halves = ""
    if any(s.choice for ss in part.scans.values() for s in ss):
        halves = (
            f" Where a half of the {called} chose the place, the other half was scanned, with "
            "samples of half the size."
        )
    background = "freshly drawn background" if options.redraw else "background shared by all runs"
    header = ["", "place", called, "score", "median alpha", "precision", "of all", "recall",
              "AUROC", f"{called} returned", "nodes"]  # fmt: skip
    return Section(
        f"Which {called} diverge, by the published scan",
        f"A scan is told no label. Each of {options.runs} runs takes a {background} of "
        f"{options.background} H0 {called} and scans {options.clean} other H0 {called} with "
        f"{options.positive} H1 {called} for the subset of "
        f"{called} and nodes with the highest {scan.score} score ({scan.tail} tail, alphas "
        f"{alphas_searched(scan)}, {scan.starts} starts).{halves} Returning every one would give "
        f"{of_all(part)} and recall 1. AUROC: how well the share of "
        f"runs that return one tells H1 from H0.{extremes} "
        f"Mean ± deviation over runs; `runs.csv` has every run, with the ids of its {called}.",
        Table(header, rows),
    )


def of_all(part) -> str:
    """The precision of returning every row, in words; runs of different samples have their own."""
    chances = sorted({f"{s.chance:.2f}" for found in part.scans.values() for s in found})
    if len(chances) == 1:
        return f"precision {chances[0]}"
    return f"precision {joined(chances)}, by the samples of the line (of all)"


def alphas_searched(scan) -> str:
    """The alphas of a scan, in words."""
    kinds = {
        "exact": "every one attained",
        "grid": "50 equal steps",
        "log": "geometric steps",
    }
    if scan.alphas not in kinds:
        return ", ".join(safe(part) for part in scan.alphas.split(","))
    least = f" from {scan.alpha_min:g}" if scan.alpha_min else ""
    return f"{kinds[scan.alphas]}{least} up to {scan.alpha_max:g}"


def nodes_section(part) -> Section | None:
    """How large the node sets are, and what those of one place share."""
    config = part.config
    signed, tested = config.scan.tail == "signed", bool(part.calibrations)
    header = ["", "place", rows_word(part), "nodes", "in the set: high", "low"]
    header += ["family-wise p <= 0.05", "at least differ (95%)"] if tested else []
    rows = []
    for name, scans in part.scans.items():
        for s in scans:
            inside = s.set_TC[0]
            high, low = (
                (int((inside & (s.directions_C == d)).sum()) for d in (1, -1))
                if signed
                else (int(inside.sum()), "")
            )
            line = [safe(name), s.place, scanned_part(s), s.q_C.size // s.halves, high, low]
            line += [int((s.p_C <= 0.05).sum()), s.tested.at_least()] if tested else []
            rows.append(line)
    if not rows:
        return None
    text = (
        f"Every node of these places was tested with the labels known: the node set of a "
        f"comparison holds those with q <= {config.node_q:g} (the share of false ones expected "
        "among those that differ as much, under the permutations), in the direction of their "
        "effect; the family-wise p is over all nodes of the place (step-down maximum). At least so "
        "many nodes differ, whichever: a bound that holds with 95% for every set at once. Of a "
        "weak comparison the bound and the directions come again in other rows, the list of nodes "
        "does not. The frequency is the share of a scan's runs that returned a node. `nodes.csv` "
        "has every one."
        if tested
        else f"The selection frequency of a node is the share of runs that returned it; the node "
        f"set of a comparison holds those with frequency >= {config.threshold:g}. `nodes.csv` has "
        "every one."
    )
    blocks = [text, Table(header, rows)]
    overlaps = [(place, o) for place, found in part.overlaps.items() for o in found]
    if overlaps:
        shown = overlaps
        if len(overlaps) > LINES:
            shown = sorted(overlaps, key=lambda one: np.nan_to_num(one[1].p, nan=2.0))[:LINES]
        header = ["place", "node sets of", "shared nodes", "in the same direction",
                  "at least differ in both", "if independent", "ratio", "by chance", "p",
                  "hypergeometric p (exchangeable nodes)", "in no other set"]  # fmt: skip
        blocks += [
            overlaps_text(part, [o for _, o in overlaps]),
            Shown("expected"),
            Shown("upset"),
            Shown("venn"),
            Table(header, [overlap_cells(place, o) for place, o in shown]),
        ]
    return Section("Which nodes", *blocks)


def overlaps_text(part, found) -> str:
    """What the table of overlaps says, and which of them it has."""
    said = (
        "Sets share nodes by chance as well: a ratio near 1, the number that independent sets of "
        "these sizes would share, is no sign of a common code. Where nodes of a place go together, "
        "chance is more, and scatters more widely, than of sets drawn node by node, which the "
        "hypergeometric p is for. "
    )
    judged = any(not np.isnan(o.p) for o in found)
    if judged:
        said += (
            "Chance and p are of sets of the same sizes that tell random halves of the H0 "
            f"{rows_word(part)} apart, which means nothing: of every split the nodes that differ "
            "most. One p of twenty is at most 0.05 by chance. "
        )
    if len(found) > LINES:
        which = "with the least p" if judged else "that come first"
        said += f"Below are the {LINES} of {len(found)} {which}. "
    return f"{said}`overlaps.csv` has every one."


def overlap_cells(place, o) -> list:
    return [
        place, listed(o.names), o.observed,
        "-" if np.isnan(o.same_direction) else f"{o.same_direction:.0%}",
        "-" if np.isnan(o.at_least) else f"{o.at_least:.0f}", f"{o.expected:.1f}", ratio(o),
        *null_of(o), o.exclusive,
    ]  # fmt: skip


def null_of(overlap) -> list[str]:
    values = (overlap.chance_mean, overlap.p, overlap.p_hypergeometric)
    return ["-" if np.isnan(value) else f"{value:.3g}" for value in values]


def ratio(overlap) -> str:
    return f"{overlap.observed / overlap.expected:.2f}" if overlap.expected else "-"
