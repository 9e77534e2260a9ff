"""Extraction and scans on whatever devices JAX has: a table, and one JSON with units in its keys.

    python scripts/benchmark_device.py --out=FILE [--minutes=8] [--shapes=llama-8b] [--parts=scan]

Models are random weights of known shapes: nothing is downloaded. Needs jax, flax and numpy alone;
Transformers on torch is measured beside where both are installed. Steps are made in order of
importance, and what does not fit the minutes or the memory is listed under "skipped". The file is
written anew after every step, so that a run cut short leaves what it had found. Exit code 1 if a
step failed ("failed").
"""

from personascan.command import run  # first: a signal is answered from here on

import json
import os
import pathlib
import sys

from absl import flags

OUT = flags.DEFINE_string("out", None, "JSON file; none: printed after the table.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace --out if it is there.")
MINUTES = flags.DEFINE_float("minutes", 8.0, "Budget.")
SHAPES = flags.DEFINE_list("shapes", ["llama-8b", "llama-1b", "smollm2"], "Models, by importance.")
PARTS = flags.DEFINE_list(
    "parts", ["extraction", "labelled", "scan", "calibration"], "What to measure."
)


def write(report: dict, place: pathlib.Path) -> None:
    partial = place.with_name(f".{place.name}.new")
    partial.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, place)


def main(_) -> None:
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))  # where benchmarks/ lies
    from benchmarks.device import Options, measure_device
    from benchmarks.device_table import line
    from personascan.errors import InputError

    if OUT.value and pathlib.Path(OUT.value).exists() and not OVERWRITE.value:
        raise InputError(f"{OUT.value} exists already; choose another path, or use --overwrite")
    options = Options(tuple(SHAPES.value), tuple(PARTS.value), MINUTES.value)
    for part, record, report in measure_device(options):
        print(line(part, record), flush=True)
        if OUT.value:
            write(report, pathlib.Path(OUT.value))
    if not OUT.value:
        print(json.dumps(report))
    sys.exit(1 if report["failed"] else 0)


if __name__ == "__main__":
    # Or JAX would keep most of an accelerator's memory from torch, which is measured beside it.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    run(main, heavy=("jax",))
