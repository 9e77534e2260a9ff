"""The exact scan of one row alone, for all rows at once.

Ranks are computed in blocks of nodes, scores in blocks of rows, both over the host's threads. Only
a few blocks are held at a time, besides the inputs and the ranks of all rows.
"""

import numpy as np

from personascan.array_like import ArrayLike
from personascan.errors import InputError
from personascan.scan.counts import over_blocks, over_even_blocks
from personascan.scan.memory import individual_memory, refuse_individual, rows_at_once
from personascan.scan.options import ScanOptions
from personascan.scan.pvalues import block_keys, check_pair, split_by_group
from personascan.scan.ranks import RankTables, rank_tables
from personascan.scan.result import IndividualScan
from personascan.scan.thresholds import step_ranks, tail_steps


def individual_scan(
    background_BD: ArrayLike,
    evaluation_ND: ArrayLike,
    *,
    score: str = "bj",
    tail: str = "signed",
    alpha_max: float = 0.5,
    alpha_min: float = 0.0,
    alphas: str | ArrayLike = "exact",
    background_groups: tuple[ArrayLike, ArrayLike] | None = None,
    compat: bool = False,
) -> IndividualScan:
    """Finds the best node set of every evaluation row, exactly.

    For one row and one alpha the best set is the k nodes with p <= alpha, where N_alpha = N = k:
    Berk-Jones k ln(1/a), Higher Criticism sqrt(k (1-a)/a), Kolmogorov-Smirnov sqrt(k) (1-a)
    (linear-time subset scanning, Neill 2012, for a single record).

    Args:
      background_BD, evaluation_ND: activations, NumPy or JAX, with the same D nodes.
      score: "bj", "hc" or "ks".
      tail: "signed", "right", "left" or "two", as in `scan_runs`.
      alpha_max, alpha_min: the range of alphas searched, inside (0, 1); alpha_min 0 is no bound.
      alphas: "exact", "grid", "log" or an ascending sequence, as in `scan_runs`.
      background_groups: as in `empirical_pvalues`.
      compat: test the published code's p-values (needs a grid or a sequence).

    Returns:
      IndividualScan with score, alpha and size [N]; `row(i)` is the node set of row i, whose
      `high` and `low` are the numbers of its nodes.

    Raises:
      InputError: as `empirical_pvalues`, and for alphas outside (0, 1) or an unknown score.
    """
    options = ScanOptions(
        score=score, tail=tail, alpha_max=alpha_max, alpha_min=alpha_min, alphas=alphas,
        compat=compat,
    )  # fmt: skip
    return scan_alone(background_BD, evaluation_ND, options, background_groups=background_groups)


def scan_alone(
    background_BD, evaluation_ND, options: ScanOptions, *, background_groups=None
) -> IndividualScan:
    """Runs `individual_scan` with its options as a record, whose starts are not used."""
    if options.ties != "whole":
        raise InputError(
            f'an individual scan counts ties whole, not {options.ties}; use ties="whole"'
        )
    background_BD, evaluation_ND = check_pair(background_BD, evaluation_ND)
    parts = split_by_group(background_BD, evaluation_ND, background_groups)
    sizes_G = np.array([len(np.arange(len(background_BD))[members]) for members, _ in parts])
    tables = rank_tables(sizes_G[None], options)
    refuse_individual(individual_memory(background_BD, evaluation_ND, tables))
    high_ND, low_ND = both_ranks(background_BD, evaluation_ND, parts, sizes_G, tables)
    if not options.sides.high:  # published p-values of the left tail are in the other table
        np.minimum(high_ND, low_ND, out=low_ND)
        high_ND[:] = tables.n_alphas
    alphas_A = tables.alphas_RA[0]
    score_N, best_N, size_N = best_of_rows(high_ND, low_ND, alphas_A, options)
    some_N = score_N > 0
    return IndividualScan(
        score=score_N,
        alpha=np.where(some_N, alphas_A[best_N], np.nan),
        size=np.where(some_N, size_N, 0),
        high_rank_ND=high_ND,
        low_rank_ND=low_ND,
        best_rank_N=np.where(some_N, best_N, -1).astype(np.int32),
        note=options.unattainable(sizes_G),
    )


def both_ranks(background_BD, evaluation_ND, parts, sizes_G, tables: RankTables):
    """Returns the ranks of every row in the right tail and in the left: two [N, D]."""
    kind = tables.below_RGB.dtype
    ranks = tuple(np.empty(evaluation_ND.shape, kind) for _ in range(2))
    steps_G = [
        tail_steps(below_B[: n + 1], above_B[: n + 1])
        for below_B, above_B, n in zip(*(t[0] for t in tables[1:3]), sizes_G, strict=True)
    ]

    def fill(block: slice) -> None:
        keys_DB, keys_DN = block_keys(background_BD, evaluation_ND, block)
        for (members, rows), tails in zip(parts, steps_G, strict=True):
            sorted_DB = np.sort(keys_DB[:, members], axis=1)
            values_DE = np.ascontiguousarray(keys_DN[:, rows])
            for rank_ND, steps in zip(ranks, tails, strict=True):
                rank_ND[rows, block] = step_ranks(sorted_DB, values_DE, steps, kind).T

    over_even_blocks(fill, evaluation_ND.shape[1], len(background_BD) + len(evaluation_ND))
    return ranks


def best_of_rows(high_ND, low_ND, alphas_A, options: ScanOptions):
    """Returns the best score of every row, its alpha's index and its size: three [N]."""
    rows, n_alphas = len(high_ND), len(alphas_A)
    score_N, best_N, size_N = (np.zeros(rows, kind) for kind in (float, int, int))
    at_once = rows_at_once(n_alphas)
    # Two p-values of a node add up to more than 1: up to one half only one of them is significant.
    both_halves = options.sides.halves == 2 and alphas_A[-1] > 0.5

    def score(first: int) -> None:
        block = slice(first, first + at_once)
        high_ED, low_ED = high_ND[block], low_ND[block]
        columns = (high_ED, low_ED) if both_halves else (np.minimum(high_ED, low_ED),)
        sizes_EA = sum(rank_sizes(ranks_ED, n_alphas) for ranks_ED in columns)
        scores_EA = options.phi(sizes_EA, sizes_EA, alphas_A, xp=np)
        best_N[block] = scores_EA.argmax(1)
        best = (np.arange(len(scores_EA)), best_N[block])
        score_N[block], size_N[block] = scores_EA[best], sizes_EA[best]

    over_blocks(score, rows, at_once)
    return score_N, best_N, size_N


def rank_sizes(ranks_ED, n_alphas: int) -> np.ndarray:
    """Counts the columns of each row that are significant at each alpha: [E, A]."""
    rows, bins = len(ranks_ED), n_alphas + 1
    # One histogram of all rows, each with bins of its own.
    bins_ED = np.add(ranks_ED, bins * np.arange(rows)[:, None], dtype=np.intp)
    counts_EX = np.bincount(bins_ED.ravel(), minlength=rows * bins).reshape(rows, bins)
    return counts_EX[:, :n_alphas].cumsum(1)
