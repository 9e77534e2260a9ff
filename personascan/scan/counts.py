"""How many background values lie below and above each value, counted in two ways from one sort.

If all runs share one background, its values are sorted and each row is looked up by bisection.
If there are several, the pool is sorted once, and a background is a mask whose running sum along
the sorted order counts it. Values are compared by their `order_keys`.
Letters: N pool rows, E and M evaluated rows, B background rows, J sorted values, D nodes.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

PIVOT_HALVINGS = 4
FEW = 64  # up to so many sorted values are all compared
LARGEST = np.int32(2**31 - 1)  # above the key of every finite value
NODES_AT_ONCE = 256  # a block of nodes stays in the cache while it is sorted or searched
CELLS_AT_ONCE = 2**19  # rows x nodes of a block, where rows are many


class PoolOrder(NamedTuple):
    """The order of a pool's values at every node."""

    order_ND: np.ndarray  # row numbers of each node in ascending order of value
    below_ND: np.ndarray  # pool values less than this one
    upto_ND: np.ndarray  # pool values less than or equal to this one


def order_pool(pool_ND: np.ndarray) -> PoolOrder:
    """Sorts every node of the pool, given as `order_keys`, in blocks of nodes over threads."""
    rows, nodes = pool_ND.shape
    kind = index_kind(rows)
    order = PoolOrder(*(np.empty((rows, nodes), kind) for _ in range(3)))

    def sort_block(first: int) -> None:
        block = slice(first, first + NODES_AT_ONCE)
        values_DN = np.ascontiguousarray(pool_ND[:, block].T)  # sorting is faster along memory
        order_DN = np.argsort(values_DN, axis=1)
        sorted_DN = np.take_along_axis(values_DN, order_DN, axis=1)
        below_DN, upto_DN = tie_bounds(sorted_DN, kind)
        order.order_ND[:, block] = order_DN.T
        for bounds_DN, bound_ND in ((below_DN, order.below_ND), (upto_DN, order.upto_ND)):
            by_row_DN = np.empty_like(bounds_DN)
            np.put_along_axis(by_row_DN, order_DN, bounds_DN, axis=1)
            bound_ND[:, block] = by_row_DN.T

    over_blocks(sort_block, nodes)
    return order


def tie_bounds(sorted_DN, kind) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the run of equal values around each sorted value begins, and where it ends."""
    rows = sorted_DN.shape[1]
    index_N = np.arange(rows, dtype=kind)
    rises_DN = sorted_DN[:, 1:] != sorted_DN[:, :-1]
    below_DN = np.broadcast_to(index_N, sorted_DN.shape).copy()
    upto_DN = below_DN + kind(1)
    if not rises_DN.all():
        below_DN[:, 1:][~rises_DN] = 0
        np.maximum.accumulate(below_DN, axis=1, out=below_DN)
        upto_DN[:, :-1][~rises_DN] = rows
        upto_DN = np.minimum.accumulate(upto_DN[:, ::-1], axis=1)[:, ::-1]
    return below_DN, upto_DN


def over_blocks(work, nodes: int, width: int = NODES_AT_ONCE) -> None:
    """Calls `work(first node)` for every block of nodes, over the host's threads."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(work, range(0, nodes, width)))


def over_even_blocks(work, nodes: int, rows: int) -> None:
    """Calls `work(nodes as a slice)` for blocks of few enough cells, over the host's threads.

    All have one width, so that one compilation serves all: the last overlaps the one before it.
    """
    width = block_width(nodes, rows)
    over_blocks(
        lambda first: work(slice(min(first, nodes - width), min(first + width, nodes))),
        nodes,
        width,
    )


def block_width(nodes: int, rows: int) -> int:
    """Returns the nodes in a block of `over_even_blocks`: whole cache lines, at least 16."""
    return min(nodes, NODES_AT_ONCE, max(16, CELLS_AT_ONCE // rows // 16 * 16))


def count_background(order: PoolOrder, background_N, rows_M) -> tuple[jax.Array, jax.Array]:
    """Counts the background values below and above the rows `rows_M`: two [M, D] int32."""
    members_ND = background_N.at[order.order_ND].get(mode="promise_in_bounds")

    kind = jnp.int16 if len(members_ND) < 2**15 else jnp.int32

    running_ND = jax.lax.platform_dependent(
        members_ND.astype(kind), cpu=add_up_rows, default=add_up_together
    )
    total_D = running_ND[-1]
    running_ND = jnp.concatenate([jnp.zeros_like(total_D)[None], running_ND])
    node_1D = jnp.arange(running_ND.shape[1])[None]
    below_MD, upto_MD = (
        running_ND.at[bound_ND[rows_M], node_1D].get(mode="promise_in_bounds").astype(jnp.int32)
        for bound_ND in (order.below_ND, order.upto_ND)
    )
    return below_MD, total_D.astype(jnp.int32)[None] - upto_MD


def add_up_rows(members_ND):
    """Returns running sums, row after row: fastest on a CPU; an accelerator would wait for each."""

    def add_row(total_D, member_D):
        total_D += member_D
        return total_D, total_D

    return jax.lax.scan(add_row, jnp.zeros_like(members_ND[0]), members_ND)[1]


def add_up_together(members_ND):
    """Returns the same numbers, computed in a few steps over all rows."""
    return jnp.cumsum(members_ND, axis=0, dtype=jnp.int32).astype(members_ND.dtype)


class SortedBackground(NamedTuple):
    """Every node's background values in ascending order."""

    values_DB: np.ndarray
    ends_DB: np.ndarray  # where the run of values equal to this one ends


def sort_nodes(values_DB) -> SortedBackground:
    """Sorts every node of one block."""
    values_DB = np.sort(np.ascontiguousarray(values_DB), axis=1)
    return SortedBackground(values_DB, tie_bounds(values_DB, index_kind(values_DB.shape[1]))[1])


def index_kind(rows: int):
    """Returns the integer type that holds every row number."""
    return np.uint16 if rows < 2**16 else np.int32


@jax.jit
def count_sorted(background: SortedBackground, values_DE) -> tuple[jax.Array, jax.Array]:
    """Counts the background values below and above each value: two [D, E] int32.

    Values come node by node, in memory too: a node's background then stays in the cache.
    """
    below_DE, look = bisect(background.values_DB, values_DE)
    below_DE = jax.lax.optimization_barrier(below_DE)
    is_tie = look(below_DE) == values_DE

    def past_ties():
        ends = pad_to_power_of_two(background.ends_DB.astype(jnp.int32), 0)
        return jnp.where(is_tie, look(below_DE, ends), below_DE)

    upto_DE = jax.lax.cond(is_tie.any(), past_ties, lambda: below_DE)
    return below_DE, background.values_DB.shape[1] - upto_DE


def bisect(sorted_DJ, values_DE):
    """Counts the sorted values of its node below each value: [D, E] int32.

    Also returns `look(index_DE)`, which gives the sorted values, or those of another such table, at
    these indices.
    """
    nodes, size = sorted_DJ.shape
    reach = 1 << size.bit_length()
    filled = pad_to_power_of_two(sorted_DJ, LARGEST)
    first_D1 = (jnp.arange(nodes, dtype=jnp.int32) * reach)[:, None]

    def look(index_DE, table=filled):
        return table.at[first_D1 + index_DE].get(mode="promise_in_bounds")

    # The first halvings compare every value with a few pivots, which vectorises; the rest look up.
    step = 1 if size < FEW else reach // 2**PIVOT_HALVINGS
    below_DE = jnp.zeros(values_DE.shape, jnp.int32)
    for pivot in range(step - 1, size, step):
        below_DE += jnp.where(sorted_DJ[:, pivot, None] < values_DE, step, 0)
    while step > 1:
        step //= 2
        before = look(below_DE + (step - 1)) < values_DE
        below_DE = jnp.where(before, below_DE + step, below_DE)
    return below_DE, look


def pad_to_power_of_two(table_DJ, value):
    """Returns a flat table, padded to a power of two so that no bisection step looks outside."""
    size = table_DJ.shape[1]
    spare = ((0, 0), (0, (1 << size.bit_length()) - size))
    filled = jnp.pad(table_DJ, spare, constant_values=value).ravel()
    return jax.lax.optimization_barrier(filled)  # or every look would pad again


@jax.jit
def look_up(below_DE, above_DE, below_B, above_B):
    """Returns the entries of two tables at every count."""
    return (
        below_B.at[below_DE].get(mode="promise_in_bounds"),
        above_B.at[above_DE].get(mode="promise_in_bounds"),
    )


def order_keys(values: np.ndarray) -> np.ndarray:
    """Returns int32 keys in the order of each node's values; equal values (-0.0 and 0.0) share one.

    Integers compare alike on every backend; XLA on a CPU takes subnormal floats for zero.
    """
    if values.dtype == np.float32:
        return bits_in_order(values)
    exact = bits_in_order(values) if values.dtype == np.float64 else values
    if values.dtype == np.float64:
        with np.errstate(over="ignore"):
            narrow = values.astype(np.float32)
        if (bits_in_order(narrow.astype(np.float64)) == exact).all():
            return bits_in_order(narrow)
    order = np.empty(values.shape, np.int32)
    for node in range(values.shape[1]):
        order[:, node] = np.unique(exact[:, node], return_inverse=True)[1]
    return order


def bits_in_order(values: np.ndarray) -> np.ndarray:
    """Returns floats as integers of the same width: the bits of a value's size with its sign."""
    kind = np.int32 if values.dtype == np.float32 else np.int64
    bits = np.ascontiguousarray(values).view(kind)
    negative = bits >> (8 * bits.itemsize - 1)  # -1 or 0
    keys = bits & np.iinfo(kind).max
    keys ^= negative  # with the next line: minus the size
    keys -= negative
    return keys
