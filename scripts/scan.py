"""Scan two .npy files of activations [rows, nodes]: --background and --evaluation -> the subset."""

import json

import numpy as np
from absl import flags

import personascan
from personascan.command import run

BACKGROUND = flags.DEFINE_string("background", None, ".npy file of expected rows.", required=True)
EVALUATION = flags.DEFINE_string("evaluation", None, ".npy file of scanned rows.", required=True)
OUT = flags.DEFINE_string("out", None, "Write the result here as JSON.")
SCORE = flags.DEFINE_string("score", "bj", "bj, hc or ks.")
TAIL = flags.DEFINE_string("tail", "two", "right, left or two.")
ALPHA_MAX = flags.DEFINE_float("alpha_max", 0.5, "Largest alpha.")
ALPHA_MIN = flags.DEFINE_float("alpha_min", 0.0, "Smallest alpha; 0 is no bound.")
ALPHAS = flags.DEFINE_string("alphas", "exact", "exact, grid or numbers such as 0.01,0.05.")
STARTS = flags.DEFINE_integer("starts", 10, "Starts of the ascent.", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "Seed of the random starts.")


def main(_) -> None:
    plan = personascan.ScanPlan(
        score=SCORE.value,
        tail=TAIL.value,
        alpha_max=ALPHA_MAX.value,
        alpha_min=ALPHA_MIN.value,
        alphas=ALPHAS.value,
        starts=STARTS.value,
    )
    found = personascan.group_scan(
        personascan.read_array(BACKGROUND.value),
        personascan.read_array(EVALUATION.value),
        seed=SEED.value,
        **plan.keywords(),
    )
    print(found.summary())
    print("rows: ", *found.rows)
    print("nodes:", *found.nodes)
    print("tails:", *found.tails)
    if OUT.value:
        content = {
            "score": found.score,
            "alpha": None if np.isnan(found.alpha) else found.alpha,
            "rows": found.rows.tolist(),
            "nodes": found.nodes.tolist(),
            "tails": found.tails.tolist(),
            "start_scores": found.start_scores.tolist(),
            "at_smallest_alpha": found.at_smallest_alpha,
        }
        with personascan.whole_file(OUT.value) as file:
            file.write((json.dumps(content, indent=2) + "\n").encode())


if __name__ == "__main__":
    run(main)
