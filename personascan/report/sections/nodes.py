"""Sections of the page on chosen and named places: their runs, their node sets, kinds of rows."""

import numpy as np

from personascan.report.words import (
    QUOTED,
    Section,
    Shown,
    Table,
    center,
    mean_deviation,
    name_and_place,
    name_list,
    number,
    p_words,
    rows_word,
    safe,
    set_sizes,
    shorten,
    word_list,
)
from personascan.study.results import Part
from personascan.study.stages.nodes import all_scans, scanned_rows

LINES = 30  # of a table of overlaps; the file has them all
ENDS = 2  # rows of each end that are quoted


def nodes_section(part: Part) -> Section | None:
    """Returns the sizes of the node sets, and the overlaps of those at one place."""
    config, tested = part.config, bool(part.calibrations)
    header = ["", "place", rows_word(part), "nodes", "in the set: high", "low"]
    header += ["family-wise p <= 0.05", "at least differ (95%)"] if tested else []
    rows = []
    for name, s in all_scans(part):
        sizes = set_sizes(s) if config.scan.tail == "signed" else (int(s.set_TC[0].sum()), "")
        line = [safe(name), s.place, scanned_rows(s), s.q_C.size // s.halves, *sizes]
        line += [int((s.p_C <= 0.05).sum()), s.tested.at_least()] if tested else []
        rows.append(line)
    if not rows:
        return None
    text = (
        f"Every node of these places was tested with the labels known: the node set of a "
        f"comparison holds those with q <= {config.node_q:g} (the share of false ones expected "
        "among those that differ as much, under the permutations), in the direction of their "
        "effect: high in H1, or low. B (A chose): half A chose the place, and the "
        f"{rows_word(part)} of half B were tested there, so that choice and test are of different "
        "ones; `findings.csv` counts these sets. Where nodes are edited, or judged by a probe, the "
        "half that chose the place finds them on its own: such a set may be empty where this "
        "one is not, and the other way round. The family-wise p is over all nodes of the place "
        "(step-down maximum). At least so many nodes differ, whichever: a bound that holds with "
        "95% for every set at once. Of a "
        "weak comparison the bound and the directions come again in other rows, the list of nodes "
        "does not. So one place has several numbers of nodes: those of either half's set (found on "
        "half as many rows, so fewer), of the set of all rows, those that pass family-wise, and "
        "the bound, of nodes that differ whether or not they can be named. The frequency is the "
        "share of a scan's runs that returned a node, in `nodes.csv`, which has every one."
        if tested
        else f"The selection frequency of a node is the share of runs that returned it; the node "
        f"set of a comparison holds those with frequency >= {config.threshold:g}. `nodes.csv` has "
        "every one."
    )
    return Section("Which nodes", text, Table(header, rows), *overlap_blocks(part))


def overlap_blocks(part: Part) -> list:
    """Returns the overlaps of node sets; of many, those that chance explains least."""
    overlaps = [(place, o) for place, own in part.overlaps.items() for o in own]
    if not overlaps:
        return []
    header = ["place", "node sets of", "shared nodes", "in the same direction",
              "at least differ in both", "if independent", "ratio", "by chance", "p",
              "hypergeometric p (exchangeable nodes)", "in no other set"]  # fmt: skip
    text = overlaps_text(part, [o for _, o in overlaps])
    if len(overlaps) > LINES:
        overlaps = sorted(overlaps, key=lambda one: np.nan_to_num(one[1].p, nan=2.0))[:LINES]
    rows = [
        [
            place, name_list(o.names), o.observed, number(o.same_direction, ".0%"),
            number(o.at_least, ".0f"), f"{o.expected:.1f}",
            f"{o.observed / o.expected:.2f}" if o.expected else "-",
            number(o.chance_mean, ".3g"), *map(p_words, (o.p, o.p_hypergeometric)),
            o.exclusive,
        ]
        for place, o in overlaps
    ]  # fmt: skip
    return [text, Shown("expected"), Shown("upset"), Shown("venn"), Table(header, rows)]


def overlaps_text(part: Part, overlaps: list) -> str:
    """Returns the sentences on the table of overlaps."""
    said = (
        "Sets share nodes by chance as well: a ratio near 1, the number that independent sets of "
        "these sizes would share, is no sign of a common code. Where nodes of a place go together, "
        "chance is more, and scatters more widely, than of sets drawn node by node, which the "
        "hypergeometric p is for. "
    )
    judged = any(not np.isnan(o.p) for o in overlaps)
    if judged:
        said += (
            "Chance and p are of sets of the same sizes that tell random halves of the H0 "
            f"{rows_word(part)} apart, which means nothing: of every split the nodes that differ "
            "most. One p of twenty is at most 0.05 by chance. "
        )
    if len(overlaps) > LINES:
        which = "with the least p" if judged else "that come first"
        said += f"Below are the {LINES} of {len(overlaps)} {which}. "
    return f"{said}`overlaps.csv` has every one."


def kinds_section(part: Part) -> Section | None:
    """Returns the section on how rows of H1 differ from one another on found nodes."""
    orders = [
        (name, one)
        for name, ones in part.kinds.items()
        for one in ones
        if not np.isnan(one.kinds.share)
    ]
    if not orders:
        return None
    called = rows_word(part)
    rows = [
        [safe(name), one.place, one.portion, one.nodes, f"{one.kinds.share:.0%}",
         number(one.kinds.agreement)]
        for name, one in orders
    ]  # fmt: skip
    ends = []
    if part.texts:
        ends = [line for name, one in first_of_each(orders) for line in kind_ends(part, name, one)]
    return Section(
        f"Kinds among the {called} of H1",
        f"The {called} of H1 may be of several kinds. Their first principal component, on the "
        "nodes that were found, orders them: of a half's nodes the other half's, of all those "
        "of all. Share of variance: of these nodes, that the component holds. Agreement: "
        "the correlation of that order with the one that the component of other "
        f"{called} gives (near 0: noise; what orders them, length for example, it does not say). "
        "`kinds.csv` has every one.",
        Table(["", "place", "nodes of", "nodes", "share of variance", "agreement"], rows),
        Table(["", "end", QUOTED], ends),
    )


def first_of_each(orders: list) -> list:
    """Returns one order of each comparison: the one that other rows confirm most."""
    best = {}
    for name, one in sorted(orders, key=lambda pair: -np.nan_to_num(pair[1].kinds.agreement)):
        best.setdefault(name, one)
    return [(name, best[name]) for name in dict.fromkeys(name for name, _ in orders)]


def kind_ends(part: Part, name: str, one) -> list[list]:
    """Returns the rows furthest out on either side of an order."""
    order = one.rows[np.argsort(one.kinds.score_N, kind="stable")]
    ends = {"high": order[::-1][:ENDS], "low": order[:ENDS]}
    return [
        [safe(name), end, safe(shorten(part.row_texts[name][i]))]
        for end, rows in ends.items()
        for i in rows
    ]


def runs_section(part: Part) -> Section | None:
    """Returns which rows the runs of chosen and named places returned."""
    called, options, scan = rows_word(part), part.config.runs, part.config.scan
    scans = list(all_scans(part))
    if not scans:
        return None
    rows = [
        [
            safe(name), s.place, scanned_rows(s), mean_deviation(s.runs.score, 1),
            f"{np.nanmedian(s.runs.alpha):.3f}" if s.runs.score.any() else "-",
            mean_deviation(s.precision_R), f"{s.chance:.2f}", mean_deviation(s.recall_R),
            f"{s.auroc:.2f}", mean_deviation(s.runs.rows[0].sum(1), 1),
            mean_deviation(s.runs.nodes[0].sum(1), 1),
        ]
        for name, s in scans
    ]  # fmt: skip
    means = [(center(s.precision_R)[0], name_and_place(name, s.place)) for name, s in scans]
    means, extremes = [one for one in means if not np.isnan(one[0])], ""
    if means:
        (low, at_low), (high, at_high) = min(means), max(means)
        extremes = f" Mean precision runs from {low:.2f} ({at_low}) to {high:.2f} ({at_high})."
    silent = [name_and_place(name, s.place) for name, s in scans if not s.runs.score.any()]
    if silent:
        extremes += f" No run returned anything for {word_list(silent)}."
    halves = ""
    if any(s.choice for _, s in scans):
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
        f"{called} and nodes with the highest {scan.score} score. Unusual are "
        f"{UNUSUAL.get(scan.tail, f'those of the {scan.tail} tail')}, at p-values up to an alpha "
        f"that the scan chooses ({alphas_searched(scan)}); it begins anew "
        f"{starts_searched(scan)}.{halves} Returning every one would give "
        f"{precision_of_all(part)} and recall 1. AUROC: how well the share of "
        f"runs that return one tells H1 from H0. Precision: the share of H1 among the {called} "
        "that a run returns (of all: of those that it could return); recall: the share of H1 that "
        "it returns; alpha: the threshold of p-values below which it found the most more than "
        f"expected.{extremes} "
        f"Mean ± deviation over runs; `runs.csv` has every run, with the ids of its {called}.",
        Table(header, rows),
    )


def precision_of_all(part: Part) -> str:
    """Returns the precision of returning every row; runs of different samples have their own."""
    chances = sorted({f"{s.chance:.2f}" for scans in part.scans.values() for s in scans})
    if len(chances) == 1:
        return f"precision {chances[0]}"
    return f"precision {word_list(chances)}, by the samples of the line (of all)"


UNUSUAL = {  # what a scan looks for, by its tail
    "signed": "values that are high or low, each way by itself",
    "two": "values that are far out, high or low",
    "right": "high values",
    "left": "low values",
    "either": "high values or, in a scan of their own, low ones",
}


def starts_searched(scan) -> str:
    """Returns how often a scan begins anew, each time with other rows."""
    if scan.starts == "auto":
        return "with other rows until that no longer pays"
    return f"{scan.starts} times with other rows"


def alphas_searched(scan) -> str:
    """Returns the alphas of a scan."""
    kinds = {"exact": "of all that occur", "grid": "50 equal steps", "log": "geometric steps"}
    if scan.alphas not in kinds:
        return ", ".join(map(safe, scan.alphas.split(",")))
    least = f" from {scan.alpha_min:g}" if scan.alpha_min else ""
    return f"{kinds[scan.alphas]}{least} up to {scan.alpha_max:g}"
