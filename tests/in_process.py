"""Scripts in the process of the tests: what they print and how they end, without a start of JAX."""

import contextlib
import io
import pathlib
import runpy
import sys
import warnings
from dataclasses import dataclass

import pytest

ROOT = pathlib.Path(__file__).parents[1]


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def run_here(script: str, *given: str) -> Done:
    """A script of scripts/ with these flags, from the repository's root.

    What a process sets for itself alone is left out: signals, devices, kept compilations.
    """
    from absl import app, flags

    from personascan import command

    app.define_help_flags()  # and all others that stay
    known, out, err = set(flags.FLAGS), io.StringIO(), io.StringIO()
    code = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(sys, "argv", [str(ROOT / "scripts" / script), *given])
        for name, nothing in (("prepare", lambda heavy: None), ("on_signals", lambda handler: None),
                              ("silence_interrupts_in_callbacks", lambda: None)):  # fmt: skip
            patch.setattr(command, name, nothing)
        try:
            with (
                warnings.catch_warnings(),
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
            ):
                warnings.filterwarnings("ignore", "the load_module", DeprecationWarning)
                runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as ended:
            if isinstance(ended.code, str):
                err.write(f"{ended.code}\n")
            code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
        finally:
            for name in set(flags.FLAGS) - known:
                delattr(flags.FLAGS, name)
            for name in [n for n in sys.modules if n.startswith("personascan.commands.")]:
                del sys.modules[name]  # whose import defines them
    return Done(code, out.getvalue(), err.getvalue())
