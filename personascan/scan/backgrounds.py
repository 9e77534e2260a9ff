"""The ranks of one layer: one background that all searches share, or one for each search.

Letters: R searches, N pool rows, E rows evaluated by any search, M rows of one search, D nodes, X
columns padded to whole words, W words of packed nodes, G background groups.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from personascan.scan.counts import (
    PoolOrder,
    count_background,
    look_up,
    order_keys,
    order_pool,
)
from personascan.scan.planes import pack_mask, pad_nodes
from personascan.scan.ranks import RankTables, rounded_size
from personascan.scan.tails import Tail
from personascan.scan.thresholds import tail_ranks


class SharedBackground(NamedTuple):
    """One background for all searches: the ranks of every evaluated row, computed once a layer."""

    ranks_EX: jax.Array  # columns padded to words
    right_EW: jax.Array | None  # two-sided, packed
    index_N: np.ndarray  # pool row -> index among the evaluated rows

    def rounded(self, n_alphas: int) -> "SharedBackground":
        """Returns the ranks padded to a `rounded_size` of rows, which are never significant."""
        rows, pool = len(self.ranks_EX), len(self.index_N)
        spare = ((0, rounded_size(rows) - rows), (0, 0))
        right_EW = None if self.right_EW is None else np.pad(np.asarray(self.right_EW), spare)
        return SharedBackground(
            np.pad(np.asarray(self.ranks_EX), spare, constant_values=n_alphas),
            right_EW,
            np.pad(self.index_N, (0, rounded_size(pool) - pool), constant_values=rows - 1),
        )


class OwnBackgrounds(NamedTuple):
    """A background for each search, over one sort of the pool."""

    order: PoolOrder
    background_RN: np.ndarray  # bool
    group_N: np.ndarray  # background group of each pool row
    below_RGB: np.ndarray  # rank tables
    above_RGB: np.ndarray


def open_source(layer_ND, background_RN, evaluated_N, tables: RankTables, group_N, sides: Tail):
    """Returns the source of a layer's ranks: one shared background, or the pool's order."""
    if is_shared(background_RN, tables):
        source = share_background(layer_ND, background_RN[0], evaluated_N, tables, sides)
        return source.rounded(tables.n_alphas) if len(background_RN) == 1 else source
    return OwnBackgrounds(
        order_pool(order_keys(layer_ND)), background_RN, group_N, tables.below_RGB, tables.above_RGB
    )


def is_shared(background_RN, tables: RankTables) -> bool:
    """Tells whether all searches have one background, without groups."""
    return tables.below_RGB.shape[1] == 1 and (background_RN == background_RN[0]).all()


def share_background(
    layer_ND, background_N, evaluated_N, tables: RankTables, sides: Tail
) -> SharedBackground:
    """Ranks every evaluated row against the one background of all searches."""
    by_count = tables.below_RGB[0, 0], tables.above_RGB[0, 0]
    tails_DE = tail_ranks(layer_ND, background_N, evaluated_N, *by_count)
    ranks_EX, right_EW = finish_shared(*tails_DE, n_alphas=tables.n_alphas, sides=sides)
    # Other rows are never looked up; the last index is that of the padding row.
    index_N = np.where(evaluated_N, np.cumsum(evaluated_N) - 1, evaluated_N.sum()).astype(np.int32)
    return SharedBackground(ranks_EX, right_EW, index_N)


@partial(jax.jit, static_argnames=("n_alphas", "sides"))
def finish_shared(right_DE, left_DE, *, n_alphas: int, sides: Tail):
    """Returns ranks and right tails of the evaluated rows and of one that is never significant."""
    return finish_ranks(right_DE.T, left_DE.T, n_alphas, sides, spare_rows=1)


def finish_ranks(right_MD, left_MD, n_alphas: int, sides: Tail, spare_rows: int = 0):
    """Returns padded ranks and, two-sided, a packed mask of elements further in the right tail."""
    spare = ((0, spare_rows), (0, 0))
    ranks_MC = jnp.pad(sides.join(right_MD, left_MD), spare, constant_values=n_alphas)
    right_MW = None
    if sides.mixed:
        right_MW = pack_mask(pad_nodes(jnp.pad(right_MD <= left_MD, spare), False))
    return pad_nodes(ranks_MC, n_alphas), right_MW


def own_ranks(source: OwnBackgrounds, searched: tuple, rows_M, valid_M, n_alphas: int, sides: Tail):
    """Returns ranks and right tails of the rows of one search, from its own background."""
    background_N, below_GB, above_GB = searched

    def of_group(group):
        members_N = background_N & (source.group_N == group)
        below_MD, above_MD = count_background(source.order, members_N, rows_M)
        return look_up(below_MD, above_MD, below_GB[group], above_GB[group])

    right_MD, left_MD = of_group(0)
    for group in range(1, below_GB.shape[0]):
        inside_M1 = (source.group_N[rows_M] == group)[:, None]
        right_MD, left_MD = (
            jnp.where(inside_M1, new, old)
            for new, old in zip(of_group(group), (right_MD, left_MD), strict=True)
        )
    never = jnp.asarray(n_alphas, right_MD.dtype)
    right_MD, left_MD = (jnp.where(valid_M[:, None], x, never) for x in (right_MD, left_MD))
    return finish_ranks(right_MD, left_MD, n_alphas, sides)
