"""Ranks by comparison with the few background values at which they change.

A rank depends on the number of background values below or above an element, and is monotone in it.
So it is one bisection among the sorted background's values at its steps, without a count or a
look-up, and ties need no special case.
Letters: B background rows, E evaluated rows, J steps, D nodes.
"""

from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from personascan.scan.counts import bisect, order_keys, over_even_blocks


class Steps(NamedTuple):
    """How a rank changes along a node's sorted background."""

    first: int  # the rank of a value below all background values
    sign: int  # -1 where it falls with the value, 1 where it rises
    index_J: np.ndarray  # into the sorted background; repeated where a rank is skipped
    strict: bool  # x > b counts as past a step at b; else x >= b does


def tail_steps(below_B, above_B) -> tuple[Steps, Steps]:
    """Returns the steps of the right tail and of the left, from their tables of `rank_tables`."""
    # The number of values above x is that of the background less that up to x.
    return steps_of(below_B, strict=True), steps_of(above_B[::-1], strict=False)


def steps_of(ranks_B, strict: bool) -> Steps:
    """Returns the steps of a table by the number of background values below x, or up to x."""
    change_B = np.diff(ranks_B.astype(np.int64))
    index_J = np.repeat(np.arange(len(change_B)), abs(change_B))
    return Steps(int(ranks_B[0]), -1 if change_B.sum() < 0 else 1, index_J, strict)


def step_ranks(sorted_DB, values_DE, steps: Steps, kind) -> np.ndarray:
    """Ranks every value in one tail: [D, E]. Both arrays hold `order_keys`, node by node."""
    if not len(steps.index_J):
        return np.full(values_DE.shape, steps.first, kind)
    steps_DJ = sorted_DB[:, steps.index_J]
    if not steps.strict:
        steps_DJ -= 1  # of whole numbers b - 1 < x is b <= x
    return np.asarray(count_steps(steps_DJ, values_DE, np.int32(steps.first), steps.sign, kind))


@partial(jax.jit, static_argnames=("sign", "kind"))
def count_steps(steps_DJ, values_DE, first, sign: int, kind):
    """Returns `first` plus `sign` times the number of steps below each value."""
    return (first + sign * bisect(steps_DJ, values_DE)[0]).astype(kind)


def tail_ranks(layer_ND, background_N, evaluated_N, below_B, above_B):
    """Ranks the evaluated rows in the right tail and in the left: two [D, E].

    Blocks of nodes are ordered, sorted and compared one by one, so that no sort of a layer is held.
    """
    both = tail_steps(below_B, above_B)
    shape = layer_ND.shape[1], int(evaluated_N.sum())
    ranks = tuple(np.empty(shape, below_B.dtype) for _ in both)

    def fill(block: slice) -> None:
        keys_ND = order_keys(layer_ND[:, block])
        sorted_DB, values_DE = (
            np.ascontiguousarray(keys_ND[rows_N].T) for rows_N in (background_N, evaluated_N)
        )
        sorted_DB.sort(axis=1)
        for rank_DE, steps in zip(ranks, both, strict=True):
            rank_DE[block] = step_ranks(sorted_DB, values_DE, steps, below_B.dtype)

    over_even_blocks(fill, shape[0], len(layer_ND))
    return ranks
