"""Kinds: the rows of H1 in the order of their own first component on found nodes."""

from dataclasses import dataclass

import numpy as np

from personascan.analysis.kinds import Kinds, kinds
from personascan.analysis.localisation import HALVES
from personascan.places import Place
from personascan.study.portions import ALL, portion_rows
from personascan.study.rows import StoredRows
from personascan.study.stage import PLACE, Phase, Stage, Table, place_cells
from personascan.study.stages import nodes
from personascan.study.store import read_stored
from personascan.study.units import Unit, Work, sha256_of


@dataclass(frozen=True)
class OrderedRows:
    """H1 rows in the order of their kinds, at one place."""

    place: Place
    portion: str  # whose nodes and component these are
    rows: np.ndarray  # into the comparison's pool
    nodes: int  # of the set
    kinds: Kinds


def work(case, portion: str, place) -> Work:
    """Returns the unit of one half's H1 rows by the other's nodes and component, or of all rows."""
    rows, pool = case.rows(place), case.pool
    unit, file = nodes.file_of(case, portion, place)
    fit, ordered, others = sides(pool, portion, case.seed)
    inputs = rows.inputs(pool.positive_N) | {
        "found": unit.key, "rows": sha256_of([one.tolist() for one in (fit, ordered, others)]),
    }  # fmt: skip
    return Work(Unit("kinds", inputs), do, (rows, file, fit, ordered, others))


def sides(pool, portion: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns H1 rows that make the component, those it orders, and those of a second component."""

    def of(name: str) -> np.ndarray:
        rows = portion_rows(pool, name, seed)
        return rows[pool.positive_N[rows]]

    if portion == ALL:
        return of(HALVES[0]), of(ALL), of(HALVES[1])
    other = HALVES[1 - HALVES.index(portion)]
    return of(portion), of(other), of(other)


def do(rows: StoredRows, file, fit, ordered, others):
    nodes_D = read_stored(file)[0].reshape(-1, rows.shape[1]).any(0)
    order = kinds(rows.array(), nodes_D, fit, ordered, others)
    values = {"share": order.share, "agreement": order.agreement, "nodes": int(nodes_D.sum())}
    return values, {"score_N": order.score_N, "rows": ordered}


def sets(case) -> list[tuple[str, Place]]:
    """Returns (portion, place) of the node sets that order rows of H1."""
    if not case.portions:
        return []
    chosen = [(chooser, place) for chooser, _, place, _ in case.choices()]
    return chosen + [(ALL, place) for place in case.named]


def ordered_rows(case, portion: str, place) -> OrderedRows:
    """Returns ordered rows from a finished unit."""
    result = case.read(work(case, portion, place))
    values, arrays = result.values, result.arrays
    order = Kinds(arrays["score_N"], values["share"], values["agreement"])
    return OrderedRows(place, portion, arrays["rows"], values["nodes"], order)


def table_rows(part):
    """Yields rows of H1 in the order of their kinds."""
    for name, orders in part.kinds.items():
        for one in orders:
            for row, score in zip(one.rows, one.kinds.score_N, strict=True):
                yield *place_cells(one.place), name, one.portion, part.pool_ids[name][row], score


def seconds(trial) -> float:
    file = trial.store_array("kinds", np.ones((1, trial.rows.shape[1]), bool))
    pool = trial.counted.largest
    return trial.time(do, trial.rows, file, *sides(pool, ALL, trial.seed_of(pool)))


STAGE = Stage(
    "kinds",
    Phase.JUDGED,
    works=lambda level: [work(case, *one) for case in level.cases for one in sets(case)],
    count=lambda counted: (
        counted.comparisons * (2 * counted.chooses + counted.named) * counted.permuted
    ),
    read=lambda level: {
        "kinds": {
            case.name: [ordered_rows(case, *one) for one in sets(case)]
            for case in level.cases if case.portions
        }
    },
    tables={"kinds": Table((*PLACE, "comparison", "nodes_of", "id", "component"), table_rows)},
    seconds=seconds,
    disk=lambda sizes: 16 * sizes.rows,
    memory=lambda sizes: 2 * sizes.place,
)  # fmt: skip
