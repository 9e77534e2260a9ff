"""Evidence: every row and every node of a comparison at its furthest place, for its page.

It is the place that sentences name, whether or not a half chose it or the configuration names it.
Letters: N rows, D nodes, K of them whose values are kept.
"""

from dataclasses import dataclass, field

import numpy as np

from personascan.calibration.node_tests import Nodes, node_tests
from personascan.places import Place
from personascan.study.portions import ALL, portion_seed
from personascan.study.rows import StoredRows
from personascan.study.stage import Phase, Sizes, Stage
from personascan.study.stages import crossfit, nodes
from personascan.study.stages.where import LabelledRows, labellings_of
from personascan.study.units import Unit, Work

KEPT = 24  # nodes, those of the largest effects, whose value in every row is kept


@dataclass(frozen=True)
class Evidence:
    """What is known of the rows and nodes of a comparison at its furthest place."""

    place: Place
    tested: Nodes  # on all rows
    kept_K: np.ndarray  # the nodes whose values are kept
    # [N, K]: in deviations of the H0 rows from their mean.
    value_NK: np.ndarray = field(repr=False)
    # [N]: by a direction that did not see the row, 0 between the sides; None of too few rows.
    score_N: np.ndarray | None = field(repr=False)


def work(case, place) -> Work:
    rows, chosen = case.rows(place), case.every_row
    permutations, seed = case.config.where.permutations, portion_seed(ALL, case.seed)
    inputs = rows.inputs(case.pool.positive_N) | chosen.inputs() | {
        "permutations": permutations, "seed": seed, "kept": KEPT,
    }  # fmt: skip
    return Work(Unit("evidence", inputs), do, (rows, chosen, permutations, seed))


def do(rows: StoredRows, chosen: LabelledRows, permutations: int, seed: int):
    place_ND = rows.array()
    tests = node_tests("a place", place_ND, labellings_of(chosen, permutations, seed))
    kept_K = np.argsort(-np.abs(tests.effect), kind="stable")[:KEPT]
    arrays = {f"{name}_D": getattr(tests, name) for name in nodes.NODES}
    value_NK = in_deviations(place_ND[:, kept_K], chosen.positive_N)
    return {}, arrays | {"kept_K": kept_K, "value_NK": value_NK}


def in_deviations(value_NK, positive_N) -> np.ndarray:
    """Returns values less their mean over H0, in deviations of H0; 0 where H0 is constant."""
    value_NK = np.asarray(value_NK, np.float64)
    mean_K, deviation_K = value_NK[~positive_N].mean(0), value_NK[~positive_N].std(0)
    known_K = deviation_K > 0
    return np.where(known_K, (value_NK - mean_K) / np.where(known_K, deviation_K, 1), 0.0)


def works(level) -> list[Work]:
    return [work(case, case.furthest()) for case in level.cases if case.portions]


def read_case(case) -> Evidence:
    place = case.furthest()
    arrays = case.read(work(case, place)).arrays
    return Evidence(
        place,
        Nodes(**{name: arrays[f"{name}_D"] for name in nodes.NODES}),
        arrays["kept_K"],
        arrays["value_NK"],
        crossfit.read_place(case, place).score_N if case.holds_out else None,
    )


def disk(sizes: Sizes) -> int:
    return 56 * sizes.nodes + 8 * KEPT * sizes.rows


STAGE = Stage(
    "evidence",
    Phase.CHOSEN,
    works=works,
    count=lambda counted: counted.comparisons * counted.permuted,
    read=lambda level: {
        "evidence": {case.name: read_case(case) for case in level.cases if case.portions}
    },
    seconds=nodes.seconds,
    disk=disk,
    memory=nodes.memory,
)
