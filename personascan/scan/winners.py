"""The best start of every run, scored in float64 from its integers."""

import numpy as np

from personascan.scan.devices import Searches
from personascan.scan.planes import unpack_nodes
from personascan.scan.problem import Ascent
from personascan.scan.result import ARRAYS, RunScans
from personascan.scan.task import Task


def keep_best(ascents: Ascent, task: Task, n_pool: int, n_nodes: int) -> RunScans:
    """Scores every start again in float64 and returns the best one of each run, over its groups."""
    search_R = np.arange(len(ascents.rank))
    size_RS = ascents.rows_M.sum(-1) * np.bitwise_count(ascents.nodes_W).sum(-1, dtype=np.int64)
    alpha_RS = task.tables.alphas_RA[search_R[:, None], ascents.rank]
    runs, sides = task.runs, task.options.sides
    scores_RS = task.options.phi(
        ascents.n_alpha.astype(np.float64), size_RS.astype(np.float64), alpha_RS, xp=np
    )
    scores_RS = np.where(ascents.first_rank < 0, np.nan, scores_RS)
    first_RS = np.where(
        ascents.first_rank < 0, np.nan, task.tables.alphas_RA[search_R[:, None], ascents.first_rank]
    )
    groups = len(search_R) // runs
    start_scores, start_alphas = best_of_groups(
        *(x.reshape(runs, groups, -1) for x in (scores_RS, first_RS))
    )
    flat = np.nanargmax(scores_RS.reshape(runs, -1), 1)
    best_search, best_start = np.divmod(flat, scores_RS.shape[1])
    best_search += np.arange(runs) * groups
    best = (best_search, best_start)
    some_R = scores_RS[best] > 0
    rows_RN = np.zeros((runs, n_pool), bool)
    np.logical_or.at(
        rows_RN,
        (np.arange(runs)[:, None], task.searches.rows_RM[best_search]),
        ascents.rows_M[best],
    )
    columns = [
        np.asarray(unpack_nodes(words[best], sides.columns(n_nodes)))
        for words in (ascents.nodes_W, ascents.high_W, ascents.low_W)
        if words is not None
    ]
    high_RD, low_RD = sides.split(*columns)
    return RunScans(
        score=scores_RS[best],
        alpha=np.where(some_R, alpha_RS[best], np.nan),
        rows=rows_RN,
        high_LRD=high_RD,
        low_LRD=low_RD,
        start_scores=start_scores,
        start_alphas=start_alphas,
        at_smallest_alpha=some_R & (ascents.rank[best] == 0),
    )


def best_of_groups(scores_RGS, alphas_RGS):
    """Returns each start's best over the groups: scores and alphas [R, S], NaN if none began."""
    best_R1S = np.where(np.isnan(scores_RGS), -1.0, scores_RGS).argmax(1)[:, None]
    return (np.take_along_axis(x, best_R1S, 1)[:, 0] for x in (scores_RGS, alphas_RGS))


def best_fractional(results, searches: Searches, runs: int, n_pool: int) -> RunScans:
    """Returns the best start of each run, over its groups."""
    groups = len(results) // runs
    fields = []
    for run in range(runs):
        group_results = results[run * groups : (run + 1) * groups]
        scores_GS = np.stack([one[0] for one in group_results])
        group, start = np.unravel_index(scores_GS.argmax(), scores_GS.shape)
        score_S, alpha_S, rows_SM, high_SD, low_SD, _, least = group_results[group]
        search = run * groups + group
        rows_N = np.zeros(n_pool, bool)
        rows_N[searches.rows_RM[search][searches.valid_RM[search]][rows_SM[start]]] = True
        first_GS = np.stack([one[5] for one in group_results])
        start_scores, start_alphas = best_of_groups(scores_GS[None], first_GS[None])
        at_least = score_S[start] > 0 and alpha_S[start] == least
        fields.append(
            (score_S[start], alpha_S[start], rows_N, high_SD[start], low_SD[start],
             start_scores[0], start_alphas[0], at_least)
        )  # fmt: skip
    return RunScans(*map(np.array, zip(*fields, strict=True)))


def stack_layers(results: list[RunScans]) -> RunScans:
    """Stacks results into one record with a leading axis of layers."""
    return RunScans(*(np.stack([getattr(r, name) for r in results]) for name in ARRAYS))
