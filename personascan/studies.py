"""Runs a study with its page: the study owns its folder and tables, the page is a view."""

from typing import Any

from personascan.report.files import page_files
from personascan.study import api
from personascan.study.results import Study


def run_study(
    config: Any, *, jobs: int = 0, scheduler: str = "", replace: bool = False
) -> Study | None:
    """Runs a study, or goes on with one, and writes its folder.

    Every unit of work is stored in `config.out`/units (or `config.units`) as soon as it is done: a
    study that was ended in any way goes on from there when it is run again.

    Args:
      config: a StudyConfig, or a recipe (ml_collections ConfigDict or nested dicts) of its fields.
      jobs: processes of this machine; 0: one a core, or one if JAX has an accelerator.
      scheduler: address of a Dask cluster, such as "tcp://host:8786", whose workers then do the
        units (they need the same folders; extra `cluster`); "": this machine.
      replace: replace another study that the folder holds.

    If `personascan.join` has made this process one of several, they extract the activations
    together and return None; the same command in a single process then goes on.

    Returns:
      Study. The folder `config.out` then holds study.json, places.csv, findings.csv, runs.csv,
      nodes.csv, overlaps.csv (and heads.csv, if head_out was scanned), report.html,
      report.json.gz, from which it is made, and report.md; these appear whole. It also holds the
      finished units and study.log.

    Raises:
      InputError: any field, file, persona, model or sample size at fault, a folder that holds a
        study with another configuration, a full disk, a worker that was ended from outside.
    """
    return api.run_study(
        config, jobs=jobs, scheduler=scheduler, replace=replace, views=(page_files,)
    )
