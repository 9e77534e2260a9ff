"""Empirical p-value ranges, and the checks of every array that is scanned.

Letters: N evaluation rows, B background rows, D nodes.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from personascan.array_like import ArrayLike
from personascan.errors import InputError
from personascan.reading import real_array
from personascan.scan.counts import count_sorted, order_keys, over_even_blocks, sort_nodes
from personascan.scan.masks import background_sizes, number_labels, pair_labels
from personascan.scan.result import PValueRange
from personascan.scan.tails import tail_named

EXACT_INTEGERS = 2**53  # beyond, float64 skips whole numbers
CELLS_AT_ONCE = 2**18  # checked together: they stay in the cache


def as_matrix(name: str, values) -> np.ndarray:
    """Returns `values` as a float array [rows, nodes].

    Raises InputError, with the row and node of a value that is not finite.
    """
    array = real_array(name, values)
    if array.dtype.kind in "iu" and array.size and array.dtype.itemsize == 8:
        largest = max(abs(int(array.max())), abs(int(array.min())))
        if largest > EXACT_INTEGERS:
            raise InputError(
                f"{name} holds whole numbers up to {largest}, beyond {EXACT_INTEGERS}, from where "
                "they cannot be told apart as floats; subtract a constant, or rank them first"
            )
    if array.dtype != np.float64:
        kind = np.float32 if array.dtype.itemsize <= 2 else np.result_type(array, "f4")
        array = array.astype(kind, copy=False)
    if array.ndim != 2:
        raise InputError(f"{name} must be [rows, nodes], got shape {array.shape}")
    if not array.shape[0] or not array.shape[1]:
        raise InputError(
            f"{name} is empty: shape {array.shape}; it needs at least one row and node"
        )
    step = max(1, CELLS_AT_ONCE // array.shape[1])
    if not all(np.isfinite(array[at : at + step]).all() for at in range(0, len(array), step)):
        finite = np.isfinite(array)
        row, node = np.argwhere(~finite)[0]
        raise InputError(
            f"{name} holds {array[row, node]} at row {row}, node {node} "
            f"({np.count_nonzero(~finite)} such values); remove them before scanning"
        )
    return array


def empirical_pvalues(
    background_BD: ArrayLike,
    evaluation_ND: ArrayLike,
    *,
    tail: str = "two",
    background_groups: tuple[ArrayLike, ArrayLike] | None = None,
    compat: bool = False,
) -> PValueRange:
    """Returns the range of the empirical p-value of every evaluation value at every node.

    For the right tail p_min = #{b > x}/(n+1) and p_max = (#{b >= x} + 1)/(n+1), with n background
    rows (FGSS, section 3.1); the left tail mirrors it; "two" is twice the smaller, capped at 1;
    "signed" holds both tails side by side.
    p_max is valid: P(p_max <= a) <= a under exchangeability, and it is never 0.

    Args:
      background_BD, evaluation_ND: activations, NumPy or JAX, with the same D nodes.
      tail: "right" (unusually high), "left", "two" or "signed".
      background_groups: a pair of label sequences, for the background rows and for the evaluation
        rows: each row is then compared with the background rows of its own label (conditional
        p-values). None: with all of them.
      compat: accepted for symmetry with the scans; the range is the ordinary one.

    Returns:
      PValueRange with p_min and p_max, [N, D] float64; signed: [N, 2 D], the right tail's first.

    Raises:
      InputError: NaN or Inf (names row and node), differing widths, an empty array, an unknown
        tail, a label without background.
    """
    del compat
    sides = tail_named(tail)
    background_BD, evaluation_ND = check_pair(background_BD, evaluation_ND)
    parts = split_by_group(background_BD, evaluation_ND, background_groups)
    rows, nodes = evaluation_ND.shape
    ranges_HDN = [np.empty((sides.halves, nodes, rows)) for _ in range(2)]

    def fill(block: slice) -> None:
        keys_DB, keys_DN = block_keys(background_BD, evaluation_ND, block)
        for members, of_group in parts:
            background = sort_nodes(keys_DB[:, members])
            values_DE = np.ascontiguousarray(keys_DN[:, of_group])
            n = background.values_DB.shape[1]
            counts = pvalue_counts(*count_sorted(background, values_DE), n=n, tail=tail)
            for p_HDN, count_CE in zip(ranges_HDN, counts, strict=True):
                count_HDE = np.asarray(count_CE).reshape(sides.halves, *values_DE.shape)
                p_HDN[:, block, of_group] = count_HDE / (n + 1)

    over_even_blocks(fill, nodes, len(background_BD) + rows)
    return PValueRange(*(p_HDN.reshape(-1, rows).T for p_HDN in ranges_HDN))


@partial(jax.jit, static_argnames=("n", "tail"))
def pvalue_counts(below_DE, above_DE, *, n: int, tail: str):
    """Returns (n+1) p_min and (n+1) p_max of every value: [C, E] int32."""
    right, left = (above_DE, n - below_DE + 1), (below_DE, n - above_DE + 1)
    if tail == "signed":
        return tuple(jnp.concatenate(pair) for pair in zip(right, left, strict=True))
    if tail == "two":
        pairs = zip(right, left, strict=True)
        return tuple(jnp.minimum(2 * jnp.minimum(r, x), n + 1) for r, x in pairs)
    return right if tail == "right" else left


def split_by_group(background_BD, evaluation_ND, background_groups):
    """Returns (background rows, evaluation rows) of each background group with rows to compare."""
    if background_groups is None:
        return [(slice(None), slice(None))]
    n, rows = len(background_BD), len(evaluation_ND)
    labels = pair_labels(background_groups, n, rows)
    group_N, distinct = number_labels("background_groups", labels, n + rows)
    background_N = np.arange(n + rows) < n
    background_sizes(background_N[None], ~background_N[None], group_N, distinct)
    of_background, of_rows = group_N[:n], group_N[n:]
    return [
        (np.flatnonzero(of_background == group), np.flatnonzero(of_rows == group))
        for group in np.unique(of_rows)
    ]


def block_keys(background_BD, evaluation_ND, block: slice) -> tuple[np.ndarray, np.ndarray]:
    """Returns keys of some nodes in the common order of both, by node: int32 [D, B] and [D, N]."""
    keys_XD = order_keys(np.concatenate([background_BD[:, block], evaluation_ND[:, block]]))
    n = len(background_BD)
    return np.ascontiguousarray(keys_XD[:n].T), np.ascontiguousarray(keys_XD[n:].T)


def check_widths(background_BD, evaluation_ND) -> None:
    """Raises InputError unless both have as many nodes."""
    if background_BD.shape[1] != evaluation_ND.shape[1]:
        raise InputError(
            f"background has {background_BD.shape[1]} nodes but evaluation has "
            f"{evaluation_ND.shape[1]}; both must come from the same site"
        )


def check_pair(background_BD, evaluation_ND) -> tuple[np.ndarray, np.ndarray]:
    """Returns background and evaluation rows, checked as by `as_matrix`, with as many nodes."""
    background_BD = as_matrix("background", background_BD)
    evaluation_ND = as_matrix("evaluation", evaluation_ND)
    check_widths(background_BD, evaluation_ND)
    return background_BD, evaluation_ND


def stack_pool(background_BD, evaluation_ND) -> tuple[np.ndarray, np.ndarray]:
    """Returns background and evaluation rows as one checked pool, and the background's mask."""
    background_BD, evaluation_ND = check_pair(background_BD, evaluation_ND)
    pool_ND = np.concatenate([background_BD, evaluation_ND])
    return pool_ND, np.arange(len(pool_ND)) < len(background_BD)
