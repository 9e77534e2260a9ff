"""What chance gives overlaps, as units: the H0 rows of every comparison, split at random."""

from dataclasses import replace

import numpy as np

from personascan.analysis.chance import split_frequencies, split_labels, split_plan
from personascan.analysis.localisation import LocalisationPlan
from personascan.calibration.exchange import count_labellings
from personascan.hashes import text_sha256
from personascan.places import Place
from personascan.study import stages
from personascan.study.course import Case
from personascan.study.rows import StoredRows
from personascan.study.units import Unit, Work, canonical


def split_works(cases: list[Case]) -> list[Work]:
    """Those of a level's comparisons at the named places, where there are sets to overlap."""
    if len(cases) < 2 or not cases[0].plan.permutations:
        return []
    works = [split_work(case, place) for case in cases for place in case.named]
    return [work for work in works if work is not None]


def split_work(case: Case, place: Place) -> Work | None:
    """Of one comparison at one place; None where H0 has too few rows, or entities, to be split."""
    h0 = np.flatnonzero(~case.pool.positive_N)
    clusters = stages.part_clusters(case.pool, h0)
    half_N = split_labels(len(h0), case.seed, clusters)
    runs = split_plan(case.plan.runs, half_N, clusters)
    if runs is None:
        return None
    splits = count_labellings(half_N, runs, clusters)
    if splits.exact and splits.number <= case.plan.permutations:
        return None
    plan, rows = replace(case.plan, runs=runs), case.rows(place)
    inputs = rows.inputs(case.pool.positive_N) | stages.scan_inputs(plan, plan.options) | {
        "part": text_sha256(canonical(h0.tolist())), "seed": case.seed,
        "permutations": plan.permutations,
    } | stages.drawn_inputs(case.pool)  # fmt: skip
    return Work(Unit("split", inputs), split, (rows, h0, half_N, clusters, plan, case.seed))


def split(rows: StoredRows, h0, half_N, clusters_N, plan: LocalisationPlan, seed: int):
    frequency_TD = split_frequencies(
        rows.array()[h0], half_N, plan.runs, plan.options, plan.permutations, seed, clusters_N
    )
    return {}, {"frequency_TD": frequency_TD}


def chance_frequencies(cases: list[Case], place: Place) -> dict[str, np.ndarray] | None:
    """What was found so, by comparison: [T, D]; None unless it is there of all."""
    works = {case.name: split_work(case, place) for case in cases}
    if len(cases) < 2 or not cases[0].plan.permutations or None in works.values():
        return None
    return {
        case.name: case.store.read(works[case.name].unit).arrays["frequency_TD"] for case in cases
    }
