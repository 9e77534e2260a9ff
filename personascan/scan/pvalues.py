"""Empirical p-values as integers: pooled ranks -> counts of background values -> levels.

A p-value is count/(n+1), so "p <= alpha" is a comparison of integers and exact on every backend.
A *level* is the index of the first alpha of a search at which an element is significant; the whole
search runs on levels. Letters: N rows of the pool, B background rows, D nodes, A alphas.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.scan.result import PValueRange

TAILS = ("right", "left", "two")
GRID_STEPS = 50


class Ranks(NamedTuple):
    """The one sort of a pool; any background is then a cumulative sum of its mask along it."""

    order_ND: np.ndarray  # int32: row numbers of each node in ascending order of value
    below_ND: np.ndarray  # int32: pool values less than this one
    upto_ND: np.ndarray  # int32: pool values less than or equal to this one


class LevelTables(NamedTuple):
    """For each run the alphas searched, and the level of every possible background count.

    The level of an element is the lesser of both tables, at the number of background values below
    and above it. Runs with fewer alphas or background rows than others are padded with levels that
    no element reaches.
    """

    alphas_RA: np.ndarray  # float64, ascending
    below_RB: np.ndarray  # int32 [R, n + 1]
    above_RB: np.ndarray  # int32 [R, n + 1]


def as_matrix(name: str, values) -> np.ndarray:
    """`values` as a finite float [rows, nodes] array, or an InputError that says where not."""
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(f"{name} is a masked array; fill or drop its masked values first")
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name} is not an array of numbers ({error})") from error
    if array.dtype.kind not in "biufV" or array.dtype.names or array.dtype.type is np.void:
        raise InputError(f"{name} must hold real numbers, got {array.dtype}")
    if array.dtype != np.float64:
        array = array.astype(
            np.float32 if array.dtype.itemsize <= 2 else np.result_type(array, "f4")
        )
    if array.ndim != 2:
        raise InputError(f"{name} must be [rows, nodes], got shape {array.shape}")
    if not array.shape[0] or not array.shape[1]:
        raise InputError(
            f"{name} is empty: shape {array.shape}; it needs at least one row and node"
        )
    finite = np.isfinite(array)
    if not finite.all():
        row, node = np.argwhere(~finite)[0]
        raise InputError(
            f"{name} holds {array[row, node]} at row {row}, node {node} "
            f"({np.count_nonzero(~finite)} such values); remove them before scanning"
        )
    return array


def rank_pool(pool_ND: np.ndarray) -> Ranks:
    """Sort every node of the pool once."""
    columns_DN = np.ascontiguousarray(pool_ND.T)  # sorting is several times faster along memory
    order_DN = np.argsort(columns_DN, axis=1, kind="stable")
    sorted_DN = np.take_along_axis(columns_DN, order_DN, axis=1)
    nodes, rows = columns_DN.shape
    position = np.broadcast_to(np.arange(rows), (nodes, rows))
    rises = np.ones((nodes, rows), bool)
    rises[:, 1:] = sorted_DN[:, 1:] > sorted_DN[:, :-1]
    first_DN = np.maximum.accumulate(np.where(rises, position, 0), axis=1)
    ends = np.ones((nodes, rows), bool)
    ends[:, :-1] = rises[:, 1:]
    last_DN = np.minimum.accumulate(np.where(ends, position, rows)[:, ::-1], axis=1)[:, ::-1]
    below_DN, upto_DN = np.empty_like(order_DN), np.empty_like(order_DN)
    np.put_along_axis(below_DN, order_DN, first_DN, axis=1)
    np.put_along_axis(upto_DN, order_DN, last_DN + 1, axis=1)
    return Ranks(
        *(np.ascontiguousarray(a.T, dtype=np.int32) for a in (order_DN, below_DN, upto_DN))
    )


def count_background(ranks: Ranks, background_N, rows_M) -> tuple[jax.Array, jax.Array]:
    """How many background values lie below and above the rows `rows_M`: two [M, D] int32."""
    members_ND = background_N[ranks.order_ND].astype(jnp.int32)
    running_ND = jnp.pad(jnp.cumsum(members_ND, axis=0), ((1, 0), (0, 0)))
    below_MD = jnp.take_along_axis(running_ND, ranks.below_ND[rows_M], axis=0)
    upto_MD = jnp.take_along_axis(running_ND, ranks.upto_ND[rows_M], axis=0)
    return below_MD, running_ND[-1:] - upto_MD


def level_tables(
    n_R, *, tail: str, alpha_max: float, alpha_min: float, alphas, compat: bool
) -> LevelTables:
    """The tables of runs with `n_R` background rows each; keywords as in `scan_runs`."""
    check_tail(tail)
    for name, alpha in (("alpha_max", alpha_max), ("alpha_min", alpha_min or alpha_max)):
        if not np.isscalar(alpha) or not np.isreal(alpha) or isinstance(alpha, str):
            raise InputError(f"{name} must be a number, got {alpha!r}")
        if not 0 < alpha < 1:
            raise InputError(f"{name} = {alpha} is outside (0, 1)")
    if alpha_min > alpha_max:
        raise InputError(f"alpha_min = {alpha_min} exceeds alpha_max = {alpha_max}")
    exact = isinstance(alphas, str) and alphas == "exact"
    if compat and (exact or tail == "right"):
        raise InputError(
            'compat needs alphas="grid" or a sequence (its p-values can be 0), and tail left or two'
        )
    given_A = None if exact else given_alphas(alphas, alpha_max, alpha_min)
    sizes = np.unique(n_R)
    per_size = {}
    for n in sizes.tolist():
        ranks = attainable_ranks(n, tail, alpha_min, alpha_max) if exact else None
        alphas_A = ranks / (n + 1) if exact else given_A
        if compat:
            thresholds_A, by_below, by_above = alphas_A, *published_pvalues(n, tail)
        else:
            thresholds_A = ranks if exact else floor_rank(alphas_A, n)
            by_below, by_above = pvalue_ranks(n, tail)
        per_size[n] = (
            alphas_A,
            np.searchsorted(thresholds_A, by_below, side="left"),
            np.searchsorted(thresholds_A, by_above, side="left"),
        )
    # At least one alpha, so that a search without any is an ordinary one that finds nothing.
    n_alphas = max(1, *(len(alphas_A) for alphas_A, *_ in per_size.values()))
    alphas_RA = np.full((len(sizes), n_alphas), 0.5)
    tables = np.full((2, len(sizes), int(sizes.max()) + 1), n_alphas, np.int32)
    for i, (alphas_A, *levels) in enumerate(per_size.values()):
        alphas_RA[i, : len(alphas_A)] = alphas_A
        for table, level in zip(tables, levels, strict=True):
            table[i, : len(level)] = np.where(level == len(alphas_A), n_alphas, level)
    of_run = np.searchsorted(sizes, n_R)
    return LevelTables(alphas_RA[of_run], tables[0][of_run], tables[1][of_run])


def check_tail(tail: str) -> None:
    if tail not in TAILS:
        raise InputError(f"tail {tail!r} is unknown; use one of {', '.join(TAILS)}")


def attainable_ranks(n: int, tail: str, alpha_min: float, alpha_max: float) -> np.ndarray:
    """Every integer k for which p = k/(n+1) occurs and lies in [alpha_min, alpha_max]."""
    step = 2 if tail == "two" else 1
    ranks = np.arange(step, n + 1, step)
    return ranks[
        (ranks >= np.ceil(alpha_min * (n + 1) - 1e-9)) & (ranks <= floor_rank(alpha_max, n))
    ]


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


def empirical_pvalues(
    background_BD, evaluation_ND, *, tail: str = "two", compat: bool = False
) -> PValueRange:
    """The range of the empirical p-value of every evaluation value at every node.

    For the right tail p_min = #{b > x}/(n+1) and p_max = (#{b >= x} + 1)/(n+1), with n background
    rows (FGSS, section 3.1); the left tail mirrors it; "two" is twice the smaller, capped at 1.
    p_max is valid: P(p_max <= a) <= a under exchangeability, and it is never 0.

    Args:
      background_BD, evaluation_ND: activations, NumPy or JAX, with the same D nodes.
      tail: "right" (unusually high), "left" or "two".
      compat: accepted for symmetry with the scans; the range is the ordinary one.

    Returns:
      PValueRange with p_min and p_max, [N, D] float64.

    Raises:
      InputError: NaN or Inf (names row and node), differing widths, nothing in an array, bad tail.
    """
    del compat
    check_tail(tail)
    pool_ND, background_N = stack_pool(background_BD, evaluation_ND)
    n = int(background_N.sum())
    rows_M = np.flatnonzero(~background_N)
    counts = count_background(rank_pool(pool_ND), jnp.asarray(background_N), rows_M)
    below_ND, above_ND = (np.asarray(c, np.int64) for c in counts)
    right, left = (above_ND, n - below_ND + 1), (below_ND, n - above_ND + 1)
    if tail == "two":
        low, high = (
            np.minimum(2 * np.minimum(r, x), n + 1) for r, x in zip(right, left, strict=True)
        )
    else:
        low, high = right if tail == "right" else left
    return PValueRange(p_min=low / (n + 1), p_max=high / (n + 1))


def stack_pool(background_BD, evaluation_ND) -> tuple[np.ndarray, np.ndarray]:
    """Background and evaluation rows as one checked pool, and the mask of its background."""
    background_BD = as_matrix("background", background_BD)
    evaluation_ND = as_matrix("evaluation", evaluation_ND)
    if background_BD.shape[1] != evaluation_ND.shape[1]:
        raise InputError(
            f"background has {background_BD.shape[1]} nodes but evaluation has "
            f"{evaluation_ND.shape[1]}; both must come from the same site"
        )
    pool_ND = np.concatenate([background_BD, evaluation_ND])
    return pool_ND, np.arange(len(pool_ND)) < len(background_BD)
