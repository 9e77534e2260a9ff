"""Scan rows of activations against expected ones: the rows and nodes that stand out together.

Both are .npy files [rows, nodes], or the .npz file or folder that `extract` wrote, of which --site,
--layer, --position and the ids choose; rows are then named by statement.
"""

from personascan.command import run  # first: a signal is answered from here on

import contextlib
import json

from absl import flags

import personascan

BACKGROUND = flags.DEFINE_string("background", None, ".npy, .npz or folder.", required=True)
EVALUATION = flags.DEFINE_string("evaluation", None, ".npy, .npz or folder.", required=True)
SITE = flags.DEFINE_string("site", "", "Of an .npz file or folder: the site, e.g. resid_post.")
LAYER = flags.DEFINE_string("layer", "", "Its number or name.")
POSITION = flags.DEFINE_string("position", "", "The position, e.g. last.")
BACKGROUND_IDS = flags.DEFINE_string("background_ids", "", "a,b,c or a file, one id a line.")
EVALUATION_IDS = flags.DEFINE_string("evaluation_ids", "", "The same for the scanned rows.")
OUT = flags.DEFINE_string("out", None, "Write the result here as JSON.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace --out if it is there.")
SCORE = flags.DEFINE_string("score", "bj", "bj, hc or ks.")
TAIL = flags.DEFINE_string("tail", "signed", "signed, right, left or two.")
ALPHA_MAX = flags.DEFINE_float("alpha_max", 0.5, "Largest alpha.")
ALPHA_MIN = flags.DEFINE_float("alpha_min", 0.0, "Smallest alpha; 0 is no bound.")
ALPHAS = flags.DEFINE_string("alphas", "exact", "exact, grid, log or numbers such as 0.01,0.05.")
STARTS = flags.DEFINE_string("starts", "auto", "Starts of the ascent: auto or a number.")
SEED = flags.DEFINE_integer("seed", 0, "Seed of the random starts.")


def main(_) -> None:
    from personascan.files import whole_file
    from personascan.sources.rows import read_rows, refuse_shared
    from personascan.study.place_options import PlaceScanOptions
    from personascan.visible import visible

    place = contextlib.nullcontext()
    if OUT.value:
        place = whole_file(OUT.value, overwrite=OVERWRITE.value)
    options = PlaceScanOptions(
        score=SCORE.value, tail=TAIL.value, alpha_max=ALPHA_MAX.value, alpha_min=ALPHA_MIN.value,
        alphas=ALPHAS.value, starts=STARTS.value,
    ).options()  # fmt: skip
    chosen = dict(site=SITE.value, layer=LAYER.value, position=POSITION.value)
    with place as file:
        background = read_rows(BACKGROUND.value, ids=BACKGROUND_IDS.value, **chosen)
        evaluation = read_rows(EVALUATION.value, ids=EVALUATION_IDS.value, **chosen)
        refuse_shared(background, evaluation)
        found = personascan.group_scan(
            background.array_ND, evaluation.array_ND, seed=SEED.value, **options.keywords()
        )
        named = {"statements": [evaluation.ids[i] for i in found.rows]} if evaluation.ids else {}
        if file:
            file.write((json.dumps(found.record() | named, indent=2) + "\n").encode())
    print(found.summary())
    print("rows: ", *found.rows)
    print("nodes:", *found.nodes)
    print("tails:", *found.tails)
    if named:
        print("statements:", *map(visible, named["statements"]))


def start(argv: list[str] | None = None) -> None:
    """Runs the command with the arguments given, or those of the process."""
    run(main, argv)
