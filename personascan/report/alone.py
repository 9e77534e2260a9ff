"""Rows scanned alone, in words and a picture: by tail, beside what is simpler, transferred."""

import numpy as np

from personascan.analysis.findings import SIGNIFICANCE
from personascan.report.judged import of_few
from personascan.report.section import Section, Shown, Table
from personascan.report.words import capital, rows_word, safe
from personascan.study.results import Part


def alone_section(part: Part) -> Section | None:
    """Every way of scanning rows alone, where it is best and at the ends, and the baselines."""
    if not part.several_ways:
        return None
    rows = []
    for name, found in part.alone.items():
        for detector, places in found.items():
            best = max(places, key=lambda place: np.nan_to_num(places[place].auroc))
            for what, place in (
                ("first", part.places[0]),
                ("best", best),
                ("last", part.places[-1]),
            ):
                at = f"{what}: {safe(place)}"
                rows.append([safe(name), f"scan, {detector}", at, *cells(places[place])])
        for method, (place, d) in part.baselines[name].items():
            rows.append([safe(name), method, place, *cells(d)])
    called, options = rows_word(part), part.config.detection
    how = "the first H0 rows in their order" if not options.draw else "drawn"
    return Section(
        f"{capital(called)} scanned alone, in every way",
        f"AUROC of H1 against held-out H0 {called} with its 95% interval (0.5 is chance; the "
        f"background is {how}), by tail, beside what is simpler than a scan. A tail below 0.5 says "
        f"that H1 deviates less than H0 does.{of_few(part)} `detection.csv` has every place.",
        Shown("ways"),
        Table(["", "method", "place", "AUROC", "95% interval", "found at 1% FPR"], rows),
    )


def cells(d) -> list[str]:
    return [f"{d.auroc:.3f}", f"{d.auroc_low:.2f} to {d.auroc_high:.2f}", f"{d.tpr:.2f}"]


def tails_section(part: Part) -> Section | None:
    """What each tail finds, at its furthest place."""
    if not part.tails:
        return None
    rows = []
    for name, tails in part.tails.items():
        for tail, c in tails.items():
            rows.append(
                [
                    safe(name), tail, c.keys[c.best], f"{c.z[c.best]:.1f}",
                    f"{c.p_family[c.best]:.3f}",
                    f"{int((c.p_family <= SIGNIFICANCE).sum())} of {len(c.keys)}",
                ]
            )  # fmt: skip
    return Section(
        "By the scan's own score",
        "The published search, which is not told which rows are of H1: the mean score of "
        f"{part.config.scan.statistic_runs} scans of every place in each tail, beside "
        f"{part.config.scan.permutations} permutations of the labels; "
        '"either" takes the higher score of right and left. The family-wise p pays for the search '
        "over places, not for that over tails. `tails.csv` has every place.",
        Table(["", "tail", "furthest place", "z", "family-wise p", "places found"], rows),
    )


def transfer_section(part: Part) -> Section | None:
    """Probes of the other comparisons, at their best place and at that of the scans."""
    if not part.transfers:
        return None
    rows = []
    for name, found in part.transfers.items():
        best = max(found, key=lambda place: np.nan_to_num(found[place].auroc))
        for what, place in (("best", best), ("furthest", part.furthest[name])):
            t, d = found[place], part.detections[name][place]
            rows.append(
                [
                    safe(name), f"{what}: {safe(place)}", f"{t.auroc:.3f}",
                    f"{t.low:.2f} to {t.high:.2f}", f"{d.auroc:.3f}",
                ]
            )  # fmt: skip
    return Section(
        "A probe trained on the other comparisons",
        "Logistic regression, told the labels of all other comparisons and held to this one: a "
        "supervised yardstick that knows no label of it. Rows that both have are dealt out between "
        "training and judging. The best place is chosen on what it is judged by, which flatters "
        "it. `transfer.csv` has every place.",
        Table(["", "place", "probe, AUROC", "95% interval", "scan alone, AUROC"], rows),
    )
