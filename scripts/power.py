"""Where does the scan win and where does it lose? Power curves as a table (JSON) and a picture."""

from personascan.command import run  # first: a signal is answered from here on

import json
import pathlib
import sys

from absl import flags

OUT = flags.DEFINE_string("out", "out/power", "Folder for power.json and power.png.")
NULLS = flags.DEFINE_integer("nulls", 200, "Sets without signal a background.", lower_bound=100)
PROBLEMS = flags.DEFINE_integer("problems", 25, "Sets of each signal a background.", lower_bound=1)
REPEATS = flags.DEFINE_integer("repeats", 10, "Backgrounds.", lower_bound=1)
ROWS = flags.DEFINE_integer("rows", 40, "Evaluation rows.", lower_bound=20)
NODES = flags.DEFINE_integer("nodes", 300, "Nodes.", lower_bound=150)
BACKGROUND = flags.DEFINE_integer("background", 100, "Background rows.", lower_bound=10)
STARTS = flags.DEFINE_integer("starts", 10, "Starts of each scan.", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "Seed.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace the files if they are there.")


def main(_) -> None:
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))  # where benchmarks/ lies
    from tqdm import tqdm

    from benchmarks.power import PATTERNS, power_curves
    from benchmarks.power_plot import draw_power
    from personascan.files import whole_file

    folder = pathlib.Path(OUT.value)
    with (
        whole_file(folder / "power.json", overwrite=OVERWRITE.value) as numbers,
        whole_file(folder / "power.png", overwrite=OVERWRITE.value) as picture,
    ):
        found = power_curves(
            rows=ROWS.value, nodes=NODES.value, background=BACKGROUND.value, nulls=NULLS.value,
            problems=PROBLEMS.value, repeats=REPEATS.value, starts=STARTS.value, seed=SEED.value,
            progress=tqdm,
        )  # fmt: skip
        size = f"{ROWS.value} x {NODES.value}, {BACKGROUND.value} background rows"
        draw_power(found, size).savefig(picture, dpi=110, format="png")
        table = {p: {n: v.round(4).tolist() for n, v in rows.items()} for p, rows in found.items()}
        strengths = {"strengths": {p.name: p.strengths for p in PATTERNS}}
        numbers.write(json.dumps(strengths | table, indent=1).encode())
    for pattern, rows in found.items():
        for name, power in rows.items():
            print(f"{pattern:9} {name:24}", *(f"{p:.2f}" for p in power))


if __name__ == "__main__":
    run(main)
