"""Scans that count ties in part: the p-value ranges of FGSS, in float64 on the host.

An element whose p-value range contains alpha counts by the share of the range below it (FGSS, JMLR
14:1533, section 3.2), not all or nothing by p_max.
Letters: A alphas, M evaluation rows, D nodes.
"""

from functools import lru_cache

import numpy as np

from personascan.scan.options import ScanOptions
from personascan.scan.pvalues import empirical_pvalues

CELLS_AT_ONCE = 2**24  # alphas x rows x nodes held together
RISE = 1 + 1e-12  # less is rounding


def fractions(p_min, p_max, alpha: float, tail: str):
    """Returns the share of each p-value range that is significant at alpha.

    One-sided: the share of [p_min, p_max] below alpha. Two-sided: the share of the right tail's
    range inside [0, alpha/2] or [1 - alpha/2, 1]; p_min and p_max are then the right tail's.
    """
    width = p_max - p_min
    if tail != "two":
        return np.clip((alpha - p_min) / width, 0, 1)
    high = np.clip(alpha / 2 - p_min, 0, width)
    low = np.clip(p_max - (1 - alpha / 2), 0, width)
    return (high + low) / width


def fractional_alphas(sizes, options: ScanOptions) -> np.ndarray:
    """Returns the ends of the ranges and alpha_max (FGSS, Theorem 7), or the alphas that are given.

    Between two ends the count rises linearly with alpha, so that alpha_max itself can be best.
    """
    alphas_A = options.alphas_for(sizes)
    return np.union1d(alphas_A, [options.alpha_max]) if options.alphas == "exact" else alphas_A


def shares_of(ranges, alphas_A, tail: str):
    """Returns a function from an alpha's index to the share of each range; it caches the latest."""

    @lru_cache(max(1, CELLS_AT_ONCE // ranges.p_min.size))
    def shares(a: int):
        return fractions(ranges.p_min, ranges.p_max, alphas_A[a], tail)

    return shares


def ascend(shares, alphas_A, rows_M, phi):
    """Alternates over all alphas from one row set: (score, alpha, rows, nodes, first alpha).

    The first alpha is the best one for that row set.
    """
    best, first = (0.0, np.nan, np.zeros_like(rows_M), np.zeros(shares(0).shape[1], bool)), None
    while rows_M.any():
        node_counts = (shares(a)[rows_M].sum(0) for a in range(len(alphas_A)))
        score, alpha, nodes_D = best_prefix(node_counts, rows_M, alphas_A, phi)
        first = alpha if first is None else first
        if score <= best[0] * RISE:
            return *best, first
        row_counts = (shares(a)[:, nodes_D].sum(1) for a in range(len(alphas_A)))
        score, alpha, chosen_M = best_prefix(row_counts, nodes_D, alphas_A, phi)
        if score <= best[0] * RISE:
            return *best, first
        rows_M, best = chosen_M, (score, alpha, chosen_M, nodes_D)
    return *best, np.nan


def best_prefix(counts, others, alphas_A, phi):
    """Returns the best alpha and prefix of the members by count: (score, alpha, members)."""
    best = (0.0, np.nan, None)
    for alpha, count_X in zip(alphas_A, counts, strict=True):
        order_X = np.argsort(-count_X, kind="stable")
        size_X = np.arange(1, count_X.size + 1) * others.sum()
        score_X = phi(np.cumsum(count_X[order_X]), size_X.astype(float), alpha, xp=np)
        cut = int(score_X.argmax())
        if score_X[cut] > best[0]:
            best = (
                float(score_X[cut]),
                alpha,
                np.isin(np.arange(count_X.size), order_X[: cut + 1]),
            )
    return best if best[2] is not None else (0.0, np.nan, np.zeros(count_X.size, bool))


def scan_fractional(layer_ND, background_RN, searches, label_N, rngs, options: ScanOptions) -> list:
    """Makes every start of every search of one layer.

    Args:
      searches: a `devices.Searches`; label_N: the background group of each pool row.
      rngs: one generator for each search.

    Returns:
      For each search (score [S], alpha [S], rows [S, M], high [S, D], low [S, D], first alpha
      [S], least alpha).
    """
    tail, phi, results = options.tail, options.phi, []
    for r, (background_N, rng) in enumerate(zip(background_RN, rngs, strict=True)):
        rows = searches.rows_RM[r][searches.valid_RM[r]]
        background = np.flatnonzero(background_N)
        ranges = empirical_pvalues(
            layer_ND[background],
            layer_ND[rows],
            tail="right" if tail == "two" else tail,
            background_groups=(label_N[background], label_N[rows]),
        )
        sizes = np.bincount(label_N[background])[np.unique(label_N[rows])]
        alphas_A = fractional_alphas(sizes, options)
        shares = shares_of(ranges, alphas_A, tail)
        if searches.starts_RSM is None:
            starts_SM = row_sets(rng, shares, alphas_A, options.number, phi)
        else:
            starts_SM = searches.starts_RSM[r][:, searches.valid_RM[r]]
        ends = [ascend(shares, alphas_A, rows_M, phi) for rows_M in starts_SM]
        score_S, alpha_S, rows_SM, columns_SC, first_S = map(np.array, zip(*ends, strict=True))
        mostly = []
        if options.sides.mixed:
            # The middle of a right tail's range lies below one half where the value is high.
            is_high_MD = ranges.p_min + ranges.p_max < 1
            sign_SD = np.array([node_signs(end, shares, alphas_A, is_high_MD) for end in ends])
            mostly = [sign_SD > 0, sign_SD < 0]
        high_SD, low_SD = options.sides.split(columns_SC, *mostly)
        results.append((score_S, alpha_S, rows_SM, high_SD, low_SD, first_S, alphas_A[0]))
    return results


def node_signs(end, shares, alphas_A, is_high_MD) -> np.ndarray:
    """Returns 1 where most of a node's significant share is high, -1 where low, else 0: [D]."""
    score, alpha, rows_M, nodes_D, _ = end
    if score == 0:
        return np.zeros(len(nodes_D))
    share_MD = shares(int(np.searchsorted(alphas_A, alpha)))[rows_M]
    excess_D = np.where(is_high_MD[rows_M], share_MD, -share_MD).sum(0)
    return np.sign(excess_D.round(12))


def row_sets(rng, shares, alphas_A, starts: int, phi) -> np.ndarray:
    """Returns row sets [S, M] in the order all rows, all nodes, random subsets."""
    rows, nodes = shares(0).shape
    chosen_SM = rng.random((starts, rows)) < rng.random((starts, 1))
    chosen_SM[np.arange(starts), rng.integers(rows, size=starts)] = True
    chosen_SM[0] = True
    if starts > 1:
        all_nodes = np.ones(nodes, bool)
        counts = (shares(a).sum(1) for a in range(len(alphas_A)))
        chosen_SM[1] = best_prefix(counts, all_nodes, alphas_A, phi)[2]
    return chosen_SM
