"""Sections of the page on what held-out rows say: detection, validation, and late layers."""

import numpy as np

from personascan.analysis.detection import LOW_FPR
from personascan.places import lines_of
from personascan.report.section import Section, Shown, Table
from personascan.report.words import capital, joined, line_name, rows_word, safe
from personascan.study.results import Part

METHODS = (
    ("found nodes", "found nodes"),
    ("random nodes", "as many at random"),
    ("top mean difference", "as many of the largest difference"),
    ("mean-difference direction", "mean-difference direction"),
    ("all nodes", "all nodes"),
    ("local outlier factor", "local outlier factor"),
    ("isolation forest", "isolation forest"),
    ("shuffled labels", "shuffled labels"),
    ("length", "statement length"),
    ("bag of words", "word counts"),
)


def judged_section(part: Part) -> Section:
    """Node sets found on one half and judged on the other, and rows scanned alone."""
    blocks = detection_blocks(part)
    if any(part.validations.values()):
        blocks += validation_blocks(part)
    return Section(f"What held-out {rows_word(part)} say", *blocks)


def detection_blocks(part: Part) -> list:
    """Each comparison at its furthest place, and where single statements are told apart best."""
    rows = []
    for name, found in part.detections.items():
        best = max(found, key=lambda place: np.nan_to_num(found[place].auroc))
        for kind, place in (("best", best), ("furthest", part.furthest[name])):
            d = found[place]
            rows.append(
                [
                    safe(name), kind, place, f"{d.auroc:.2f} ± {d.auroc_deviation:.2f}",
                    f"{d.tpr:.2f} ± {d.tpr_deviation:.2f}",
                ]
            )  # fmt: skip
    options, called = part.config.detection, rows_word(part)
    times = f"{options.splits} times" if options.splits > 1 else "once"
    return [
        f"{capital(called)} scanned alone, against {options.background:.0%} of the H0 {called}, "
        f"{times}: how well their scores tell H1 from the other H0 {called} (AUROC, "
        "0.5 is chance, and the share of H1 found at 1% false positives; mean ± deviation). The "
        "best place is chosen on what it is judged by, which flatters it."
        f"{of_few(part)} `places.csv` has every place.",
        Table(["", "place", "", "AUROC", "found at 1%"], rows),
    ]


def of_few(part: Part) -> str:
    """What a rate of 1% means of so few H0 rows; "" where they are enough."""
    h0 = sorted({d.h0 for found in part.detections.values() for d in found.values()})
    if h0[0] * LOW_FPR >= 1:
        return ""
    held = f"{h0[0]}" if len(h0) == 1 else f"{h0[0]} to {h0[-1]}"
    called = rows_word(part)
    return (
        f" A split holds {held} H0 {called}, and {LOW_FPR:.0%} of fewer than {1 / LOW_FPR:.0f} is "
        "none: the threshold lies above all of them, and of further ones such a threshold flags "
        f"{1 / (h0[0] + 1):.1%} on average where it was set on {h0[0]}."
    )


def validation_blocks(part: Part) -> list:
    """AUROC of each method on the other half, mean over both halves, and the claim."""
    names = [name for name, found in part.validations.items() if found]
    methods = METHODS if part.texts else METHODS[:-2]
    rows = []
    for name in names:
        cells = [mean_of(part, name, method, "auroc") for method, _ in methods]
        clusters = (mean_of(part, name, "k-means", m) for m in ("precision", "recall"))
        rows.append(
            [
                safe(name),
                " and ".join(
                    str(int(v.methods["found nodes"]["nodes"])) for v in part.validations[name]
                ),
                *("-" if np.isnan(c) else f"{c:.2f}" for c in cells),
                " / ".join("-" if np.isnan(c) else f"{c:.2f}" for c in clusters),
            ]
        )
    claims = [
        [
            safe(name),
            *(
                interval(v.methods[f"found nodes - {other}"])
                for other in ("all nodes", "random nodes")
                for v in found
            ),
        ]
        for name, found in part.validations.items()
        if found
    ]
    options = part.config.validation
    sets = options.random_sets
    what = "A node set"
    if options.share:
        what = f"The {options.share:.0%} of the nodes that differ most,"
    return [
        f"{what} found on one half of the {rows_word(part)}, at the place which that half chose, "
        "judged on the other half: held-out AUROC of a logistic probe on these nodes, beside "
        f"{sets} random sets of their size, the nodes of the largest mean difference, one "
        "direction, all nodes, detectors that are told no labels, and controls; means over the two "
        "halves. `validation.csv` has more.",
        Shown("validation"),
        Table(
            [
                "",
                "nodes found by each half",
                *(label for _, label in methods),
                "k-means, precision / recall",
            ],
            rows,
        ),
        "Held-out AUROC of the found nodes less that of all nodes, and less the mean of the "
        "random sets, each with a 95% interval over the judging rows: where it lies below zero, "
        "the found nodes are worse, where above, better.",
        Table(
            [
                "",
                "less all nodes: found on half A",
                "on half B",
                "less random sets: found on half A",
                "on half B",
            ],
            claims,
        ),
    ]


def interval(claim: dict[str, float]) -> str:
    """A difference with its interval."""
    if np.isnan(claim["difference"]):
        return "-"
    return f"{claim['difference']:+.3f} ({claim['low']:+.3f} to {claim['high']:+.3f})"


def apart_section(part: Part) -> Section | None:
    """How well the personas of each topic are told from one another, where it is best."""
    if not part.apart:
        return None
    rows = []
    for topic, found in part.apart.items():
        best = max(found, key=lambda place: found[place].accuracy)
        a = found[best]
        rows.append(
            [
                safe(topic), len(found), best, f"{a.accuracy:.2f}", f"{a.precision:.2f}",
                f"{a.f1:.2f}", f"{a.chance:.2f}",
            ]
        )  # fmt: skip
    return Section(
        "Telling the personas of a topic from one another",
        "Positive statements alone: extremely randomised trees are trained on nine tenths of them "
        "and name the persona of the others. The best place of each topic, chosen on what it is "
        "judged by; wording tells personas apart as well. `personas.csv` has every place.",
        Table(
            ["topic", "places", "best place", "accuracy", "precision", "F1", "always the largest"],
            rows,
        ),
    )


def mean_of(part: Part, name: str, method: str, metric: str) -> float:
    values = [v.methods.get(method, {}).get(metric, np.nan) for v in part.validations[name]]
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan


def late_section(part: Part) -> Section | None:
    """Whether signal lies in the last third of the layers, and which position shows most."""
    lines = lines_of(part.places)
    rows, late, counted = [], [], 0
    for name, profiles in part.profiles.items():
        for (site, position), p in profiles.items():
            if len(lines[site, position]) < 3 or np.isnan(p.share):
                continue
            counted += 1
            late += [f"{safe(name)} at {safe(line_name(site, position))}"] * p.late
            rows.append(
                [
                    safe(name), safe(line_name(site, position)), f"{p.share:.2f}",
                    f"{p.low:.2f} to {p.high:.2f}", f"{p.even:.2f}",
                ]
            )  # fmt: skip
    if not rows:
        return None
    said = f"In {len(late)} of {counted} lines it lies above that of an even spread"
    said += f": {joined(late)}." if late else "."
    return Section(
        "How late in the layers",
        f"The share of the signal (2 AUROC - 1 of {rows_word(part)} scanned alone) that lies in "
        f"the last third of the depth, with a 95% bootstrap interval over {rows_word(part)}. The "
        f"published claim is that separation is largest there. {said} `profiles.csv` has more.",
        Table(["", "site, position", "in the last third", "95% interval", "even spread"], rows),
    )
