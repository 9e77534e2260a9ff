"""The pictures of a study, drawn without a display."""

import pathlib
import re

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from personascan.report.tables import center
from personascan.report.upset import draw_upset
from personascan.visible import visible

# Okabe and Ito's palette, which survives colour blindness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
DIRECTION_COLOURS = {True: "#D55E00", False: "#0072B2"}
METRIC_LABELS = {
    "probe_auroc": ("probe, held-out AUROC\n(0.5 = chance, 1 = apart)", "linear"),
    "silhouette": ("silhouette\n(higher = apart)", "linear"),
    "calinski_harabasz": ("Calinski-Harabasz index\n(higher = apart)", "log"),
    "davies_bouldin": ("Davies-Bouldin index\n(lower = apart)", "log"),
    "hull_distance": ("distance of hull centroids\n(units of activation)", "log"),
}


def draw_figures(study, folder: pathlib.Path) -> dict[str, list[str]]:
    """Draw every picture; returns the file names by kind, in the order of the report."""
    # Names are shown as they are: a $ in one is no formula.
    with matplotlib.rc_context({"text.parse_math": False}):
        drawn = all_figures(study)
        for figures in drawn.values():
            for name, figure in figures.items():
                # No metadata: the same study gives the same bytes.
                figure.savefig(folder / name, dpi=120, metadata={"Software": None})
    return {kind: list(figures) for kind, figures in drawn.items()}


def all_figures(study) -> dict[str, dict[str, Figure]]:
    """Figures by kind and file name."""
    return {
        "separation": {"separation.png": draw_separation(study)},
        "pca": {"pca.png": draw_projections(study)},
        "score_profile": (
            {"score_profile.png": draw_score_profile(study)} if study.calibrations else {}
        ),
        "precision_recall": {"precision_recall.png": draw_precision_recall(study)},
        "selection_frequency": {"selection_frequency.png": draw_selection_frequency(study)},
        "upset": {
            f"upset_{re.sub('[^a-z0-9]+', '_', layer)}.png": draw_upset(
                {name: study.scans[name][i].node_set_D for name in study.scans},
                f"Node sets at {layer} (selection frequency >= {study.config.threshold:g})",
            )
            for i, layer in enumerate(study.scanned_layers())
        },
    }


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def draw_separation(study) -> Figure:
    """Each separation metric by layer."""
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    axes = figure.subplots(2, 3)
    layer = np.arange(len(study.layer_names))
    for axis, (metric, (label, scale)) in zip(axes.flat, METRIC_LABELS.items(), strict=False):
        for i, (name, found) in enumerate(study.separation.items()):
            mean = np.array([s.mean[metric] for s in found])
            deviation = np.array([s.deviation[metric] for s in found])
            axis.plot(layer, mean, color=colour(i), marker=".", markersize=4, label=visible(name))
            if scale == "linear":
                axis.fill_between(
                    layer, mean - deviation, mean + deviation, color=colour(i), alpha=0.2, lw=0
                )
            else:
                axis.fill_between(
                    layer, np.maximum(mean - deviation, mean / 10), mean + deviation,
                    color=colour(i), alpha=0.2, lw=0,
                )  # fmt: skip
        axis.set_yscale(scale)
        if scale == "log":
            # As plain numbers: the usual powers are formulas, which are not parsed here.
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter(NullFormatter())
        axis.set_ylabel(label)
        axis.set_xlabel("layer (resid_post, last: final_norm)")
        axis.axvline(study.layer_names.index(study.best_layer), color="0.6", ls="--", lw=1)
        axis.grid(alpha=0.3)
    legend = axes.flat[5]
    legend.axis("off")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    title = "positive against negative" if study.config.level == 2 else "H1 against H0"
    legend.legend(handles, labels, loc="upper left", frameon=False, title=title)
    legend.text(
        0.02, 0.08, f"dashed: {study.best_layer},\nhighest mean AUROC\nbands: deviation over "
        f"{study.config.separation.seeds} seeds",
        transform=legend.transAxes, va="bottom",
    )  # fmt: skip
    figure.suptitle(f"Which layers separate {apart(study.config.level)}")
    return figure


def apart(level: int) -> str:
    """The two sides of a comparison, in words."""
    return "the two directions" if level == 2 else "H1 from H0"


def draw_projections(study) -> Figure:
    """Statements in two principal components: an early, a middle and the best layer."""
    names = list(study.projections)
    figure = Figure(figsize=(10, 2.9 * len(names) + 0.5), layout="constrained")
    axes = figure.subplots(len(names), 3, squeeze=False)
    for row, name in zip(axes, names, strict=True):
        shown = zip(row, ("early", "middle", "best"), study.projections[name], strict=True)
        for axis, kind, p in shown:
            for side, label in ((True, "positive"), (False, "negative")):
                label = label if study.config.level == 2 else ("H1" if side else "H0")
                axis.scatter(
                    *p.points_N2[p.positive_N == side].T,
                    s=12, alpha=0.7, color=DIRECTION_COLOURS[side], label=label, lw=0,
                )  # fmt: skip
            axis.set_title(f"{visible(name)}: {p.layer} ({kind})", fontsize=10)
            axis.set_xlabel(f"component 1 ({p.share_2[0]:.0%} of variance)")
            axis.set_ylabel(f"component 2 ({p.share_2[1]:.0%})")
    axes[0, 0].legend(fontsize=8)
    figure.suptitle("Statements in the first two principal components (units of activation)")
    return figure


def draw_score_profile(study) -> Figure:
    """The score of each layer against its permutations; dots where the family-wise p is small."""
    names = list(study.calibrations)
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(1 + 4.6 * columns, 0.6 + 2.8 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    layer = np.arange(len(study.layer_names))
    for axis, (i, name) in zip(axes.flat, enumerate(names), strict=False):
        found = study.calibrations[name]
        low, high = np.quantile(found.null, (0.05, 0.95), axis=1)
        axis.fill_between(layer, low, high, color="0.8", lw=0, label="5% to 95% of permutations")
        highest = np.quantile(found.null.max(0), 0.95)
        axis.axhline(highest, color="0.3", ls="--", lw=1, label="95% of their highest layers")
        axis.plot(layer, found.score, color=colour(i), lw=1.2, label="score")
        small = found.p_family <= 0.05
        axis.plot(
            layer[small], found.score[small], "o", color=colour(i), label="family-wise p <= 0.05"
        )
        axis.set_title(f"{visible(name)} (smallest p {found.p_family.min():.2g})", fontsize=10)
        axis.set_xlabel("layer (resid_post, last: final_norm)")
        axis.set_ylabel(f"{study.config.scan.score} score of one run")
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(
        f"The scan at every layer, against {found.null.shape[1]} permutations of labels"
    )
    return figure


def draw_precision_recall(study) -> Figure:
    """Mean and deviation of precision and recall over runs."""
    layers = study.scanned_layers()
    figure = Figure(figsize=(1 + 4.8 * len(layers), 4.2), layout="constrained")
    axes = figure.subplots(1, len(layers), squeeze=False, sharey=True)[0]
    names = list(study.scans)
    place = np.arange(len(names))
    plan = study.config.runs
    for i, (axis, layer) in enumerate(zip(axes, layers, strict=True)):
        for offset, label, values in (
            (-0.2, "precision", [study.scans[n][i].precision_R for n in names]),
            (0.2, "recall", [study.scans[n][i].recall_R for n in names]),
        ):
            axis.bar(
                place + offset, [center(v)[0] for v in values], 0.38,
                yerr=[center(v)[1] for v in values], capsize=3,
                color=COLOURS[0 if label == "precision" else 4], label=label,
            )  # fmt: skip
        chance = plan.positive / (plan.positive + plan.clean)
        axis.axhline(chance, color="0.3", ls="--", lw=1, label=f"precision by chance ({chance:g})")
        axis.set_xticks(place, list(map(visible, names)), rotation=20, ha="right")
        axis.set_ylim(0, 1.05)
        axis.set_title(layer)
        axis.set_xlabel("comparison")
    axes[0].set_ylabel(f"mean over {plan.runs} runs (bars: deviation)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle("Statements returned by the scan, against the statements of H1")
    return figure


def draw_selection_frequency(study) -> Figure:
    """Nodes ordered by the share of runs that returned them."""
    layers = study.scanned_layers()
    figure = Figure(figsize=(1 + 4.8 * len(layers), 4), layout="constrained")
    axes = figure.subplots(1, len(layers), squeeze=False, sharey=True)[0]
    for i, (axis, layer) in enumerate(zip(axes, layers, strict=True)):
        for c, name in enumerate(study.scans):
            scan = study.scans[name][i]
            ordered = np.sort(scan.frequency_D)[::-1]
            label = f"{visible(name)} ({scan.node_set_D.sum()} in set)"
            axis.plot(np.arange(1, len(ordered) + 1), ordered, color=colour(c), label=label)
        axis.axhline(study.config.threshold, color="0.3", ls="--", lw=1)
        axis.set_title(layer)
        axis.set_xlabel("nodes, most often selected first")
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"selection frequency over {study.config.runs.runs} runs")
    dashed = f"dashed: node set from {study.config.threshold:g}"
    figure.suptitle(f"How often each node is selected ({dashed})")
    return figure
