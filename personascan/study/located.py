"""Units of labelled rows: a place beside permuted labels, its nodes, and what is told of new rows.

Labels are known here: nothing is scanned for. Arrays go by path, as in `stages`.
"""

import functools
from dataclasses import dataclass

import numpy as np

from personascan.analysis.crossfit import Crossfit, crossfit_place, folds_of
from personascan.analysis.heads import Heads, head_tests
from personascan.analysis.localisation import as_columns
from personascan.analysis.wording import held_out_wording
from personascan.calibration.exchangeable import Exchange, draw_exchanges, exchange_by
from personascan.calibration.locate import ALWAYS, PlaceTests
from personascan.calibration.node_tests import Nodes, node_tests
from personascan.calibration.statistics import Labelled, place_statistics
from personascan.hashes import text_sha256
from personascan.study.rows import StoredRows
from personascan.study.store import Result
from personascan.study.units import Unit, Work, canonical
from personascan.study.whereplan import WherePlan

HEAD_ARRAYS = ("r2", "null_mean", "p_family")
NODE_ARRAYS = ("effect", "p", "p_family", "q", "mean_difference", "readout", "template")


@dataclass(frozen=True)
class Chosen:
    """Some rows of a pool with their labels, and who may be exchanged with whom."""

    rows: np.ndarray  # numbers into the pool
    positive_N: np.ndarray  # of these rows
    entities_N: np.ndarray | None
    pairs_N: np.ndarray | None = None

    def inputs(self) -> dict:
        """What of them decides a result, beside the rows of the whole pool."""
        together = [] if self.entities_N is None else np.asarray(self.entities_N).tolist()
        found = {"part": text_sha256(canonical([self.rows.tolist(), together]))}
        if self.pairs_N is not None:
            found["pairs"] = text_sha256(canonical(self.pairs_N.tolist()))
        return found

    @property
    def together_N(self) -> np.ndarray | None:
        """Rows that folds keep together."""
        return self.entities_N if self.pairs_N is None else self.pairs_N


def chosen_rows(pool, rows) -> Chosen:
    entities_N, pairs_N = (
        None if one is None else one[rows] for one in (pool.clusters, pool.pairs)
    )
    if pairs_N is not None:
        entities_N = None
    return Chosen(rows, pool.positive_N[rows], entities_N, pairs_N)


def exchange_in(part: Chosen) -> Exchange:
    """How labels of these rows may be exchanged. Raises InputError where they cannot be."""
    return exchange_by(part.positive_N, part.entities_N, part.pairs_N)


@functools.lru_cache(maxsize=8)
def labelled_once(
    positive: bytes, entities: bytes, pairs: bytes, permutations: int, seed: int
) -> Labelled:
    """The labellings of a comparison: drawn once by a process, for all places."""
    groups = (np.frombuffer(one, np.int64) if one else None for one in (entities, pairs))
    exchange = exchange_by(np.frombuffer(positive, bool), *groups)
    return Labelled(exchange, draw_exchanges(exchange, permutations, seed))


def labelled(part: Chosen, permutations: int, seed: int) -> Labelled:
    groups = (
        b"" if one is None else one.astype(np.int64).tobytes()
        for one in (part.entities_N, part.pairs_N)
    )
    return labelled_once(part.positive_N.tobytes(), *groups, permutations, seed)


def where_work(rows: StoredRows, pool, chosen, plan: WherePlan, seed: int) -> Work:
    """The statistics of a place under the labels and their permutations."""
    part, asked = chosen_rows(pool, chosen), tuple(dict.fromkeys((*ALWAYS, plan.statistic)))
    inputs = rows.inputs(pool.positive_N) | part.inputs() | {
        "statistics": list(asked), "permutations": plan.permutations, "seed": seed,
    }  # fmt: skip
    return Work(Unit("where", inputs), where, (rows, part, asked, plan.permutations, seed))


def where(rows: StoredRows, part: Chosen, asked, permutations: int, seed: int):
    labels = labelled(part, permutations, seed)
    found = place_statistics("a place", rows.array()[part.rows], labels, asked)
    return {}, {f"{name}_T": values_T for name, values_T in found.items()}


def tests_of(keys: tuple, results: list[Result], part: Chosen, plan: WherePlan) -> PlaceTests:
    """The family of all places, from finished units."""
    asked = dict.fromkeys((*ALWAYS, plan.statistic))
    values = {name: np.stack([one.arrays[f"{name}_T"] for one in results]) for name in asked}
    return PlaceTests(keys, plan.statistic, values, exchange_in(part), plan.family)


def nodes_work(
    rows: StoredRows, pool, chosen, plan: WherePlan, node_q: float, halves: int, seed: int,
    head_width: int = 0,
) -> Work:  # fmt: skip
    """The tests of every node of a place, and the set of those with a small q.

    head_width: nodes of an attention head, where they are outputs of heads.
    """
    part = chosen_rows(pool, chosen)
    inputs = rows.inputs(pool.positive_N) | part.inputs() | {
        "permutations": plan.permutations, "node_q": node_q, "halves": halves, "seed": seed,
    }  # fmt: skip
    inputs |= {"head_width": head_width} if head_width else {}
    arguments = (rows, part, plan.permutations, node_q, halves, seed, head_width)
    return Work(Unit("nodes", inputs), nodes, arguments)


def nodes(
    rows: StoredRows, part: Chosen, permutations: int, node_q: float, halves: int, seed: int,
    head_width: int = 0,
):  # fmt: skip
    place_ND, labels = rows.array()[part.rows], labelled(part, permutations, seed)
    found = node_tests("a place", place_ND, labels)
    arrays = {f"{name}_D": getattr(found, name) for name in NODE_ARRAYS}
    size_C = as_columns(np.abs(found.effect), found.effect, halves)
    arrays["set_1C"] = as_columns(found.q <= node_q, found.effect, halves)[None]
    arrays["size_1C"] = size_C[None]
    if head_width:
        heads = head_tests(place_ND, labels, head_width)
        arrays |= {f"head_{name}_H": getattr(heads, name) for name in HEAD_ARRAYS}
    return {}, arrays


def heads_of(result: Result) -> Heads | None:
    """The heads of a place whose nodes are their outputs."""
    if "head_r2_H" not in result.arrays:
        return None
    return Heads(**{name: result.arrays[f"head_{name}_H"] for name in HEAD_ARRAYS})


def nodes_of(result: Result) -> Nodes:
    return Nodes(**{name: result.arrays[f"{name}_D"] for name in NODE_ARRAYS})


def crossfit_work(rows: StoredRows, pool, plan: WherePlan, seed: int) -> Work:
    """What directions of all folds but one say of its rows, and how far out the place is there."""
    part = chosen_rows(pool, np.arange(len(pool.ids)))
    inputs = rows.inputs(pool.positive_N) | part.inputs() | {
        "folds": plan.folds, "permutations": plan.fold_permutations, "seed": seed,
    }  # fmt: skip
    arguments = (rows, part, plan.folds, plan.fold_permutations, seed)
    return Work(Unit("crossfit", inputs), crossfit, arguments)


def crossfit(rows: StoredRows, part: Chosen, folds: int, permutations: int, seed: int):
    found = crossfit_place(
        rows.array(), part.positive_N, folds, permutations, seed, part.entities_N, part.pairs_N
    )
    return {}, {"z_K": found.z_K, "score_N": found.score_N}


def crossfit_of(result: Result) -> Crossfit:
    return Crossfit(result.arrays["z_K"], result.arrays["score_N"])


def words_work(pool, texts: list[str], plan: WherePlan, seed: int) -> Work:
    """What word counts of all folds but one say of its texts."""
    part = chosen_rows(pool, np.arange(len(pool.ids)))
    labels = pool.positive_N.astype(int).tolist()
    inputs = part.inputs() | {
        "texts": text_sha256(canonical([texts, labels])), "folds": plan.folds, "seed": seed,
    }  # fmt: skip
    return Work(Unit("words", inputs), words, (texts, part, plan.folds, seed))


def words(texts, part: Chosen, folds: int, seed: int):
    fold_N = folds_of(part.positive_N, folds, seed, part.together_N)
    return {}, {"score_N": held_out_wording(texts, part.positive_N, fold_N)}
