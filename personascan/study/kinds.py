"""Units of kinds: the rows of H1 in the order of their own first component on found nodes."""

from dataclasses import dataclass

import numpy as np

from personascan.analysis.kinds import Kinds, kinds
from personascan.hashes import text_sha256
from personascan.places import Place
from personascan.study.rows import StoredRows
from personascan.study.stages import ALL, HALVES, part_rows
from personascan.study.store import Result, read_stored
from personascan.study.units import Unit, Work, canonical


def kinds_work(rows: StoredRows, pool, found: tuple[Unit, str], part: str, seed: int) -> Work:
    """The H1 rows of one half by the nodes and the component of the other; or of all rows.

    found: the unit of the node set and its file. part: whose nodes these are.
    """
    unit, file = found
    fit, ordered, others = sides(pool, part, seed)
    inputs = rows.inputs(pool.positive_N) | {
        "found": unit.key,
        "rows": text_sha256(canonical([one.tolist() for one in (fit, ordered, others)])),
    }
    return Work(Unit("kinds", inputs), kinds_at, (rows, file, fit, ordered, others))


def sides(pool, part: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """H1 rows that make the component, those it orders, and those that make another one."""

    def of(name: str) -> np.ndarray:
        rows = part_rows(pool, name, seed)
        return rows[pool.positive_N[rows]]

    if part == ALL:
        return of(HALVES[0]), of(ALL), of(HALVES[1])
    other = HALVES[1 - HALVES.index(part)]
    return of(part), of(other), of(other)


def kinds_at(rows: StoredRows, file, fit, ordered, others):
    columns_C = read_stored(file)[0]
    nodes_D = columns_C.reshape(-1, rows.shape[1]).any(0)
    found = kinds(rows.array(), nodes_D, fit, ordered, others)
    values = {"share": found.share, "agreement": found.agreement, "nodes": int(nodes_D.sum())}
    return values, {"score_N": found.score_N, "rows": ordered}


@dataclass(frozen=True)
class OrderedRows:
    """H1 rows in the order of their kinds, at one place."""

    place: Place
    part: str  # whose nodes and component these are
    rows: np.ndarray  # into the comparison's pool
    nodes: int  # of the set
    kinds: Kinds


def ordered_rows(place: Place, part: str, result: Result) -> OrderedRows:
    values, arrays = result.values, result.arrays
    found = Kinds(arrays["score_N"], values["share"], values["agreement"])
    return OrderedRows(place, part, arrays["rows"], values["nodes"], found)
