"""Power curves as a picture: how often a planted block is found, by its strength."""

from matplotlib.figure import Figure

from benchmarks.power import PATTERNS

COLOURS = {"bj": "#0072B2", "hc": "#D55E00", "ks": "#009E73", "Fi": "#000000", "me": "#999999"}
STYLES = {"<= 0.5": "-", "<= 0.2": "--", "<= 0.1": ":", "= 0.02": (0, (1, 4)), "= 0.1": (0, (5, 5))}


def draw_power(found: dict, size: str) -> Figure:
    """The result of `power_curves`, a pattern a panel; `size` describes the problems."""
    figure = Figure(figsize=(15, 4.8), layout="constrained")
    axes = figure.subplots(1, len(PATTERNS), sharey=True)
    for axis, pattern in zip(axes, PATTERNS, strict=True):
        for name, power in found[pattern.name].items():
            style = next((s for key, s in STYLES.items() if name.endswith(key)), "-.")
            axis.plot(pattern.strengths, power, color=COLOURS[name[:2]], ls=style, label=name)
        axis.set_title(f"{pattern.name}: {pattern.rows} rows x {pattern.nodes} nodes")
        axis.set_xlabel("shift, standard deviations")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("power at level 0.05")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    figure.suptitle(f"How often a planted block is found ({size})")
    return figure
