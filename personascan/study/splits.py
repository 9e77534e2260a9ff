"""What chance gives overlaps, as units: the H0 rows of every comparison, split at random."""

import numpy as np

from personascan.analysis.chance import can_split, split_labels, split_sizes
from personascan.hashes import text_sha256
from personascan.places import Place
from personascan.study import stages
from personascan.study.course import Case
from personascan.study.rows import StoredRows
from personascan.study.units import Unit, Work, canonical


def split_works(cases: list[Case]) -> list[Work]:
    """Those of a level's comparisons at the named places, where there are sets to overlap."""
    if len(cases) < 2 or not cases[0].parts:
        return []
    works = [split_work(case, place) for case in cases for place in case.named]
    return [work for work in works if work is not None]


def split_work(case: Case, place: Place) -> Work | None:
    """Of one comparison at one place; None where H0 has too few rows, or entities, to be split."""
    h0, splits = np.flatnonzero(~case.pool.positive_N), case.config.where.permutations
    clusters = stages.part_clusters(case.pool, h0)
    half_N = split_labels(len(h0), case.seed, clusters)
    if not can_split(half_N, splits, clusters):
        return None
    rows = case.rows(place)
    inputs = rows.inputs(case.pool.positive_N) | {
        "part": text_sha256(canonical(h0.tolist())), "seed": case.seed, "splits": splits,
        "of": "sizes of labelled tests",
    } | stages.label_inputs(case.labels_of_pool)  # fmt: skip
    return Work(Unit("split", inputs), split, (rows, h0, half_N, clusters, splits, case.seed))


def split(rows: StoredRows, h0, half_N, clusters_N, splits: int, seed: int):
    return {}, {"size_TD": split_sizes(rows.array()[h0], half_N, splits, seed, clusters_N)}


def chance_sizes(cases: list[Case], place: Place) -> dict[str, np.ndarray] | None:
    """What was found so, by comparison: [T, D]; None unless it is there of all."""
    works = {case.name: split_work(case, place) for case in cases}
    if len(cases) < 2 or not cases[0].parts or None in works.values():
        return None
    return {case.name: case.store.read(works[case.name].unit).arrays["size_TD"] for case in cases}
