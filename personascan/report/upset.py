"""UpSet plot of node sets (Lex et al. 2014): exclusive intersections as bars over a dot matrix."""

import numpy as np
from matplotlib.figure import Figure

from personascan.analysis.overlaps import exclusive_counts
from personascan.visible import visible

SHOWN = 20  # intersections; more cannot be read


def draw_upset(sets: dict[str, np.ndarray], title: str) -> Figure:
    """Bars count the nodes that belong to exactly the marked sets."""
    names = list(sets)
    counts = exclusive_counts(sets)
    shown = dict(list(counts.items())[:SHOWN])
    columns = max(len(shown), 6)
    size = (3.4 + 0.42 * columns, 3.2 + 0.34 * len(names))
    figure = Figure(figsize=size, layout="constrained")
    (empty, bars), (totals, matrix) = figure.subplots(
        2,
        2,
        height_ratios=(3, 0.36 * len(names) + 0.4),
        width_ratios=(1.6, 0.36 * columns),
    )
    empty.axis("off")
    place, row = np.arange(len(shown)), np.arange(len(names))[::-1]

    bars.bar(place, shown.values(), color="0.25", width=0.6)
    for x, count in zip(place, shown.values(), strict=True):
        bars.annotate(str(count), (x, count), ha="center", va="bottom", fontsize=8)
    bars.set_ylabel("nodes in exactly\nthese sets")
    bars.set_xticks([])
    bars.set_xlim(-0.6, max(len(shown), 1) - 0.4)
    bars.margins(y=0.12)
    if not shown:
        bars.text(0.5, 0.5, "every node set is empty", transform=bars.transAxes, ha="center")

    sizes = [int(np.sum(sets[name])) for name in names]
    totals.barh(row, sizes, color="#0072B2", height=0.55)
    for y, size in zip(row, sizes, strict=True):
        totals.annotate(f"{size} ", (size, y), ha="right", va="center", fontsize=8)
    totals.set_xlim(max([*sizes, 1]) * 1.35, 0)
    totals.set_xlabel("nodes in set")

    matrix.sharey(totals)
    for x, combination in enumerate(shown):
        inside = [row[names.index(name)] for name in combination]
        matrix.scatter([x] * len(names), row, color="0.88", s=42)
        matrix.plot([x] * len(inside), inside, color="0.25", marker="o", markersize=6.5)
    matrix.set_yticks(row, list(map(visible, names)))
    totals.tick_params(left=False, labelleft=False)  # the matrix beside it names the rows
    matrix.set_ylim(-0.6, len(names) - 0.4)
    matrix.set_xlim(bars.get_xlim())
    matrix.set_xticks([])
    matrix.set_xlabel(
        "combination of node sets" + (f" (largest {SHOWN})" if len(counts) > SHOWN else "")
    )
    for axis in (bars, totals, matrix):
        axis.spines[["top", "right"]].set_visible(False)
    totals.spines["left"].set_visible(False)
    figure.suptitle(title)
    return figure
