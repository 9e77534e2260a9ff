"""Where a comparison shows: each place's statistics under its labels and permuted labels.

Labels are known here, and nothing is scanned.
"""

import functools
from dataclasses import dataclass

import numpy as np

from personascan.calibration.label_exchange import Exchange, comparison_exchange, draw_exchanges
from personascan.calibration.locate import ALWAYS, PlaceTests
from personascan.calibration.statistics import AT_ONCE, LabelContrasts, place_statistics
from personascan.study.portions import ALL, portion_seed
from personascan.study.rows import StoredRows
from personascan.study.stage import Columns, Phase, Sizes, Stage
from personascan.study.units import Unit, Work, sha256_of

COLUMNS = (
    "statistic", "null_mean", "null_deviation", "z", "p", "p_family", "p_step_down", "z_nodes",
    "p_family_nodes",
)  # fmt: skip


@dataclass(frozen=True)
class LabelledRows:
    """Some rows of a pool with their labels, and who may be exchanged with whom."""

    rows: np.ndarray  # their numbers in the pool
    positive_N: np.ndarray
    entities_N: np.ndarray | None
    pairs_N: np.ndarray | None = None
    pair_entities_N: np.ndarray | None = None  # of whole pairs, which folds keep together

    def inputs(self) -> dict:
        """Returns the inputs that identify these rows, beside those of the whole pool."""
        together = [] if self.entities_N is None else np.asarray(self.entities_N).tolist()
        inputs = {"part": sha256_of([self.rows.tolist(), together])}
        if self.pairs_N is not None:
            inputs["pairs"] = sha256_of(self.pairs_N.tolist())
        if self.pair_entities_N is not None:
            inputs["pair entities"] = sha256_of(self.pair_entities_N.tolist())
        return inputs

    @property
    def together_N(self) -> np.ndarray | None:
        """Groups of rows that folds keep together: int [N], or None."""
        if self.pair_entities_N is not None:
            return self.pair_entities_N
        return self.entities_N if self.pairs_N is None else self.pairs_N


def chosen_rows(pool, rows) -> LabelledRows:
    entities_N, pairs_N, pair_entities_N = (
        None if one is None else one[rows]
        for one in (pool.clusters, pool.pairs, pool.pair_entities)
    )
    if pairs_N is not None:
        entities_N = None
    return LabelledRows(rows, pool.positive_N[rows], entities_N, pairs_N, pair_entities_N)


def exchange_in(chosen: LabelledRows) -> Exchange:
    """Returns how labels of these rows may be exchanged. Raises InputError if they cannot be."""
    return comparison_exchange(chosen.positive_N, chosen.entities_N, chosen.pairs_N)


@functools.lru_cache(maxsize=8)
def cached_labellings(
    positive: bytes, entities: bytes, pairs: bytes, permutations: int, seed: int
) -> LabelContrasts:
    """Returns the labellings of a comparison, which a process draws once for all places."""
    groups = (np.frombuffer(one, np.int64) if one else None for one in (entities, pairs))
    exchange = comparison_exchange(np.frombuffer(positive, bool), *groups)
    return LabelContrasts(exchange, draw_exchanges(exchange, permutations, seed))


def labellings_of(chosen: LabelledRows, permutations: int, seed: int) -> LabelContrasts:
    groups = (
        b"" if one is None else one.astype(np.int64).tobytes()
        for one in (chosen.entities_N, chosen.pairs_N)
    )
    return cached_labellings(chosen.positive_N.tobytes(), *groups, permutations, seed)


def work(case, portion: str, place) -> Work:
    """Returns the unit of one place and one portion."""
    options, seed = case.config.where, portion_seed(portion, case.seed)
    rows, chosen = case.rows(place), case.chosen(portion)
    asked = tuple(dict.fromkeys((*ALWAYS, options.statistic)))
    inputs = rows.inputs(case.pool.positive_N) | chosen.inputs() | {
        "statistics": list(asked), "permutations": options.permutations, "seed": seed,
    }  # fmt: skip
    return Work(Unit("where", inputs), do, (rows, chosen, asked, options.permutations, seed))


def do(rows: StoredRows, chosen: LabelledRows, asked, permutations: int, seed: int):
    labels = labellings_of(chosen, permutations, seed)
    statistics = place_statistics("a place", rows.array()[chosen.rows], labels, asked)
    return {}, {f"{name}_T": values_T for name, values_T in statistics.items()}


def tests(case, portion: str) -> PlaceTests:
    """Returns the tests of the family of all places, from finished units."""
    places, options = case.source.places, case.config.where
    results = [case.read(work(case, portion, place)) for place in places]
    asked = dict.fromkeys((*ALWAYS, options.statistic))
    values = {name: np.stack([one.arrays[f"{name}_T"] for one in results]) for name in asked}
    exchange = exchange_in(case.chosen(portion))
    return PlaceTests(tuple(places), options.statistic, values, exchange, options.family)


def columns(part, name: str, place) -> tuple:
    tests = part.calibrations.get(name)
    if tests is None:
        return (np.nan,) * len(COLUMNS)
    k, nodes = tests.keys.index(place), tests.by("nodes")
    null_T = tests.null[k]
    return (
        tests.score[k], null_T.mean(), null_T.std(), tests.z[k], tests.p[k], tests.p_family[k],
        tests.p_step_down[k], nodes.z[k], nodes.p_family[k],
    )  # fmt: skip


def memory(sizes: Sizes) -> int:
    """Returns the bytes that one unit needs."""
    some = 4 * (sizes.rows + sizes.nodes) * min(sizes.labellings, AT_ONCE)
    return 3 * sizes.place + some + 12 * min(sizes.rows, sizes.nodes) ** 2


def seconds(trial) -> float:
    options = trial.config.where
    asked = (*ALWAYS, options.statistic)
    return trial.time(do, trial.rows, trial.every_row(), asked, options.permutations, trial.seed)


STAGE = Stage(
    "where",
    Phase.EVERYWHERE,
    works=lambda level: [
        work(case, portion, place)
        for case in level.cases for place in case.source.places for portion in case.portions
    ],
    count=lambda counted: counted.everywhere * (3 if counted.chooses else 1) * counted.permuted,
    read=lambda level: {
        "calibrations": {
            case.name: case.calibrations[ALL] for case in level.cases if case.calibrations
        },
        "furthest": {case.name: case.furthest() for case in level.cases},
    },
    columns=Columns(COLUMNS, columns),
    seconds=seconds,
    everywhere=True,
    # Halves are half as large.
    timed_units=lambda counted, count: counted.everywhere * (1 + counted.chooses),
    disk=lambda sizes: 16 * sizes.labellings,
    memory=memory,
)  # fmt: skip
