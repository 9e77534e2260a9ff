"""Where does the scan win and where does it lose? Power curves as a table (JSON) and a picture."""

import json
import pathlib

from absl import flags
from matplotlib.figure import Figure
from tqdm import tqdm

from personascan.analysis.power import PATTERNS, power_curves
from personascan.command import run

OUT = flags.DEFINE_string("out", "out/power", "Folder for power.json and power.png.")
NULLS = flags.DEFINE_integer("nulls", 200, "Sets without signal a background.", lower_bound=100)
PROBLEMS = flags.DEFINE_integer("problems", 25, "Sets of each signal a background.", lower_bound=1)
REPEATS = flags.DEFINE_integer("repeats", 10, "Backgrounds.", lower_bound=1)
ROWS = flags.DEFINE_integer("rows", 40, "Evaluation rows.", lower_bound=20)
NODES = flags.DEFINE_integer("nodes", 300, "Nodes.", lower_bound=150)
BACKGROUND = flags.DEFINE_integer("background", 100, "Background rows.", lower_bound=10)
STARTS = flags.DEFINE_integer("starts", 10, "Starts of each scan.", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "Seed.")
COLOURS = {"bj": "#0072B2", "hc": "#D55E00", "ks": "#009E73", "Fi": "#000000", "me": "#999999"}
STYLES = {"<= 0.5": "-", "<= 0.2": "--", "<= 0.1": ":", "= 0.02": (0, (1, 4)), "= 0.1": (0, (5, 5))}


def main(_) -> None:
    found = power_curves(
        rows=ROWS.value, nodes=NODES.value, background=BACKGROUND.value, nulls=NULLS.value,
        problems=PROBLEMS.value, repeats=REPEATS.value, starts=STARTS.value, seed=SEED.value,
        progress=tqdm,
    )  # fmt: skip
    figure = Figure(figsize=(15, 4.8), layout="constrained")
    axes = figure.subplots(1, len(PATTERNS), sharey=True)
    for axis, pattern in zip(axes, PATTERNS, strict=True):
        for name, power in found[pattern.name].items():
            style = next((s for key, s in STYLES.items() if name.endswith(key)), "-.")
            axis.plot(pattern.strengths, power, color=COLOURS[name[:2]], ls=style, label=name)
            print(f"{pattern.name:9} {name:24}", *(f"{p:.2f}" for p in power))
        axis.set_title(f"{pattern.name}: {pattern.rows} rows x {pattern.nodes} nodes")
        axis.set_xlabel("shift, standard deviations")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("power at level 0.05")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    size = f"{ROWS.value} x {NODES.value}, {BACKGROUND.value} background rows"
    figure.suptitle(f"How often a planted block is found ({size})")
    folder = pathlib.Path(OUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "power.png", dpi=110)
    table = {p: {n: v.round(4).tolist() for n, v in rows.items()} for p, rows in found.items()}
    strengths = {p.name: p.strengths for p in PATTERNS}
    (folder / "power.json").write_text(json.dumps({"strengths": strengths} | table, indent=1))


if __name__ == "__main__":
    run(main)
