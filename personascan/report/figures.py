"""The pictures of a part, drawn without a display."""

import pathlib
import re

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from personascan.analysis.findings import LEVEL
from personascan.places import ONCE, lines_of
from personascan.report.alone import draw_alone
from personascan.report.intervened import dosed, draw_doses, draw_specificity
from personascan.report.palette import COLOURS, colour
from personascan.report.tables import center
from personascan.report.upset import draw_upset
from personascan.report.words import line_name
from personascan.visible import visible

DIRECTION_COLOURS = {True: "#D55E00", False: "#0072B2"}
METRIC_LABELS = {
    "probe_auroc": ("probe, held-out AUROC\n(0.5 = chance, 1 = apart)", "linear"),
    "silhouette": ("silhouette\n(higher = apart)", "linear"),
    "calinski_harabasz": ("Calinski-Harabasz index\n(higher = apart)", "log"),
    "davies_bouldin": ("Davies-Bouldin index\n(lower = apart)", "log"),
    "hull_distance": ("distance of hull centroids\n(units of activation)", "log"),
}


def draw_figures(part, folder: pathlib.Path) -> dict[str, list[str]]:
    """Draw every picture; returns the file names by kind, in the order of the report."""
    # Names are shown as they are: a $ in one is no formula.
    with matplotlib.rc_context({"text.parse_math": False}):
        drawn = all_figures(part)
        for figures in drawn.values():
            for name, figure in figures.items():
                # No metadata: the same study gives the same bytes.
                figure.savefig(folder / name, dpi=120, metadata={"Software": None})
    return {kind: list(figures) for kind, figures in drawn.items()}


def all_figures(part) -> dict[str, dict[str, Figure]]:
    """Figures by kind and file name."""
    of_runs = {"precision_recall": {}, "selection_frequency": {}}
    if any(part.scans.values()):
        of_runs = {
            "precision_recall": {"precision_recall.png": draw_precision_recall(part)},
            "selection_frequency": {"selection_frequency.png": draw_selection_frequency(part)},
        }
    return {
        "found": {"found.png": draw_profiles(part)} if part.calibrations else {},
        "separation": {"separation.png": draw_separation(part)},
        "pca": {"pca.png": draw_projections(part)},
        **of_runs,
        "alone": {"alone.png": draw_alone(part)} if part.several_ways else {},
        "doses": {"doses.png": draw_doses(part)} if dosed(part) else {},
        "specificity": {"specificity.png": draw_specificity(part)} if part.specificity else {},
        "upset": {
            f"upset_{file_name(place)}.png": draw_upset(
                {n: s.nodes_D for n, found in part.scans.items() for s in found
                 if s.place == place and s.plain},
                f"Node sets at {place}",
            )
            for place in part.overlaps
        },
    }  # fmt: skip


def file_name(place) -> str:
    return re.sub("[^a-z0-9]+", "_", str(place).lower())


def depth(part, place) -> int:
    """The layer on an axis; final_norm stands behind the last block."""
    blocks = [p.layer for p in part.places if p.site not in ONCE]
    return max(blocks, default=-1) + 1 if place.site in ONCE else place.layer


def name_layers(axis, part) -> None:
    """Layers by number, or by the names that they have."""
    axis.set_xlabel("layer")
    # A place that is a line of its own has no depth among layers.
    named = [place for place in part.places if place.line not in ("", place.site)]
    if named:
        axis.set_xticks([p.layer for p in named], [visible(p.site) for p in named],
                        rotation=60, ha="right", fontsize=8)  # fmt: skip


def draw_profiles(part) -> Figure:
    """Each comparison's studentised statistic by layer, a line for each site and position."""
    names = list(part.calibrations)
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(1 + 4.8 * columns, 0.9 + 2.7 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for axis, name in zip(axes.flat, names, strict=False):
        found = part.calibrations[name]
        at = {place: i for i, place in enumerate(found.keys)}
        for c, ((site, position), places) in enumerate(lines_of(found.keys).items()):
            x = [depth(part, p) for p in places]
            z = np.array([found.z[at[p]] for p in places])
            passes = np.array([found.p_family[at[p]] <= LEVEL for p in places])
            style = "-" if c < len(COLOURS) else ":"  # then colours come again
            axis.plot(x, z, style, color=colour(c), lw=1.2, label=line_name(site, position))
            axis.plot(
                np.array(x)[passes], z[passes], "o", color=colour(c), markersize=5, mec="white"
            )
        highest_T = np.sort(found.z_PT[:, 1:].max(0))
        axis.axhline(
            np.quantile(highest_T, 0.95, method="higher"), color="0.3", ls="--", lw=1,
            label="95% of the highest place under permuted labels",
        )  # fmt: skip
        axis.axhline(0, color="0.8", lw=0.8)
        count = int((found.p_family <= LEVEL).sum())
        axis.set_title(f"{visible(name)}: {count} of {len(found.p)} places", fontsize=10)
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    for axis in axes[:, 0]:
        axis.set_ylabel("mean score, in deviations\nof permuted labels")
    for axis in axes[-1]:
        name_layers(axis, part)
    axes.flat[0].plot([], [], "o", color="0.4", label="family-wise p <= 0.05")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    tells = apart(part) + (" apart" if is_directed(part) else "")
    figure.suptitle(
        f"Where the scan tells {tells}, against {found.null.shape[1]} permutations of labels"
    )
    return figure


def best_line(part) -> tuple[tuple, list]:
    """The site and position whose best layer has the highest probe AUROC on average."""

    def mean_auroc(place):
        values = [found[place].mean["probe_auroc"] for found in part.separation.values()]
        return np.nan_to_num(np.mean(values), nan=0.0)

    return max(lines_of(part.places).items(), key=lambda line: max(map(mean_auroc, line[1])))


def draw_separation(part) -> Figure:
    """Each separation metric by layer, at the site and position that separate best."""
    (site, position), places = best_line(part)
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    axes = figure.subplots(2, 3)
    layer = np.array([depth(part, place) for place in places])
    for axis, (metric, (label, scale)) in zip(axes.flat, METRIC_LABELS.items(), strict=False):
        for i, (name, found) in enumerate(part.separation.items()):
            mean = np.array([found[p].mean[metric] for p in places])
            deviation = np.array([found[p].deviation[metric] for p in places])
            axis.plot(layer, mean, color=colour(i), marker=".", markersize=4, label=visible(name))
            low = mean - deviation if scale == "linear" else np.maximum(mean - deviation, mean / 10)
            axis.fill_between(layer, low, mean + deviation, color=colour(i), alpha=0.2, lw=0)
        axis.set_yscale(scale)
        if scale == "log":
            # As plain numbers: the usual powers are formulas, which are not parsed here.
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter(NullFormatter())
        axis.set_ylabel(label)
        name_layers(axis, part)
        axis.grid(alpha=0.3)
    legend = axes.flat[5]
    legend.axis("off")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    title = "positive against negative" if is_directed(part) else "H1 against H0"
    legend.legend(handles, labels, loc="upper left", frameon=False, title=title)
    legend.text(
        0.02, 0.08, f"bands: deviation over\n{part.config.separation.seeds} seeds",
        transform=legend.transAxes, va="bottom",
    )  # fmt: skip
    figure.suptitle(f"How far apart {apart(part)} lie in {line_name(site, position)}")
    return figure


def is_directed(part) -> bool:
    """Whether the sides are the two directions of a persona."""
    return part.level == 2 and part.texts


def apart(part) -> str:
    """The two sides of a comparison, in words."""
    return "the two directions" if is_directed(part) else "H1 from H0"


def draw_projections(part) -> Figure:
    """Statements in two principal components: an early, a middle and the furthest place."""
    names = list(part.projections)
    figure = Figure(figsize=(10, 2.9 * len(names) + 0.5), layout="constrained")
    axes = figure.subplots(len(names), 3, squeeze=False)
    for row, name in zip(axes, names, strict=True):
        shown = zip(row, ("early", "middle", "furthest"), part.projections[name], strict=True)
        for axis, kind, p in shown:
            for side, label in ((True, "positive"), (False, "negative")):
                label = label if is_directed(part) else ("H1" if side else "H0")
                axis.scatter(
                    *p.points_N2[p.positive_N == side].T,
                    s=12, alpha=0.7, color=DIRECTION_COLOURS[side], label=label, lw=0,
                )  # fmt: skip
            axis.set_title(f"{visible(name)}: {p.place} ({kind})", fontsize=9)
            axis.set_xlabel(f"component 1 ({p.share_2[0]:.0%} of variance)")
            axis.set_ylabel(f"component 2 ({p.share_2[1]:.0%})")
    axes[0, 0].legend(fontsize=8)
    called = part.terms.rows.capitalize()
    figure.suptitle(f"{called} in the first two principal components (units of activation)")
    return figure


def scanned_panels(part) -> dict[str, dict[str, list]]:
    """{title: {comparison: scans}}: the places that halves chose, then each named place."""
    panels = {}
    for name, found in part.scans.items():
        for scan in found:
            title = f"{scan.place}, all {part.terms.rows}"
            if scan.mixture:
                continue
            if scan.choice:
                title = "place chosen on one half, judged on the other"
            panels.setdefault(title, {}).setdefault(name, []).append(scan)
    return panels


def draw_precision_recall(part) -> Figure:
    """Mean and deviation of precision and recall over runs."""
    panels = scanned_panels(part)
    figure = Figure(figsize=(1 + 5.2 * len(panels), 4.4), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    plan = part.config.runs
    chance = plan.positive / (plan.positive + plan.clean)
    for axis, (title, scans) in zip(axes, panels.items(), strict=True):
        place = np.arange(len(scans))
        for offset, label, field in (
            (-0.2, "precision", "precision_R"),
            (0.2, "recall", "recall_R"),
        ):
            values = [
                np.concatenate([getattr(s, field) for s in found]) for found in scans.values()
            ]
            axis.bar(
                place + offset, [center(v)[0] for v in values], 0.38,
                yerr=[center(v)[1] for v in values], capsize=3,
                color=COLOURS[0 if label == "precision" else 4], label=label,
            )  # fmt: skip
        axis.axhline(chance, color="0.3", ls="--", lw=1, label=f"precision by chance ({chance:g})")
        axis.set_xticks(place, list(map(visible, scans)), rotation=25, ha="right")
        axis.set_ylim(0, 1.05)
        axis.set_title(title, fontsize=10)
    axes[0].set_ylabel(f"mean over {plan.runs} runs (bars: deviation)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle("Statements returned by the scan, against the statements of H1")
    return figure


def draw_selection_frequency(part) -> Figure:
    """Columns ordered by the share of runs that returned them; the set as a thick line."""
    panels = scanned_panels(part)
    figure = Figure(figsize=(1 + 5.2 * len(panels), 4.2), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, (title, scans) in zip(axes, panels.items(), strict=True):
        for c, (name, found) in enumerate(scans.items()):
            for i, scan in enumerate(found):
                order = np.argsort(-scan.frequency_TC[0], kind="stable")
                ordered = scan.frequency_TC[0][order]
                sizes = " and ".join(str(int(s.set_TC[0].sum())) for s in found)
                label = f"{visible(name)} ({sizes} in set)" if i == 0 else None
                rank = np.arange(1, len(ordered) + 1)
                axis.plot(rank, ordered, color=colour(c), lw=0.8, label=label)
                inside = scan.set_TC[0][order]
                axis.plot(rank[inside], ordered[inside], color=colour(c), lw=2.6)
        axis.set_title(title, fontsize=10)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xlabel("nodes by direction, most often selected first")
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"selection frequency over {part.config.runs.runs} runs")
    figure.suptitle("How often each node is selected (thick: the node set)")
    return figure
