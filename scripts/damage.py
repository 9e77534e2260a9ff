"""Damage, kill and fill disks, and print what was lost: one JSON line a kind, `lost` should be 0.

Exits with 1 if anything was. Takes a folder or file of a model: `pypi:` sources would be fetched
into the temporary cache that is damaged.
"""

from personascan.command import run  # first: a signal is answered from here on

import json
import pathlib
import sys

from absl import flags

KINDS = ["results", "copies", "kills", "disks", "study-kills", "study-units", "study-disks"]
MODEL = flags.DEFINE_string("model", None, "Folder or .gguf file, a small one.", required=True)
STATEMENTS = flags.DEFINE_string("statements", "data/statements/optimism.jsonl", "Statements.")
PARTS = flags.DEFINE_multi_enum("part", KINDS, KINDS, "What to try; may be given repeatedly.")
TRIES = flags.DEFINE_integer("tries", 30, "Of each kind.", lower_bound=1)
SEED = flags.DEFINE_integer("seed", 0, "Seed.")


def main(_) -> None:
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))  # where benchmarks/ lies
    from benchmarks.damage import measure_damage

    lost = 0
    for line in measure_damage(PARTS.value, MODEL.value, STATEMENTS.value, TRIES.value, SEED.value):
        print(json.dumps(line), flush=True)
        lost += line["lost"]
    print(f"lost: {lost}")
    sys.exit(bool(lost))


if __name__ == "__main__":
    run(main)
