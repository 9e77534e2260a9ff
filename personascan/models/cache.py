"""The keys and values of tokens that have been read, which later tokens attend to."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

FREE = -1  # in place of a position, of a slot that holds no token


class Cache(NamedTuple):
    """Keys and values of tokens, [L, B, K, S, E], and the position of each, FREE where none is."""

    k: jax.Array
    v: jax.Array
    position_BS: jax.Array  # int32

    def repeat(self, times: int) -> "Cache":
        """Returns the cache with every row repeated."""
        k, v = (jnp.repeat(a, times, axis=1) for a in (self.k, self.v))
        return Cache(k, v, jnp.repeat(self.position_BS, times, axis=0))

    def join(self, other: "Cache") -> "Cache":
        """Returns a cache with the slots of both, of the same rows."""
        k, v = (jnp.concatenate(pair, axis=3) for pair in zip(self[:2], other[:2], strict=True))
        return Cache(k, v, jnp.concatenate([self.position_BS, other.position_BS], axis=1))

    def with_free(self, slots: int) -> "Cache":
        """Returns the cache with free slots behind."""
        k, v = (jnp.pad(a, [(0, 0)] * 3 + [(0, slots), (0, 0)]) for a in (self.k, self.v))
        return Cache(k, v, jnp.pad(self.position_BS, [(0, 0), (0, slots)], constant_values=FREE))

    def write(self, new: "Cache", slot) -> "Cache":
        """Returns the cache with the tokens of another from a slot on."""
        update = jax.lax.dynamic_update_slice_in_dim
        k, v = (update(a, b, slot, axis=3) for a, b in zip(self[:2], new[:2], strict=True))
        return Cache(k, v, update(self.position_BS, new.position_BS, slot, axis=1))
