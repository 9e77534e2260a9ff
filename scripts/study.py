"""Run a study from a recipe: python scripts/study.py --config=configs/demo.py [--config.x=...]."""

from personascan.command import run  # first: a signal is answered from here on

import time

from absl import flags
from ml_collections import config_flags

import personascan
from personascan.visible import visible

CONFIG = config_flags.DEFINE_config_file("config", help_string="Recipe, e.g. configs/demo.py.")
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print what extraction would take, and stop.")
flags.mark_flag_as_required("config")


def main(_) -> None:
    if DRY_RUN.value:
        print(personascan.plan_study(CONFIG.value).summary())
        return
    began = time.perf_counter()
    study = personascan.run_study(CONFIG.value)
    print(personascan.summary_table(study))
    seconds = time.perf_counter() - began
    print(f"\n{visible(study.config.out)}/report.md explains these numbers ({seconds:.0f} s).")


if __name__ == "__main__":
    run(main)
