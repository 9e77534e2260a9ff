"""Run a study from a recipe, such as configs/demo.py, or go on with one that was ended.

Any field of the recipe is overridden with --config.x=..., such as --config.out=out/mine; the same
command goes on with a study that was ended. A recipe is a Python file, for example:

  from ml_collections import ConfigDict
  import personascan

  def get_config():
      return ConfigDict(personascan.recipe(
          models=("MODEL",), statements="mine.csv", out="out/mine", layers=("50%", "75%")))
"""

from personascan.command import define_processes, invocation, run  # first: answers signals

import sys
import time

from absl import flags
from ml_collections import config_flags

import personascan
from personascan.visible import visible

CONFIG = config_flags.DEFINE_config_file("config", help_string="Recipe, e.g. configs/demo.py.")
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print what the study would take, and stop.")
STATUS = flags.DEFINE_bool("status", False, "Print what is done and what remains, and stop.")
JOBS = flags.DEFINE_integer("jobs", 0, "Processes; 0: one a core, or one with an accelerator.")
SCHEDULER = flags.DEFINE_string("scheduler", "", "Of a Dask cluster, such as tcp://host:8786.")
REPLACE = flags.DEFINE_bool("replace", False, "Let the folder hold another study, and replace it.")
PLANNING = (
    "planning: one unit of each kind is timed on random rows, in 5 to 30 s; what that compiles is "
    "kept for the study"
)
flags.mark_flag_as_required("config")
define_processes()


def main(_) -> None:
    from personascan.report.summary import summary_table

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


def start(argv: list[str] | None = None) -> None:
    """Runs the command with the arguments given, or those of the process."""
    again = visible(invocation())
    run(main, argv, f"interrupted: what is finished is kept; go on with: {again}")
