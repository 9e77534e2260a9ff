"""The tails of a p-value, each as one record.

Letters: M rows, D nodes, C columns that are scanned: a node, or its upper and its lower half.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError


@dataclass(frozen=True)
class Tail:
    """How values far above and far below the background count."""

    name: str
    high: bool  # values above the background are unusual
    low: bool  # and values below it
    halves: int = 1  # columns of a node: 2 where its upper and lower half are columns of their own
    folds: bool = False  # one column, at the smaller of both tails' ranks
    step: int = 1  # p-values are multiples of step/(n+1)

    def columns(self, nodes: int) -> int:
        """Returns C: one column a node, or all upper halves and then all lower ones."""
        return self.halves * nodes

    def counts(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns (n+1) p_max by the number of background values below x, and by that above it."""
        reached = self.step * (np.arange(n, -1, -1) + 1)  # values that reach x, and x itself
        never = np.full(n + 1, n + 2)  # above every alpha, as is every p beyond its cap at 1
        return reached if self.high else never, reached if self.low else never

    def join(self, high_MD: jax.Array, low_MD: jax.Array) -> jax.Array:
        """Returns ranks of the columns [M, C] from those of both tails."""
        if self.halves == 2:
            return jnp.concatenate([high_MD, low_MD], axis=-1)
        if self.folds:
            return jnp.minimum(high_MD, low_MD)
        return high_MD if self.high else low_MD

    @property
    def mixed(self) -> bool:
        """Whether a column can be significant in either tail, so that its rows must be counted."""
        return self.folds and self.high and self.low

    def split(
        self,
        columns_XC: np.ndarray,
        mostly_high_XC: np.ndarray | None = None,
        mostly_low_XC: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the nodes chosen for their high and for their low values: two bool [..., D].

        Two-sided, a node is high or low as most of its significant values are, and both at a tie.
        """
        if self.halves == 2:
            nodes = columns_XC.shape[-1] // 2
            return columns_XC[..., :nodes], columns_XC[..., nodes:]
        if self.mixed:
            return columns_XC & ~mostly_low_XC, columns_XC & ~mostly_high_XC
        none = np.zeros_like(columns_XC)
        return (columns_XC, none) if self.high else (none, columns_XC)


TAILS = {
    tail.name: tail
    for tail in (
        Tail("signed", high=True, low=True, halves=2),
        Tail("right", high=True, low=False),
        Tail("left", high=False, low=True),
        Tail("two", high=True, low=True, folds=True, step=2),
    )
}


def tail_named(tail: str) -> Tail:
    """Returns the tail of that name. Raises InputError if there is none."""
    if not isinstance(tail, str) or tail not in TAILS:
        raise InputError(f"tail {tail!r} is unknown; use one of {', '.join(TAILS)}")
    return TAILS[tail]
