"""Time the scan: one JSON line a measurement, beside plain NumPy. Runs on CPU, GPU and TPU alike.

`published` is what the published code took on two CPU cores.
"""

import itertools
import json
import pathlib

from absl import flags

from personascan.benchmarks import speed
from personascan.benchmarks.scaling_plot import draw_scaling
from personascan.command import run

PARTS = flags.DEFINE_multi_enum(
    "part",
    ["scans", "calibration", "scaling"],
    ["scans", "calibration", "scaling"],
    "What to time.",
)
NODES = flags.DEFINE_integer("nodes", 4096, "Nodes of the scans.", lower_bound=32)
RUNS = flags.DEFINE_integer("runs", 100, "Runs of the scans.", lower_bound=1)
REPEATS = flags.DEFINE_integer("repeats", 5, "Median of this many.", lower_bound=1)
LAYERS = flags.DEFINE_integer("layers", 31, "Layers of the calibration.", lower_bound=1)
PERMUTATIONS = flags.DEFINE_integer("permutations", 200, "Of the calibration.", lower_bound=1)
LARGEST = flags.DEFINE_integer("largest", 16384, "Most nodes of the scaling.", lower_bound=8192)
PLOT = flags.DEFINE_string("plot", None, "Draw the scaling to this PNG file.")


def main(_) -> None:
    parts = {
        "scans": lambda: speed.measure_scans(NODES.value, RUNS.value, REPEATS.value),
        "calibration": lambda: speed.measure_calibration(LAYERS.value, PERMUTATIONS.value),
        "scaling": lambda: speed.measure_scaling(REPEATS.value, LARGEST.value),
    }
    lines = []
    for line in itertools.chain.from_iterable(parts[part]() for part in PARTS.value):
        print(json.dumps(line), flush=True)
        lines.append(line)
    if PLOT.value and "scaling" in PARTS.value:
        pathlib.Path(PLOT.value).parent.mkdir(parents=True, exist_ok=True)
        draw_scaling([line for line in lines if "varied" in line]).savefig(PLOT.value, dpi=110)


if __name__ == "__main__":
    run(main)
