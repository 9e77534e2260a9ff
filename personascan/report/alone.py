"""Rows scanned alone, in words and a picture: by tail, beside what is simpler, transferred."""

import numpy as np
from matplotlib.figure import Figure

from personascan.analysis.findings import LEVEL
from personascan.places import lines_of
from personascan.report.palette import colour
from personascan.report.words import pictures, safe, table
from personascan.study.results import Part
from personascan.visible import visible

COLUMNS = 3  # panels side by side


def alone_section(part: Part, figures) -> str:
    """Every way of scanning rows alone, where it is best and at the ends, and the baselines."""
    if not figures["alone"]:
        return ""
    rows = []
    for name, found in part.alone.items():
        for detector, places in found.items():
            best = max(places, key=lambda place: np.nan_to_num(places[place].auroc))
            for what, place in (
                ("first", part.places[0]),
                ("best", best),
                ("last", part.places[-1]),
            ):
                rows.append(
                    [safe(name), f"scan, {detector}", f"{what}: {place}", *cells(places[place])]
                )
        for method, (place, d) in part.baselines[name].items():
            rows.append([safe(name), method, place, *cells(d)])
    called, plan = part.terms.rows, part.config.detection
    how = "the first H0 rows in their order" if not plan.draw else "drawn"
    return (
        f"## {called.capitalize()} scanned alone, in every way\n\n"
        f"AUROC of H1 against held-out H0 {called} with its 95% interval (0.5 is chance; the "
        f"background is {how}), by tail, beside what is simpler than a scan. A tail below 0.5 says "
        "that H1 deviates less than H0 does. `detection.csv` has every place.\n\n"
        + table(["", "method", "place", "AUROC", "95% interval", "found at 1% FPR"], rows)
        + "\n\n"
        + pictures(figures["alone"], f"AUROC of {called} scanned alone, by depth and tail")
    )


def cells(d) -> list[str]:
    return [f"{d.auroc:.3f}", f"{d.auroc_low:.2f} to {d.auroc_high:.2f}", f"{d.tpr:.2f}"]


def tails_section(part: Part) -> str:
    """What each tail finds, at its furthest place."""
    if not part.tails:
        return ""
    rows = []
    for name, calibration in part.calibrations.items():
        for tail, c in {part.config.scan.tail: calibration, **part.tails[name]}.items():
            rows.append(
                [
                    safe(name), tail, c.keys[c.best], f"{c.z[c.best]:.1f}",
                    f"{c.p_family[c.best]:.3f}",
                    f"{int((c.p_family <= LEVEL).sum())} of {len(c.keys)}",
                ]
            )  # fmt: skip
    return (
        "## Which tail\n\n"
        "Every place, scanned in each tail and set beside the same permutations of labels; "
        '"either" takes the higher score of right and left. The family-wise p pays for the search '
        "over places, not for that over tails. `tails.csv` has every place.\n\n"
        + table(["", "tail", "furthest place", "z", "family-wise p", "places found"], rows)
    )


def transfer_section(part: Part) -> str:
    """Probes of the other comparisons, at their best place and at that of the scans."""
    if not part.transfers:
        return ""
    rows = []
    for name, found in part.transfers.items():
        best = max(found, key=lambda place: np.nan_to_num(found[place].auroc))
        for what, place in (("best", best), ("furthest", part.furthest[name])):
            t, d = found[place], part.detections[name][place]
            rows.append(
                [
                    safe(name), f"{what}: {place}", f"{t.auroc:.3f}",
                    f"{t.low:.2f} to {t.high:.2f}", f"{d.auroc:.3f}",
                ]
            )  # fmt: skip
    return (
        "## A probe trained on the other comparisons\n\n"
        "Logistic regression, told the labels of all other comparisons and held to this one: a "
        "supervised yardstick that knows no label of it. The best place is chosen on what it is "
        "judged by. `transfer.csv` has every place.\n\n"
        + table(["", "place", "probe, AUROC", "95% interval", "scan alone, AUROC"], rows)
    )


def draw_alone(part: Part) -> Figure:
    """AUROC of rows scanned alone by place: a panel for each comparison, a line for each way."""
    names = list(part.alone)
    columns = min(COLUMNS, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(1 + 4.2 * columns, 1 + 3 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    spots = side_by_side(part.places)
    for axis, name in zip(axes.flat, names, strict=False):
        for c, (detector, places) in enumerate(part.alone[name].items()):
            for i, line in enumerate(spots):
                x, found = list(line.values()), [places[place] for place in line]
                label = None if i else str(detector)
                axis.plot(x, [d.auroc for d in found], ".-", color=colour(c), lw=1.2, label=label)
                if not c:  # those of more would hide one another
                    limits = [d.auroc_low for d in found], [d.auroc_high for d in found]
                    axis.fill_between(x, *limits, color=colour(c), alpha=0.15, lw=0)
        for c, (method, (_, d)) in enumerate(part.baselines[name].items()):
            axis.axhline(d.auroc, color=colour(-1 - c), ls="--", lw=1, label=visible(method))
        axis.axhline(0.5, color="0.6", lw=0.8)
        axis.set_title(visible(name), fontsize=10)
        axis.set_ylim(-0.02, 1.02)
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    for axis in axes[:, 0]:
        axis.set_ylabel("AUROC, H1 against held-out H0")
    for axis in axes.flat[max(0, len(names) - columns) : len(names)]:
        name_places(axis, spots)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    first = next(iter(part.alone[names[0]]))
    figure.suptitle(f"{part.terms.rows.capitalize()} scanned alone (band: 95% interval of {first})")
    return figure


def side_by_side(places) -> list[dict]:
    """{place: where it stands} of each line of layers, with a gap between lines."""
    lines = lines_of(places).values()
    starts = np.cumsum([0, *(len(line) + 1 for line in lines)])
    return [
        {place: int(start) + i for i, place in enumerate(line)}
        for start, line in zip(starts, lines, strict=False)
    ]


def name_places(axis, spots: list[dict]) -> None:
    """Layers with names by these; else each line by its ends and what it is."""
    axis.tick_params(labelbottom=True)
    if all(place.line for line in spots for place in line):
        named = [(x, visible(place.site)) for line in spots for place, x in line.items()]
        axis.set_xticks(*zip(*named, strict=True), rotation=60, ha="right", fontsize=8)
        axis.set_xlabel("layer")
        return
    ticks = {}
    for line in spots:
        first, last = next(iter(line)), next(reversed(line))
        ticks[line[first]], ticks[line[last]] = str(first.layer), str(last.layer)
        middle = (line[first] + line[last]) / 2
        what = f"\n{visible(first.site)}\n{visible(first.position)}"
        ticks[middle] = what if middle not in ticks else ticks[middle] + what
    axis.set_xticks(list(ticks), list(ticks.values()), fontsize=8)
    axis.set_xlabel("layer, of each site and position")
