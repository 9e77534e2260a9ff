"""Sizes of a study's samples: those of its recipe, or smaller ones where the rows are too few."""

import dataclasses
import sys
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from personascan.errors import InputError
from personascan.scan.samples import SampleOptions, check_sizes, largest_cluster
from personascan.study.case import draw_comparisons, seed_of
from personascan.study.config import StudyConfig
from personascan.study.place_options import CHOSEN
from personascan.study.portions import (
    ALL,
    PORTIONS,
    portion_clusters,
    portion_options,
    portion_rows,
)
from personascan.visible import visible

SIZES = ("background", "clean", "positive")
MEANING = (
    "a run takes config.runs.background rows of H0, which say what to expect, and scans "
    "config.runs.clean others of H0 among config.runs.positive of H1"
)


class Rows(NamedTuple):
    """How many rows of each side a comparison has, or a half of it."""

    h0: int
    h1: int
    cluster: int  # rows of the largest cluster
    portion: str


def default_samples() -> SampleOptions:
    """Returns the samples of a recipe that does not say any."""
    return StudyConfig(out="").runs


def sizes_of(samples: SampleOptions) -> dict[str, int]:
    return {name: getattr(samples, name) for name in SIZES}


def rows_of(config: StudyConfig, groups: Mapping[str, list]) -> Iterable[Rows]:
    """Yields the rows of every comparison, and of the halves that scans draw samples from."""
    for level in config.levels:
        for number, (_, pool, _) in enumerate(draw_comparisons(config, groups, level)):
            tested = config.intervention.places and config.intervention.tests(number)
            halves = CHOSEN in config.scan.places or tested
            for portion in PORTIONS if halves else (ALL,):
                chosen = portion_rows(pool, portion, seed_of(config.seed, pool.name))
                h1 = int(pool.positive_N[chosen].sum())
                cluster = largest_cluster(portion_clusters(pool, chosen))
                yield Rows(len(chosen) - h1, h1, cluster, portion)


def with_sizes(config: StudyConfig, unit: int) -> StudyConfig:
    """Returns the study with samples of the defaults' proportions: 3, 1 and 1 times the unit."""
    sizes = {"background": 3 * unit, "clean": unit, "positive": unit}
    return dataclasses.replace(config, runs=dataclasses.replace(config.runs, **sizes))


def fits(config: StudyConfig, rows: list[Rows]) -> bool:
    """Tells whether all rows can give the samples of a study."""
    asked = [config.localisation()]
    try:
        for one in rows:
            whole = one.portion == ALL
            for options in asked + [config.mixed(m) for m in config.scan.mixtures] * whole:
                samples = portion_options(options, one.portion).samples
                check_sizes(one.h0, one.h1, samples, one.cluster)
    except InputError:
        return False
    return True


def largest_fitting(config: StudyConfig, rows: list[Rows]) -> StudyConfig | None:
    """Returns the study with the largest samples up to the defaults that fit; None: there are none.

    They have the proportions of the defaults.
    """
    for unit in range(default_samples().clean, 0, -1):
        if fits(smaller := with_sizes(config, unit), rows):
            return smaller
    return None


def fit_samples(config: StudyConfig, sources: Iterable[Mapping[str, list]]) -> StudyConfig:
    """Returns the study, with smaller samples where its rows cannot give the default ones.

    sources: {group: rows} of each source. Sizes other than the defaults stay, and are refused
    later where they do not fit.
    """
    if sizes_of(config.runs) != sizes_of(default_samples()):
        return config
    rows = [one for groups in sources for one in rows_of(config, groups)]
    if fits(config, rows):
        return config
    fitted = largest_fitting(config, rows)
    if fitted is None:
        return config
    print(f"note: {visible(fitting_note(fitted))}", file=sys.stderr)
    return fitted


def fitting_note(fitted: StudyConfig) -> str:
    """Returns what is said of samples that were made smaller."""
    sizes = ", ".join(f"{name} {size}" for name, size in sizes_of(fitted.runs).items())
    usual = ", ".join(map(str, sizes_of(default_samples()).values()))
    return (
        f"the rows are too few for the default samples ({usual}), so config.runs has smaller "
        f"ones: {sizes}"
    )


def fitting_record(asked: StudyConfig, used: StudyConfig) -> dict:
    """Returns what study.json says of samples that were made smaller; {} where none were."""
    if asked.runs == used.runs:
        return {}
    return {"fitted": {"note": fitting_note(used), "asked": {"runs": asked.to_dict()["runs"]}}}


def sizes_advice(config: StudyConfig, groups: Mapping[str, list]) -> str:
    """Returns what the sizes mean, and flags with sizes that fit."""
    fitted = largest_fitting(config, list(rows_of(config, groups)))
    if fitted is None:
        return f"{MEANING}; no sizes fit, so add rows: 10 of each side are enough"
    flags = " ".join(f"--config.runs.{name}={n}" for name, n in sizes_of(fitted.runs).items())
    return f"{MEANING}; these fit: {flags}"
