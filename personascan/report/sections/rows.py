"""Sections of the page on single rows: scored by places chosen without them, or scanned alone."""

from collections import Counter

import numpy as np

from personascan.analysis.judged import FOUND, RANDOM, TOP
from personascan.analysis.rates import LOW_FPR
from personascan.report.words import (
    QUOTED,
    Section,
    Shown,
    Table,
    below_chance,
    between,
    capitalise,
    interval,
    number,
    rows_word,
    safe,
    shorten,
)
from personascan.study.results import Part, best_place

ENDS = 2  # rows of each end that are quoted
METHODS = {  # as validation names them, and as the table's header does
    FOUND: "found nodes",
    RANDOM: "as many at random",
    TOP: "as many of the largest difference",
    "mean-difference direction": "mean-difference direction",
    "all nodes": "all nodes",
    "local outlier factor": "local outlier factor",
    "isolation forest": "isolation forest",
    "shuffled labels": "shuffled labels",
    "length": "statement length",
    "bag of words": "word counts",
}
OF_TEXTS = ("length", "bag of words")


def held_out_section(part: Part) -> Section | None:
    """Returns how well rows are told by places chosen without them, and the rows furthest out."""
    if not part.held_out:
        return None
    called = rows_word(part)
    rows, ends = [], []
    aurocs = [one.auroc for one in part.held_out.values()]
    for name, one in part.held_out.items():
        places = Counter(one.places).most_common()
        chosen = "; ".join(f"{safe(place)} ({count})" for place, count in places[:3])
        rows.append(
            [
                safe(name), f"{one.auroc:.3f} ({between(one.low, one.high)})",
                number(one.precision), f"{one.recall:.2f}",
                chosen + ("; ..." if len(places) > 3 else ""),
            ]
        )  # fmt: skip
        ends += end_rows(part, name, one) if part.texts else []
    return Section(
        f"Which {called} are told, unseen",
        f"Each of the {called} is told by a place and a direction chosen without its fold: "
        "the direction along which a ridge regression tells the labels of the other folds. Above "
        "their mean it is told as H1. Precision: the share of H1 among those told as H1; recall: "
        "the share of H1 that is told as H1. The last column says which places the folds chose. "
        f"`held_out.csv` has every one.{below_chance(aurocs, called)}",
        Table(["", "AUROC (95%)", "precision", "recall", "place (folds)"], rows),
        Table(["", "told as", "is", QUOTED], ends),
    )


def end_rows(part: Part, name: str, one) -> list[list]:
    """Returns the rows furthest out on either side."""
    order = np.argsort(one.score_N, kind="stable")
    return [
        [
            safe(name), "H1" if one.score_N[i] > 0 else "H0",
            "H1" if part.positive[name][i] else "H0", safe(shorten(part.row_texts[name][i])),
        ]
        for i in (*order[::-1][:ENDS], *order[:ENDS])
    ]  # fmt: skip


def judged_section(part: Part) -> Section:
    """Returns the section on rows scanned alone, and on node sets that the other half judges."""
    blocks = detection_blocks(part)
    if any(part.validations.values()):
        blocks += validation_blocks(part)
    return Section(f"What held-out {rows_word(part)} say", *blocks)


def detection_blocks(part: Part) -> list:
    """Returns the detection of each comparison, at its best and its furthest place."""
    rows = [
        [
            safe(name), kind, place, f"{d.auroc:.2f} ± {d.auroc_deviation:.2f}",
            f"{d.tpr:.2f} ± {d.tpr_deviation:.2f}",
        ]
        for name, own in part.detections.items()
        for kind, place in (("best", best_place(own)), ("furthest", part.furthest[name]))
        for d in (own[place],)
    ]  # fmt: skip
    options, called = part.config.detection, rows_word(part)
    times = f"{options.splits} times" if options.splits > 1 else "once"
    return [
        f"{capitalise(called)} scanned alone, against {options.background:.0%} of the H0 {called}, "
        f"{times}: how well their scores tell H1 from the other H0 {called} (AUROC, "
        "0.5 is chance, and the share of H1 found where at most 1% of that H0 is taken for H1; "
        "mean ± deviation). The best place is chosen on what it is judged by, which flatters it."
        f"{few_rows_text(part)} A scan is told no label, so that below 0.5 means that H0 diverges "
        "more from the background than H1 does. `places.csv` has every place.",
        Table(["", "place", "", "AUROC", "H1 found at 1% false"], rows),
    ]


def few_rows_text(part: Part) -> str:
    """Returns what a rate of 1% means with few H0 rows; "" where they are enough."""
    h0 = sorted({d.h0 for own in part.detections.values() for d in own.values()})
    if h0[0] * LOW_FPR >= 1:
        return ""
    few = f"{h0[0]}" if len(h0) == 1 else f"{h0[0]} to {h0[-1]}"
    called = rows_word(part)
    return (
        f" A split holds {few} H0 {called}, and {LOW_FPR:.0%} of fewer than {1 / LOW_FPR:.0f} is "
        "none: the threshold lies above all of them, and of further ones such a threshold flags "
        f"{1 / (h0[0] + 1):.1%} on average where it was set on {h0[0]}."
    )


def validation_blocks(part: Part) -> list:
    """Returns the AUROC of each method on the other half, mean over both halves, and the claim."""
    methods = [method for method in METHODS if part.texts or method not in OF_TEXTS]
    rows, claims = [], []
    for name, halves in part.validations.items():
        if not halves:
            continue
        clusters = (mean_of(halves, "k-means", metric) for metric in ("precision", "recall"))
        rows.append(
            [
                safe(name), " and ".join(str(int(v.methods[FOUND]["nodes"])) for v in halves),
                *(number(mean_of(halves, method, "auroc")) for method in methods),
                " / ".join(map(number, clusters)),
            ]
        )  # fmt: skip
        differences = (
            v.methods[f"{FOUND} - {other}"] for other in ("all nodes", RANDOM) for v in halves
        )
        claims.append(
            [safe(name), *(interval(d["difference"], d["low"], d["high"], "+.3f")
                           for d in differences)]
        )  # fmt: skip
    options = part.config.validation
    aurocs = [
        mean_of(halves, method, "auroc") for halves in part.validations.values()
        for method in methods
    ]  # fmt: skip
    what = "A node set"
    if options.share:
        what = f"The {options.share:.0%} of the nodes that differ most,"
    header = ["", "nodes found by each half", *(METHODS[method] for method in methods),
              "k-means, precision / recall"]  # fmt: skip
    return [
        f"{what} found on one half of the {rows_word(part)}, at the place which that half chose, "
        "judged on the other half: held-out AUROC of a logistic probe on these nodes, beside "
        f"{options.random_sets} random sets of their size, the nodes of the largest mean "
        "difference, one direction (the mean of H1 less that of H0), all nodes, detectors that are "
        "told no labels (local outlier factor, isolation forest, and k-means: of its two clusters "
        "the one with more of H1), and controls (all nodes with shuffled labels; length and "
        "word counts alone); means over the two halves. `validation.csv` has more."
        f"{below_chance(aurocs, rows_word(part))}",
        Shown("validation"),
        Table(header, rows),
        "Held-out AUROC of the found nodes less that of all nodes, and less the mean of the "
        "random sets, each with a 95% interval over the judging rows: where it lies below zero, "
        "the found nodes are worse, where above, better.",
        Table(
            ["", "less all nodes: found on half A", "on half B",
             "less random sets: found on half A", "on half B"],
            claims,
        ),
    ]  # fmt: skip


def mean_of(halves: list, method: str, metric: str) -> float:
    """Returns the mean over the halves that have a number."""
    values = [v.methods.get(method, {}).get(metric, np.nan) for v in halves]
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan


def alone_section(part: Part) -> Section | None:
    """Returns every detector at its best place and at the first and last, and the baselines."""
    if not part.compares_detectors:
        return None
    rows = []
    for name, detections in part.all_detections.items():
        for detector, places in detections.items():
            ends = {"first": part.places[0], "best": best_place(places), "last": part.places[-1]}
            rows += [
                [safe(name), f"scan, {detector}", f"{what}: {safe(place)}", *cells(places[place])]
                for what, place in ends.items()
            ]
        for method, (place, d) in part.baselines[name].items():
            rows.append([safe(name), method, place, *cells(d)])
    called, options = rows_word(part), part.config.detection
    how = "the first H0 rows in their order" if not options.draw else "drawn"
    return Section(
        f"{capitalise(called)} scanned alone, in every way",
        f"AUROC of H1 against held-out H0 {called} with its 95% interval (0.5 is chance; the "
        f"background is {how}), by tail, beside what is simpler than a scan. Which way counts as "
        "H1 is fixed beforehand: a tail below 0.5 says that H1 deviates less than H0 does, and a "
        "simpler score below 0.5 that it is lower in H1, where more was expected."
        f"{few_rows_text(part)} Found at 1% false: the share of H1 found where at most 1% of that "
        "H0 is taken for H1. `detection.csv` has every place.",
        Shown("ways"),
        Table(["", "method", "place", "AUROC", "95% interval", "H1 found at 1% false"], rows),
    )


def cells(d) -> list[str]:
    return [f"{d.auroc:.3f}", between(d.auroc_low, d.auroc_high), f"{d.tpr:.2f}"]
