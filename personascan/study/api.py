"""A study from its recipe to its folder."""

from collections.abc import Iterable
from typing import Any

import jax

from personascan.processes import is_first
from personascan.study.config import StudyConfig
from personascan.study.folder import (
    View,
    refuse_other_study,
    study_folder,
    units_folder,
    write_study,
)
from personascan.study.opening import open_study
from personascan.study.plan import StudyPlan, plan_models
from personascan.study.results import Study
from personascan.study.run import Workers, extract_together
from personascan.study.status import Status, status_of
from personascan.study.store import Store
from personascan.study.study import study_results


def run_study(
    config: Any,
    *,
    jobs: int = 0,
    scheduler: str = "",
    replace: bool = False,
    views: Iterable[View] = (),
) -> Study | None:  # fmt: skip
    """As `personascan.run_study`, with other views of the study than its page, or none.

    views: each gives {file: bytes} of a study, which are written into its folder as well.
    """
    config = as_config(config)
    if jax.process_count() > 1:
        return extract_study(config, replace)
    workers = Workers(jobs, scheduler)
    with study_folder(config, replace) as folder:
        opened = open_study(config)
        refuse_other_study(config, opened.provenance["sha256"], replace)
        with folder.opened() as store:
            found = study_results(opened, store, workers)
            write_study(found, folder.partial, views)
    return found


def extract_study(config: StudyConfig, replace: bool) -> None:
    """The activations of a study, by this process and those that it has joined.

    What follows takes one host: the same command, alone, goes on from there.
    """
    if not is_first():
        for source in open_study(config).sources:
            extract_together(source, None)
        return
    with study_folder(config, replace, writes=False) as folder:
        opened = open_study(config)
        refuse_other_study(config, opened.provenance["sha256"], replace)
        with folder.opened() as store:
            for source in opened.sources:
                extract_together(source, store)


def plan_study(config: Any, *, jobs: int = 0) -> StudyPlan:
    """What a study will take, before its models are loaded. Raises InputError as `run_study`.

    Args:
      config, jobs: as of `run_study`.
    """
    return plan_models(as_config(config), Workers(jobs))


def study_status(config: Any, *, jobs: int = 0) -> Status:
    """What of a study is done and what remains. Raises InputError as `run_study`; writes nothing.

    Args:
      config, jobs: as of `run_study`.
    """
    config = as_config(config)
    return status_of(open_study(config), Store(units_folder(config)), Workers(jobs))


def as_config(config: Any) -> StudyConfig:
    """A StudyConfig from a recipe, if it is none yet. Raises InputError for a field at fault."""
    if isinstance(config, StudyConfig):
        return config
    return StudyConfig.from_dict(config.to_dict() if hasattr(config, "to_dict") else config)
