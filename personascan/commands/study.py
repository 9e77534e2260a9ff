"""Run a study of statements, or of a recipe; the same command goes on with one that was ended.

Without a recipe:    --statements=mine.csv --model=MODEL --out=out/mine
From a recipe:       --config=configs/demo.py

A file without a column persona is one persona, of the file's name, which the page shows.
Every layer is read, and final_norm behind the last one, unless --config.sites="('resid_post',)";
10 statements of each side are enough, since samples shrink to what there is. Any field of a recipe
is overridden with --config.x=..., such as --config.layers="('50%',)". A recipe is a Python file,
for example:

  from ml_collections import ConfigDict
  import personascan

  def get_config():
      return ConfigDict(personascan.recipe(
          models=("MODEL",), statements="mine.csv", out="out/mine", layers=("50%", "75%")))
"""

from personascan.command import (
    define_processes,
    fail,
    invocation,
    one_line,
    run,
)  # first: answers signals

import contextlib
import io
import pathlib
import sys
import time

from absl import flags
from ml_collections import config_flags

import personascan
from personascan.command_help import asks_for_help
from personascan.sources.language.statement_columns import parse_columns
from personascan.visible import visible

CONFIG = config_flags.DEFINE_config_file("config", help_string="Recipe, e.g. configs/demo.py.")
STATEMENTS = flags.DEFINE_string("statements", "", "File, folder or hub id; config.statements.")
MODEL = flags.DEFINE_string("model", "", "Reads them; config.models.")
PERSONA = flags.DEFINE_string("persona", "", "Only this one of the source; config.personas.")
POSITIVE = flags.DEFINE_string(
    "positive", "", "The positive side's word, if it is another; config.positive."
)
COLUMNS = flags.DEFINE_list(
    "columns", [], "Other names of columns: text=sentence,direction=temper; config.columns."
)
OUT = flags.DEFINE_string("out", "", "Folder of the results; config.out.")
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print what the study would take, and stop.")
STATUS = flags.DEFINE_bool("status", False, "Print what is done and what remains, and stop.")
JOBS = flags.DEFINE_integer("jobs", 0, "Processes; 0: one a core, or one with an accelerator.")
SCHEDULER = flags.DEFINE_string("scheduler", "", "Of a Dask cluster, such as tcp://host:8786.")
REPLACE = flags.DEFINE_bool("replace", False, "Let the folder hold another study, and replace it.")
PLANNING = (
    "planning: one unit of each kind is timed on random rows, in 5 to 30 s; what that compiles is "
    "kept for the study"
)
DEFAULT_RECIPE = pathlib.Path(__file__).with_name("default_recipe.py")
# Overrides of what decides which statements are read.
READ_BY = {f"config.{name}" for name in ("statements", "positive", "columns", "personas", "limit",
                                         "min_confidence")}  # fmt: skip
define_processes()


def main(_) -> None:
    from personascan.report.summary import summary_table

    name_source()
    if DRY_RUN.value:
        print(PLANNING, file=sys.stderr, flush=True)
        print(personascan.plan_study(CONFIG.value, jobs=JOBS.value).summary())
        return
    if STATUS.value:
        print(personascan.study_status(CONFIG.value, jobs=JOBS.value).summary())
        return
    began = time.perf_counter()
    study = personascan.run_study(
        CONFIG.value, jobs=JOBS.value, scheduler=SCHEDULER.value, replace=REPLACE.value
    )
    if study is None:
        print("the activations are there; the same command without other processes goes on")
        return
    print(summary_table(study))
    seconds = time.perf_counter() - began
    print(f"\n{visible(study.config.out)}/report.html shows these numbers ({seconds:.0f} s).")


def name_source() -> None:
    """Puts the flags of a source into the recipe. Ends the process where some are missing."""
    named = {"statements": STATEMENTS.value, "model": MODEL.value, "out": OUT.value}
    missing = [f"--{name}" for name, value in named.items() if not value]
    if CONFIG.value is None:
        fail("give a recipe, --config=FILE, or --statements=FILE --model=NAME --out=DIR")
    filename = config_flags.get_config_filename(flags.FLAGS["config"])
    if missing and filename == str(DEFAULT_RECIPE):
        fail(f"without --config, give {' and '.join(missing)} as well")
    if MODEL.value:
        CONFIG.value.models = (MODEL.value,)
    fields = {"statements": STATEMENTS.value, "out": OUT.value, "positive": POSITIVE.value,
              "personas": (PERSONA.value,) * bool(PERSONA.value),
              "columns": tuple(COLUMNS.value)}  # fmt: skip
    with CONFIG.value.unlocked():
        CONFIG.value.update({name: value for name, value in fields.items() if value})


def read_statements(argv: list[str], given: set[str]) -> None:
    """Reads a file of statements, whose faults are refused before what takes seconds to import.

    Ends the process with one line for a file at fault. Overrides of the recipe are not parsed here,
    so that one which decides what is read leaves the reading to the study.
    """
    if asks_for_help(argv) or given & READ_BY:
        return
    with contextlib.suppress(flags.Error):  # of which the parser of all flags will tell
        flags.FLAGS(argv, known_only=True)
        if not pathlib.Path(STATEMENTS.value).is_file():
            return
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # the study prints these notes
                personascan.load_statements(
                    STATEMENTS.value, persona=PERSONA.value or None, positive=POSITIVE.value,
                    columns=parse_columns(COLUMNS.value),
                )  # fmt: skip
        except personascan.InputError as error:
            sys.exit(f"error: {one_line(error)}")


def start(argv: list[str] | None = None) -> None:
    """Runs the command with the arguments given, or those of the process."""
    again = visible(invocation())
    argv = list(sys.argv if argv is None else argv)
    given = {one.lstrip("-").partition("=")[0] for one in argv[1:]}
    if "statements" in given and "config" not in given:
        read_statements(argv, given)
        argv.insert(1, f"--config={DEFAULT_RECIPE}")
    run(main, argv, f"interrupted: what is finished is kept; go on with: {again}")
