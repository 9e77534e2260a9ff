"""Are judged node sets judged right? Intervals and ranks on problems whose truth is known.

One JSON line for each size and shift: how often an end of the interval of a difference of AUROCs is
above or below the true one. Then one for each kind of noise and shift: the same of node sets that
were found and judged, and how often their rank among random sets is small.
"""

from personascan.command import run  # first: a signal is answered from here on

import json
import pathlib
import sys

from absl import flags

PROBLEMS = flags.DEFINE_integer("problems", 500, "Pairs of scores.", lower_bound=1)
RESAMPLES = flags.DEFINE_integer("resamples", 400, "Of their rows.", lower_bound=1)
JUDGED = flags.DEFINE_integer("judged", 100, "Node sets of each kind and shift.", lower_bound=1)
SIZES = flags.DEFINE_multi_integer("rows", [20, 40, 75, 150], "Judged rows of either label.")
SHIFTS = flags.DEFINE_multi_float("shift", [0.0, 0.4, 0.8], "Shift of 8 of 200 nodes.")
SEED = flags.DEFINE_integer("seed", 0, "Seed.")
PAIRS = ((0.0, 0.0), (0.9, 1.2), (2.2, 2.5), (3.0, 3.5))


def main(_) -> None:
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))  # where benchmarks/ lies
    from benchmarks.judging import interval_misses, judged_sets
    from benchmarks.simulate import NULL_KINDS

    for rows in SIZES.value:
        for pair in PAIRS:
            line = interval_misses(PROBLEMS.value, rows, pair, RESAMPLES.value, SEED.value)
            print(json.dumps(line), flush=True)
    for kind in NULL_KINDS:
        for shift in SHIFTS.value:
            shape = dict(rows=75, nodes=200, signal=8, seed=SEED.value)
            print(json.dumps(judged_sets(JUDGED.value, kind, shift, **shape)), flush=True)


if __name__ == "__main__":
    run(main)
