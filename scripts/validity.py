"""Are the p-values right? Calibrates problems whose truth is known and tests what came out.

First tests of labelled rows (`locate`), for every kind of exchange, without effect: one JSON line
each, with what free permutation of rows would have found. Then the scan's own calibration: each
problem is a family of four places with very different nulls, without signal and with one of each
strength in the place with the lowest null. Then the overlap of the node sets of two comparisons
that have nothing in common, in four ways, or one and the same direction. Exits with 1 if a check
fails at the 0.1% level.
"""

from personascan.command import run  # first: a signal is answered from here on

import json
import pathlib
import sys

from absl import flags

PARTS = ["exchange", "calibration", "overlaps"]
PART = flags.DEFINE_multi_enum("part", PARTS, PARTS, "What to check; may be given repeatedly.")
EXCHANGED = flags.DEFINE_integer("exchanged", 300, "Problems of each exchange.", lower_bound=2)
PROBLEMS = flags.DEFINE_integer("problems", 400, "Problems without signal.", lower_bound=2)
PLANTED = flags.DEFINE_integer("planted", 60, "Problems of each strength.", lower_bound=1)
STRENGTHS = flags.DEFINE_multi_float("strength", [0.5, 0.8, 1.2], "Shift, in deviations.")
SIGNAL_NODES = flags.DEFINE_integer("signal_nodes", 8, "Nodes with signal.", lower_bound=1)
PERMUTATIONS = flags.DEFINE_integer("permutations", 99, "Of the labels.", lower_bound=19)
ROWS = flags.DEFINE_integer("rows", 60, "Rows of the pool, half of them labelled.", lower_bound=20)
NODES = flags.DEFINE_integer("nodes", 40, "Nodes.", lower_bound=2)
RUNS = flags.DEFINE_integer("runs", 10, "Runs of the statistic.", lower_bound=1)
NODE_RUNS = flags.DEFINE_integer("node_runs", 20, "Runs for the nodes.", lower_bound=2)
TAIL = flags.DEFINE_string("tail", "signed", "signed, right, left or two.")
SHARED = flags.DEFINE_integer("overlaps", 200, "Pairs of comparisons, each way.", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "Seed.")
FAILS = 0.001


def main(_) -> None:
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))  # where benchmarks/ lies
    from tqdm import tqdm

    from benchmarks import exchange_validity, sharing, validity
    from personascan import SampleOptions

    third = ROWS.value // 3
    samples = SampleOptions(third // 2 + third // 4, third // 2, third // 2, NODE_RUNS.value)
    signals = [validity.Signal("iid", SIGNAL_NODES.value, strength) for strength in STRENGTHS.value]
    checks = {
        "exchange": lambda: exchange_validity.checked_lines(
            EXCHANGED.value, PERMUTATIONS.value, SEED.value, tqdm
        ),
        "calibration": lambda: validity.checked_lines(
            PROBLEMS.value, PLANTED.value, signals, rows=ROWS.value, nodes=NODES.value,
            samples=samples, permutations=PERMUTATIONS.value, runs=RUNS.value, tail=TAIL.value,
            seed=SEED.value, progress=tqdm,
        ),
        "overlaps": lambda: sharing.checked_lines(
            SHARED.value,
            sharing.Problem(ROWS.value, NODES.value, PERMUTATIONS.value, STRENGTHS.value[1]),
            SEED.value, tqdm,
        ),
    }  # fmt: skip
    least = 1.0
    for part in PART.value:
        for line, p_values in checks[part]():
            print(json.dumps(line), flush=True)
            least = min([least, *p_values])
    sys.exit(int(least < FAILS))


if __name__ == "__main__":
    run(main)
