"""Are the p-values right? Calibrates null problems of three kinds and tests what came out.

One JSON line a kind. Exits with 1 if any check fails at the 0.1% level.
"""

from personascan.command import run  # first: a signal is answered from here on

import json
import sys

from absl import flags

PROBLEMS = flags.DEFINE_integer("problems", 134, "Null problems of each kind.", lower_bound=2)
PERMUTATIONS = flags.DEFINE_integer("permutations", 99, "Of the labels.", lower_bound=19)
LAYERS = flags.DEFINE_integer("layers", 3, "Layers of each problem.", lower_bound=1)
ROWS = flags.DEFINE_integer("rows", 60, "Rows of the pool, half of them labelled.", lower_bound=20)
NODES = flags.DEFINE_integer("nodes", 40, "Nodes.", lower_bound=2)
RUNS = flags.DEFINE_integer("runs", 10, "Runs for the selection frequency.", lower_bound=2)
STARTS = flags.DEFINE_integer("starts", 5, "Starts of each scored run.", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "Seed.")
FAILS = 0.001


def main(_) -> None:
    import numpy as np
    from tqdm import tqdm

    from personascan import SplitPlan
    from personascan.analysis.simulate import NULL_KINDS
    from personascan.analysis.validity import null_calibrations

    third = ROWS.value // 3
    plan = SplitPlan(third // 2 + third // 4, third // 2, third // 2, RUNS.value)
    fails = 0
    for kind in NULL_KINDS:
        found = null_calibrations(
            kind, PROBLEMS.value, layers=LAYERS.value, rows=ROWS.value, nodes=NODES.value,
            plan=plan, permutations=PERMUTATIONS.value, threshold=0.5, starts=STARTS.value,
            seed=SEED.value, progress=lambda work, kind=kind: tqdm(work, desc=kind),
        )  # fmt: skip
        rate, rate_p = found.family_rate()
        checks = {
            "uniform_p": found.uniform_p(np.random.default_rng(SEED.value)),
            "family_rate_p": rate_p,
            "selection_p": found.selection_p(),
        }
        fails += any(p < FAILS for p in checks.values())
        line = {"kind": kind, "problems": PROBLEMS.value, "family_rate_at_0.05": rate}
        line |= {"nodes_selected": found.selected.mean(), "predicted": found.expected.mean()}
        rounded = {
            k: round(v, 4) if isinstance(v, float) else v for k, v in (line | checks).items()
        }
        print(json.dumps(rounded), flush=True)
    if fails:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
