"""Measure this package: the flags are those of scripts/benchmark.py (bench --help names them).

The benchmarks lie beside the package and are not installed with it: a checkout is needed.
"""

from personascan.command import fail  # first: a signal is answered from here on

import os
import pathlib
import sys

from personascan.errors import InputError

ROOT = pathlib.Path(__file__).parents[2]


def start(argv: list[str] | None = None) -> None:
    """Runs scripts/benchmark.py with the arguments given, or those of the process."""
    script = ROOT / "scripts/benchmark.py"
    if not script.is_file():
        fail(
            InputError(
                "benchmarks are not installed with the package; run this in a checkout of it"
            )
        )
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]  # to measure this package
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    rest = (sys.argv if argv is None else argv)[1:]
    os.execv(sys.executable, [sys.executable, str(script), *rest])
