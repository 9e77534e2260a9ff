"""A study with its page: the study owns its folder and tables, the page is a view of them."""

from typing import Any

from personascan.report.files import page_files
from personascan.study import api
from personascan.study.results import Study


def run_study(
    config: Any, *, jobs: int = 0, scheduler: str = "", replace: bool = False
) -> Study | None:
    """Run a study, or go on with one, and write its folder.

    Every unit of work is kept in `config.out`/units (or `config.units`) as soon as it is done: a
    study that was ended, however, goes on from there when it is run again.

    Args:
      config: a StudyConfig, or a recipe (ml_collections ConfigDict or nested dicts) of its fields.
      jobs: processes of this machine; 0: one a core, or one where JAX has an accelerator.
      scheduler: of a Dask cluster, such as "tcp://host:8786", whose workers then do the units (they
        see the same folders; extra `cluster`); "": this machine.
      replace: let the folder hold another study, and take its place.

    Where `personascan.join` has made this process one of several, they extract the activations
    together and stop there, None being returned: the same command, alone, goes on.

    Returns:
      Study. The folder `config.out` then holds study.json, places.csv, findings.csv, runs.csv,
      nodes.csv, overlaps.csv (and heads.csv, where head_out was scanned), report.html,
      report.json.gz, which it is made from, and report.md; these appear whole. And the finished
      units, and study.log.

    Raises:
      InputError: any field, file, persona, model or sample size at fault, a folder that holds a
        study with another configuration, a full disk, a worker that was ended from outside.
    """
    return api.run_study(
        config, jobs=jobs, scheduler=scheduler, replace=replace, views=(page_files,)
    )
