"""Alphas, and the level of every possible background count.

A p-value is count/(n+1), so "p <= alpha" is a comparison of integers and exact on every backend. A
*level* is the index of the first alpha of a search at which an element is significant; the whole
search runs on levels. Letters: R searches, G background groups, B background rows, A alphas.
"""

from typing import NamedTuple

import numpy as np

from personascan.errors import InputError

TAILS = ("right", "left", "two")
GRID_STEPS = 50


class LevelTables(NamedTuple):
    """For each search the alphas, and the level of every possible background count.

    The level of an element is the lesser of both tables of its background group, at the number of
    its background values below and above it. Searches with fewer alphas or background rows than
    others are padded: with alphas that repeat the last, and with the level `n_alphas`, which no
    element is significant at.
    """

    alphas_RA: np.ndarray  # float64, ascending
    below_RGB: np.ndarray  # [R, G, n + 1], the smallest unsigned type that holds n_alphas
    above_RGB: np.ndarray
    n_alphas: int

    def search_alphas(self, chosen_R) -> "LevelTables":
        """The tables of some searches."""
        return LevelTables(
            self.alphas_RA[chosen_R],
            self.below_RGB[chosen_R],
            self.above_RGB[chosen_R],
            self.n_alphas,
        )


def level_tables(
    n_RG, *, tail: str, alpha_max: float, alpha_min: float, alphas, compat: bool = False
) -> LevelTables:
    """The tables of searches whose groups have `n_RG` background rows; keywords as `scan_runs`.

    A search without background groups has G = 1. With several, "exact" searches every alpha that
    any of them attains.

    Raises:
      InputError: alphas outside (0, 1), unsorted or of the wrong kind; an unknown tail; `compat`
        with exact alphas or the right tail.
    """
    check_tail(tail)
    check_range(alpha_max, alpha_min)
    exact = isinstance(alphas, str) and alphas == "exact"
    if compat and (exact or tail == "right"):
        raise InputError(
            'compat needs alphas="grid" or a sequence (its p-values can be 0), and tail left or two'
        )
    given_A = None if exact else given_alphas(alphas, alpha_max, alpha_min)
    sizes, of_search = np.unique(np.atleast_2d(n_RG), axis=0, return_inverse=True)
    alphas_of = [
        np.unique(np.concatenate([attained_alphas(n, tail, alpha_min, alpha_max) for n in sizes_G]))
        if exact
        else given_A
        for sizes_G in sizes
    ]
    # At least one alpha, so that a search without any is an ordinary one that finds nothing.
    n_alphas = max(1, *(len(alphas_A) for alphas_A in alphas_of))
    alphas_RA = np.full((len(sizes), n_alphas), 0.5)
    shape = (2, *sizes.shape, int(sizes.max()) + 1)
    tables = np.full(shape, n_alphas, np.min_scalar_type(n_alphas))
    for i, alphas_A in enumerate(alphas_of):
        if len(alphas_A):
            alphas_RA[i] = np.pad(alphas_A, (0, n_alphas - len(alphas_A)), mode="edge")
        for g, n in enumerate(sizes[i].tolist()):
            if compat:
                thresholds_A, by_count = alphas_A, published_pvalues(n, tail)
            else:
                thresholds_A, by_count = floor_rank(alphas_A, n), pvalue_ranks(n, tail)
            for table, p in zip(tables, by_count, strict=True):
                level = np.searchsorted(thresholds_A, p, side="left")
                table[i, g, : n + 1] = np.where(level == len(alphas_A), n_alphas, level)
    of_search = of_search.reshape(-1)
    return LevelTables(alphas_RA[of_search], tables[0][of_search], tables[1][of_search], n_alphas)


def smallest_attainable(n: int, tail: str) -> float:
    """The smallest p-value against n background rows."""
    return (2 if tail == "two" else 1) / (n + 1)


def unattainable(n_RG, *, tail: str, alpha_max: float, alpha_min: float, alphas) -> str:
    """What is wrong with alphas that no p-value of any search reaches: they find nothing, whatever
    the data are. "" where some p-value may; keywords as `scan_runs`.
    """
    n, step = int(np.max(n_RG)), 2 if tail == "two" else 1
    if isinstance(alphas, str) and alphas == "exact":
        reached = len(attained_alphas(n, tail, alpha_min, alpha_max)) > 0
        searched = f"from {alpha_min:g} to {alpha_max:g}"
    else:
        largest = given_alphas(alphas, alpha_max, alpha_min)[-1]
        reached, searched = floor_rank(largest, n) >= step, f"up to {largest:g}"
    if reached:
        return ""
    return (
        f"no p-value lies at the alphas searched ({searched}): against {n} background rows the "
        f"smallest attainable is {smallest_attainable(n, tail):.4g} (tail {tail}); raise alpha_max "
        "or the alphas, or take more background rows"
    )


def check_tail(tail: str) -> None:
    if tail not in TAILS:
        raise InputError(f"tail {tail!r} is unknown; use one of {', '.join(TAILS)}")


def check_range(alpha_max, alpha_min) -> None:
    for name, alpha in (("alpha_max", alpha_max), ("alpha_min", alpha_min or alpha_max)):
        if not np.isscalar(alpha) or not np.isreal(alpha) or isinstance(alpha, str):
            raise InputError(f"{name} must be a number, got {alpha!r}")
        if not 0 < alpha < 1:
            raise InputError(f"{name} = {alpha} is outside (0, 1)")
    if alpha_min > alpha_max:
        raise InputError(f"alpha_min = {alpha_min} exceeds alpha_max = {alpha_max}")


def attained_alphas(n: int, tail: str, alpha_min: float, alpha_max: float) -> np.ndarray:
    """Every p = k/(n+1) that occurs and lies in [alpha_min, alpha_max] (FGSS, Theorem 7)."""
    step = 2 if tail == "two" else 1
    ranks = np.arange(step, n + 1, step)
    least, most = np.ceil(alpha_min * (n + 1) - 1e-9), floor_rank(alpha_max, n)
    return ranks[(ranks >= least) & (ranks <= most)] / (n + 1)


def pvalue_ranks(n: int, tail: str) -> tuple[np.ndarray, np.ndarray]:
    """(n+1) p_max by the number of background values below x, and by the number above it."""
    beaten = np.arange(n, -1, -1) + 1  # those that beat or tie x, and x itself
    never = np.full(n + 1, n + 2)
    # Two-sided: twice the smaller tail; its cap at 1 lies above every alpha.
    return {"right": (beaten, never), "left": (never, beaten), "two": (2 * beaten, 2 * beaten)}[
        tail
    ]


def published_pvalues(n: int, tail: str) -> tuple[np.ndarray, np.ndarray]:
    """The p-values that the published code tests, in its order of float64 operations.

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


def floor_rank(alpha, n: int):
    """The largest integer k with k/(n+1) <= alpha, safe where alpha is a rounded k/(n+1)."""
    return np.floor(np.asarray(alpha) * (n + 1) + 1e-9).astype(np.int64)


def given_alphas(alphas, alpha_max: float, alpha_min: float) -> np.ndarray:
    """The alphas of a grid or of the caller's sequence, checked."""
    if isinstance(alphas, str):
        if alphas != "grid":
            raise InputError(f'alphas = {alphas!r} is unknown; use "exact", "grid" or a sequence')
        grid_A = np.linspace(alpha_max / GRID_STEPS, alpha_max, GRID_STEPS)
        return grid_A[grid_A >= alpha_min]
    try:
        alphas_A = np.atleast_1d(np.asarray(alphas, np.float64))
    except (ValueError, TypeError) as error:
        raise InputError(f"alphas must be a sequence of numbers, got {alphas!r}") from error
    if alphas_A.ndim != 1 or not alphas_A.size or not ((alphas_A > 0) & (alphas_A < 1)).all():
        raise InputError(f"alphas must be a sequence of numbers inside (0, 1), got {alphas}")
    if (np.diff(alphas_A) <= 0).any():
        raise InputError("alphas must be strictly ascending; sort them and drop repeats")
    if alphas_A[0] < alpha_min or alphas_A[-1] > alpha_max:
        raise InputError(
            f"alphas must lie within alpha_min = {alpha_min} and alpha_max = {alpha_max}; "
            "widen these bounds"
        )
    return alphas_A
