"""Chance halvings of each comparison's H0 rows, which say how much node sets overlap by chance."""

import numpy as np

from personascan.analysis.chance import can_halve, halving_labels, halving_sizes
from personascan.analysis.overlaps import Overlap, add_tests, overlaps
from personascan.study.portions import pool_inputs, portion_clusters
from personascan.study.rows import StoredRows
from personascan.study.stage import PLACE, Phase, Stage, Table, place_cells
from personascan.study.stages import nodes
from personascan.study.units import Unit, Work, sha256_of


def work(case, place) -> Work | None:
    """Returns the unit of a place; None if H0 has too few rows, or entities, to be halved."""
    h0, halvings = np.flatnonzero(~case.pool.positive_N), case.config.where.permutations
    clusters = portion_clusters(case.pool, h0)
    half_N = halving_labels(len(h0), case.seed, clusters)
    if not can_halve(half_N, halvings, clusters):
        return None
    rows = case.rows(place)
    inputs = rows.inputs(case.pool.positive_N) | {
        "part": sha256_of(h0.tolist()), "seed": case.seed, "splits": halvings,
        "of": "sizes of labelled tests",
    } | pool_inputs(case.pool)  # fmt: skip
    return Work(Unit("split", inputs), do, (rows, h0, half_N, clusters, halvings, case.seed))


def do(rows: StoredRows, h0, half_N, clusters_N, halvings: int, seed: int):
    return {}, {"size_TD": halving_sizes(rows.array()[h0], half_N, halvings, seed, clusters_N)}


def works(level) -> list[Work]:
    """Returns the units of the named places, if there are several sets."""
    if len(level.cases) < 2 or not level.cases[0].portions:
        return []
    every = [work(case, place) for case in level.cases for place in case.named]
    return [one for one in every if one is not None]


def chance_sizes(level, place) -> dict[str, np.ndarray] | None:
    """Returns {comparison: sizes [T, D] under halvings}; None unless all comparisons have them."""
    if len(level.cases) < 2 or not level.cases[0].portions:
        return None
    units = {case: work(case, place) for case in level.cases}
    if None in units.values():
        return None
    return {case.name: case.read(one).arrays["size_TD"] for case, one in units.items()}


def overlaps_at(level, place) -> list[Overlap]:
    """Returns the overlaps of the node sets of a named place, beside chance."""
    sets, tested = {}, {}
    for case in level.cases:
        sets[case.name], tested[case.name] = set_at(case, place)
    shared = overlaps(sets, chance_sizes(level, place), level.config.seed)
    return shared if None in tested.values() else add_tests(shared, sets, tested)


def set_at(case, place):
    scan = next(s for s in case.scans if s.place == place and s.plain)
    return scan.nodes_D, scan.tested


def table_rows(part):
    for place, shared in part.overlaps.items():
        for o in shared:
            yield (
                *place_cells(place), " & ".join(o.names), o.observed, o.expected, o.exclusive,
                o.chance_mean, o.chance_low, o.chance_high, o.p, o.p_hypergeometric,
                o.same_direction, o.at_least,
            )  # fmt: skip


def seconds(trial) -> float:
    """Returns the seconds of one unit; 0 if H0 has too few rows to be halved."""
    h0, halvings = np.flatnonzero(~trial.positive_N), trial.config.where.permutations
    half_N = halving_labels(len(h0), trial.seed)
    if not can_halve(half_N, halvings):
        return 0.0
    return trial.time(do, trial.rows, h0, half_N, None, halvings, trial.seed)


STAGE = Stage(
    "split",
    Phase.CHOSEN,
    works=works,
    count=lambda counted: counted.named * counted.peers * counted.permuted,
    read=lambda level: {
        "overlaps": {place: overlaps_at(level, place) for place in level.cases[0].named}
    },
    tables={
        "overlaps": Table(
            (
                *PLACE, "comparisons", "observed", "expected_by_chance", "exclusive",
                "chance_mean", "chance_low", "chance_high", "chance_p", "hypergeometric_p",
                "same_direction", "at_least",
            ),
            table_rows, always=True,
        )
    },
    seconds=seconds,
    disk=lambda sizes: 4 * sizes.labellings * sizes.nodes,
    memory=nodes.memory,
)  # fmt: skip
