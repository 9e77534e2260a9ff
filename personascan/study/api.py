"""What is done with a study: running it, planning it, and asking how far it is."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import jax

from personascan import bars
from personascan.errors import InputError
from personascan.processes import is_first
from personascan.study.config import StudyConfig
from personascan.study.folder import (
    View,
    differing_fields,
    refuse_other_study,
    study_folder,
    units_folder,
    write_study,
)
from personascan.study.opening import Opened, open_study
from personascan.study.plan import StudyPlan, plan_models
from personascan.study.responses import response_works
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
    """Runs a study as `personascan.run_study` does, with other views than its page, or none.

    views: each returns {file: bytes} of a study, which are written into its folder as well.
    """
    config = as_config(config)
    if jax.process_count() > 1:
        return extract_study(config, replace)
    workers = Workers(jobs, scheduler)
    with study_folder(config, replace) as folder:
        opened = open_study(config)
        refuse_other_study(config, opened.provenance["sha256"], replace)
        with folder.opened() as store, bars.hidden():  # bars of its own
            study = study_results(opened, store, workers)
            write_study(study, folder.partial, views)
    return study


def extract_study(config: StudyConfig, replace: bool) -> None:
    """Extracts the activations of a study, by this process and those that it has joined.

    All later stages run on one host: the same command, without other processes, continues.
    """
    if not is_first():
        for source in answered_sources(open_study(config)):
            extract_together(source, None)
        return
    with study_folder(config, replace, writes=False) as folder:
        opened = open_study(config)
        answered_sources(opened)
        refuse_other_study(config, opened.provenance["sha256"], replace)
        with folder.opened() as store:
            for source in opened.sources:
                extract_together(source, store)


def answered_sources(opened: Opened) -> list:
    """Returns the sources. Raises InputError where a model has answers to write, by one process."""
    for source in opened.sources:
        if response_works(source, opened.config.writing):
            raise InputError(
                "several processes cannot write answers of conversations together; run the same "
                "command with one process, or give conversations with their answers"
            )
    return opened.sources


def plan_study(config: Any, *, jobs: int = 0) -> StudyPlan:
    """Returns what a study will take, before its models are loaded.

    Args:
      config, jobs: as of `run_study`.

    Raises:
      InputError: as `run_study`.
    """
    return plan_models(as_config(config), Workers(jobs))


def study_status(config: Any, *, jobs: int = 0) -> Status:
    """Returns what of a study is done and what remains; writes nothing.

    Args:
      config, jobs: as of `run_study`.

    Raises:
      InputError: as `run_study`.
    """
    config = as_config(config)
    opened = open_study(config)
    status = status_of(opened, Store(units_folder(config)), Workers(jobs))
    differing = differing_fields(config, opened.provenance["sha256"])
    if differing:
        note = (
            f"{config.out} holds another study (different: {', '.join(differing)}); counted is "
            "what this one has in common with it, or has done itself"
        )
        status = dataclasses.replace(status, note=note)
    return status


def as_config(config: Any) -> StudyConfig:
    """Returns a recipe as a StudyConfig. Raises InputError for a field at fault."""
    if isinstance(config, StudyConfig):
        return config
    return StudyConfig.from_dict(config.to_dict() if hasattr(config, "to_dict") else config)
