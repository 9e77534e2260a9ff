"""Time against rows, nodes and runs, beside straight lines through the first point."""

from matplotlib.figure import Figure


def draw_scaling(lines: list[dict]) -> Figure:
    """The measurements of `measure_scaling` as log-log curves."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    for axis, varied in zip(figure.subplots(1, 3), ("rows", "nodes", "runs"), strict=True):
        some = [line for line in lines if line.get("varied") == varied]
        size, seconds = ([line[key] for line in some] for key in (varied, "seconds"))
        axis.loglog(size, seconds, "o-", color="#0072B2", label="measured")
        linear = [seconds[0] * s / size[0] for s in size]
        axis.loglog(size, linear, "--", color="0.5", label="linear")
        others = [f"{some[0][k]} {k}" for k in ("rows", "nodes", "runs") if k != varied]
        axis.set_title(f"{' x '.join(others)}, three starts", fontsize=10)
        axis.set_xlabel(varied)
        axis.set_xticks(size, [str(s) for s in size])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.axes[0].set_ylabel("seconds, median")
    devices = lines[0]["devices"]
    figure.suptitle(f"Group runs on {devices} devices, Berk-Jones, 50 alphas, 250 background rows")
    return figure
