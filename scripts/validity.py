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
    checks = {"exchange": exchanges, "calibration": calibrations, "overlaps": shared_nodes}
    if min(p for part in PART.value for p in checks[part]()) < FAILS:
        sys.exit(1)


def exchanges():
    """The p of every check of labelled tests."""
    from tqdm import tqdm

    from personascan.benchmarks.exchange_validity import exchange_lines

    for line in exchange_lines(EXCHANGED.value, PERMUTATIONS.value, SEED.value, tqdm):
        print(json.dumps(line), flush=True)
        yield from line["binomial_p"].values()


def calibrations():
    """The p of every check of the scan's own calibration."""
    import numpy as np
    from tqdm import tqdm

    from personascan import SplitPlan
    from personascan.benchmarks.validity import Signal, calibrate_problems

    third = ROWS.value // 3
    shared = dict(
        rows=ROWS.value, nodes=NODES.value, permutations=PERMUTATIONS.value, runs=RUNS.value,
        plan=SplitPlan(third // 2 + third // 4, third // 2, third // 2, NODE_RUNS.value),
        tail=TAIL.value, seed=SEED.value, progress=tqdm,
    )  # fmt: skip
    found = calibrate_problems(PROBLEMS.value, **shared)
    rates = {
        "family_wise": found.family_rate(), "step_down": found.family_rate(found.p_step_down),
        "raw_maximum": found.family_rate(found.p_raw), "nodes": found.node_family_rate(),
    }  # fmt: skip
    uniform = found.uniform_p(np.random.default_rng(SEED.value))
    line = {"signal": 0, "problems": PROBLEMS.value, "uniform_p": uniform}
    line |= {f"{name}_rate_at_0.05": rate for name, rate in rates.items()}
    print(json.dumps(line | {"any_node_with_q<=0.1": found.false_discoveries()[0]}), flush=True)
    for strength in STRENGTHS.value:
        signal = Signal("iid", SIGNAL_NODES.value, strength)
        planted = calibrate_problems(PLANTED.value, signal=signal, **shared)
        false, power = planted.false_discoveries()
        line = {"signal": strength, "problems": PLANTED.value, "found": planted.found_at("iid")}
        line |= {"false_discovery_proportion": false, "signal_nodes_with_q<=0.1": power}
        line |= {"nodes_rate_at_0.05": planted.node_family_rate()}
        print(json.dumps(line), flush=True)
    return [*uniform.values(), *(p for _, p in rates.values())]


def shared_nodes():
    """The p of every check of overlaps."""
    from tqdm import tqdm

    from personascan.benchmarks.sharing import APART, SAME, Problem, sharing

    size = Problem(ROWS.value, NODES.value, PERMUTATIONS.value, STRENGTHS.value[1])
    for kind in (*APART, SAME):
        overlap = sharing(SHARED.value, kind, size, SEED.value, tqdm)
        print(json.dumps({"directions": kind, **overlap.line()}), flush=True)
        if kind != SAME:
            yield overlap.excess_p()


if __name__ == "__main__":
    run(main)
