"""What a study found, for a terminal."""

import numpy as np

from personascan.study.results import Part, Study
from personascan.study.stages.nodes import all_scans, scanned_part
from personascan.visible import visible


def mean_deviation(values, digits: int = 2) -> str:
    """'mean ± deviation' of the values that are numbers, or a dash."""
    mean, deviation = center(values)
    return "-" if np.isnan(mean) else f"{mean:.{digits}f} ± {deviation:.{digits}f}"


def center(values) -> tuple[float, float]:
    """Mean and deviation of the values that are numbers; NaN if none is."""
    numbers = np.asarray(values, float)
    numbers = numbers[~np.isnan(numbers)]
    return (float(numbers.mean()), float(numbers.std())) if numbers.size else (np.nan, np.nan)


def summary_table(study: Study) -> str:
    """What was found of each comparison, and a line for each scanned place, for a terminal."""
    if len(study.parts) == 1:
        return part_summary(study.part)
    return "\n\n".join(f"{visible(p.title)}\n\n{part_summary(p)}" for p in study.parts)


def part_summary(part: Part) -> str:
    blocks = []
    if part.calibrations:
        header = ("comparison", *(["wording (larger side)"] if part.texts else []),
                  "furthest place", "z",
                  "family-wise p", "places found", "confirmed")  # fmt: skip
        lines = [
            (
                visible(f.name),
                *([wording_of(part, f.name)] if part.texts else []),
                str(f.place), f"{f.z:.1f}",
                f"{f.p_family:.3f}", f"{f.passing} of {f.places}",
                f"{f.confirmed} of {len(f.judged)}",
            )
            for f in part.findings()
        ]  # fmt: skip
        blocks.append(aligned([header, *lines]))
    header = ("comparison", "place", part.terms.rows, "probe AUROC", "score", "precision", "recall",
              "AUROC", f"{part.terms.rows} returned", "node set")  # fmt: skip
    lines = [
        (
            visible(name), str(scan.place), scanned_part(scan), probe(part, name, scan.place),
            mean_deviation(scan.runs.score[0], 0), mean_deviation(scan.precision_R),
            mean_deviation(scan.recall_R), f"{scan.auroc:.2f}",
            f"{scan.runs.rows[0].sum(1).mean():.1f}", str(int(scan.set_TC[0].sum())),
        )
        for name, scan in all_scans(part)
    ]  # fmt: skip
    if lines:
        blocks.append(aligned([header, *lines]))
    if part.several_ways or not lines:
        blocks.append(aligned(best_alone(part)))
    return "\n\n".join(blocks)


def best_alone(part: Part) -> list[tuple[str, ...]]:
    """Where rows scanned alone are told apart best, and by what: lines of a table."""
    header = ("comparison", f"{part.terms.rows} scanned alone, tail", "best place", "AUROC", "95%")
    lines = [header]
    for name, found in part.alone.items():
        for detector, places in found.items():
            best = max(places, key=lambda place: np.nan_to_num(places[place].auroc))
            d = places[best]
            lines.append(
                (
                    visible(name), str(detector), str(best), f"{d.auroc:.3f}",
                    f"{d.auroc_low:.2f} to {d.auroc_high:.2f}",
                )
            )  # fmt: skip
    return lines


def wording_of(part: Part, name: str) -> str:
    """The accuracy of word counts, and of guessing always the larger side."""
    return f"{part.wording[name][0]:.2f} ({part.larger(name):.2f})"


def probe(part: Part, name: str, place) -> str:
    found = part.separation[name][place]
    auroc = found.mean["probe_auroc"]
    if found.constant:
        return "constant"
    return "-" if np.isnan(auroc) else f"{auroc:.3f}"


def aligned(lines) -> str:
    widths = [max(len(line[c]) for line in lines) for c in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
