"""Tables of ranks: the rank of every possible background count.

A p-value is count/(n+1), so "p <= alpha" is a comparison of integers and exact on every backend. A
*rank* is the index of the first alpha of a search at which an element is significant; the whole
search runs on ranks. Letters: R searches, G background groups, B background rows, A alphas.
"""

from typing import NamedTuple

import numpy as np

from personascan.scan.alphas import floor_count
from personascan.scan.options import ScanOptions


class RankTables(NamedTuple):
    """For each search the alphas, and the rank of every possible background count.

    The ranks of an element are those of its background group, at the number of its background
    values below and above it. Searches with fewer alphas or background rows than others are padded:
    with alphas that repeat the last, and with the rank `n_alphas`, at which no element is
    significant.
    """

    alphas_RA: np.ndarray  # float64, ascending
    below_RGB: np.ndarray  # [R, G, n + 1], the smallest unsigned type that holds n_alphas
    above_RGB: np.ndarray
    n_alphas: int

    def rounded(self) -> "RankTables":
        """Returns the tables padded to a `rounded_size` of alphas: few compilations serve all."""
        n_alphas = rounded_size(self.n_alphas)
        spare = n_alphas - self.n_alphas
        kind = np.min_scalar_type(n_alphas)
        below_RGB, above_RGB = (
            np.where(ranks == self.n_alphas, n_alphas, ranks).astype(kind)
            for ranks in (self.below_RGB, self.above_RGB)
        )
        alphas_RA = np.pad(self.alphas_RA, ((0, 0), (0, spare)), mode="edge")
        return RankTables(alphas_RA, below_RGB, above_RGB, n_alphas)


SMALLEST = 16


def rounded_size(size: int) -> int:
    """Returns the next of a few sizes, four between two powers of two; at least 16."""
    step = max(SMALLEST, 1 << (max(size, 1) - 1).bit_length()) // 8
    return max(SMALLEST, -(-size // step) * step)


def rank_tables(n_RG, options: ScanOptions) -> RankTables:
    """Returns the tables of searches whose groups have `n_RG` background rows.

    A search without background groups has G = 1. With several, "exact" searches every alpha that
    any of them attains.
    """
    sizes, of_search = np.unique(np.atleast_2d(n_RG), axis=0, return_inverse=True)
    alphas_of = [options.alphas_for(sizes_G) for sizes_G in sizes]
    # At least one alpha, so that a search without any is an ordinary one that finds nothing.
    n_alphas = max(1, *(len(alphas_A) for alphas_A in alphas_of))
    alphas_RA = np.full((len(sizes), n_alphas), 0.5)
    shape = (2, *sizes.shape, int(sizes.max()) + 1)
    tables = np.full(shape, n_alphas, np.min_scalar_type(n_alphas))
    for i, alphas_A in enumerate(alphas_of):
        if len(alphas_A):
            alphas_RA[i] = np.pad(alphas_A, (0, n_alphas - len(alphas_A)), mode="edge")
        for g, n in enumerate(sizes[i].tolist()):
            if options.compat:
                thresholds_A, by_count = alphas_A, published_pvalues(n, options.tail)
            else:
                thresholds_A, by_count = floor_count(alphas_A, n), options.sides.counts(n)
            for table, p in zip(tables, by_count, strict=True):
                rank = np.searchsorted(thresholds_A, p, side="left")
                table[i, g, : n + 1] = np.where(rank == len(alphas_A), n_alphas, rank)
    of_search = of_search.reshape(-1)
    return RankTables(alphas_RA[of_search], tables[0][of_search], tables[1][of_search], n_alphas)


def published_pvalues(n: int, tail: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the p-values that the published code tests, in its order of float64 operations.

    Left: 1 - p_max of the right tail. Two-sided, from the right-tail range: 2 p_max below one
    half, 2 (1 - p_min) above it, otherwise 1, which no alpha reaches.
    """
    count = np.arange(n + 1)
    right_p_max, right_p_min = (n - count + 1) / (n + 1), count / (n + 1)
    if tail == "left":
        return 1 - right_p_max, np.ones(n + 1)
    return (
        np.where(right_p_max < 0.5, 2 * right_p_max, 1.0),
        np.where(right_p_min > 0.5, 2 * (1 - right_p_min), 1.0),
    )
