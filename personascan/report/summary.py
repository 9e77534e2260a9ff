"""The findings of a study as tables for a terminal."""

import textwrap

from personascan.report.verdicts import confirmed_p, confirmed_words
from personascan.report.words import between, mean_deviation, number, p_words
from personascan.study.results import Part, Study, best_place
from personascan.study.stages.nodes import all_scans, scanned_rows
from personascan.visible import visible


def summary_table(study: Study) -> str:
    """Returns the finding of each comparison, and a line for each scanned place."""
    if len(study.parts) == 1:
        return part_summary(study.part)
    return "\n\n".join(f"{visible(p.title)}\n\n{part_summary(p)}" for p in study.parts)


def part_summary(part: Part) -> str:
    """Returns the tables of a part."""
    tables = [findings_table(part)] if part.calibrations else []
    scans = scans_table(part)
    tables += [scans] if len(scans) > 1 else []
    if part.compares_detectors or len(scans) == 1:
        tables.append(alone_table(part))
    return "\n\n".join(f"{aligned(lines)}\n{about_columns(lines[0])}" for lines in tables)


# What columns of the tables are, where their names do not say it.
COLUMNS = {
    "wording (larger side)": "wording: accuracy of word counts (of guessing)",
    "z": "z: above shuffled labels, in their deviations",
    "family-wise p": "family-wise p: over all places",
    "places found": "found: with p <= 0.05",
    "other half": "other half: on the place that one half chose",
    "probe AUROC": "probe: is told the labels",
    "score": "score and so on: of scans, which are not",
    "precision": "precision: share of H1 in what they return",
    "recall": "recall: share of H1 returned",
    "node set": "node set: q <= 0.05",
    "95%": "AUROC: how well scores order H1 before H0, 0.5 by chance, with its 95% interval",
}


def about_columns(header: tuple[str, ...]) -> str:
    """Returns what the columns of a table are, in one or two lines below it."""
    said = "; ".join(COLUMNS[name] for name in header if name in COLUMNS)
    return textwrap.fill(f"({said})", 100)


def findings_table(part: Part) -> list[tuple[str, ...]]:
    """Returns where each comparison shows, and how sure that is."""
    header = ("comparison", *(["wording (larger side)"] if part.texts else []), "furthest place",
              "z", "family-wise p", "places found", "other half")  # fmt: skip
    lines = [
        (
            visible(f.name),
            *([wording(part, f.name)] if part.texts else []),
            str(f.place), f"{f.z:.1f}", p_words(f.p_family), f"{f.passing} of {f.places}",
            f"{confirmed_words(f)} ({confirmed_p(f)})" if f.judged else "not tested",
        )
        for f in part.findings()
    ]  # fmt: skip
    return [header, *lines]


def wording(part: Part, name: str) -> str:
    return f"{part.wording[name][0]:.2f} ({part.larger_share(name):.2f})"


def scans_table(part: Part) -> list[tuple[str, ...]]:
    """Returns the rows and nodes that the runs at each scanned place returned."""
    rows = part.terms.rows
    header = ("comparison", "place", rows, "probe AUROC", "score", "precision", "recall", "AUROC",
              f"{rows} returned", "node set")  # fmt: skip
    lines = [
        (
            visible(name), str(scan.place), scanned_rows(scan), probe(part, name, scan.place),
            mean_deviation(scan.runs.score[0], 0), mean_deviation(scan.precision_R),
            mean_deviation(scan.recall_R), f"{scan.auroc:.2f}",
            f"{scan.runs.rows[0].sum(1).mean():.1f}", str(int(scan.set_TC[0].sum())),
        )
        for name, scan in all_scans(part)
    ]  # fmt: skip
    return [header, *lines]


def alone_table(part: Part) -> list[tuple[str, ...]]:
    """Returns where rows scanned alone are told apart best, and by what."""
    header = ("comparison", f"{part.terms.rows} scanned alone, tail", "best place", "AUROC", "95%")
    lines = [header]
    for name, detections in part.all_detections.items():
        for detector, places in detections.items():
            best = best_place(places)
            d = places[best]
            lines.append((visible(name), str(detector), str(best), f"{d.auroc:.3f}",
                          between(d.auroc_low, d.auroc_high)))  # fmt: skip
    return lines


def probe(part: Part, name: str, place) -> str:
    separation = part.separation[name][place]
    return "constant" if separation.constant else number(separation.mean["probe_auroc"], ".3f")


def aligned(lines) -> str:
    """Returns lines of cells as text, column under column."""
    widths = [max(len(line[c]) for line in lines) for c in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
