"""The records of one search: its problem, a subset of it, and the end of an ascent.

Letters: A alphas, M evaluation rows, D nodes, W words of packed nodes.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from personascan.scan.planes import pack_planes


class Problem(NamedTuple):
    """One search. Planes are held when they fit, else packed from the ranks chunk by chunk."""

    ranks_MD: jax.Array  # first alpha at which each element is significant; nodes padded to words
    right_MW: jax.Array | None  # two-sided, packed: the right tail is at least as extreme
    alphas_A: jax.Array  # float32
    planes_AMW: jax.Array | None


class Subset(NamedTuple):
    """The state of one ascent. `score` is float32 and only chooses: the host scores again."""

    rows_M: jax.Array  # bool
    nodes_W: jax.Array  # packed
    rank: jax.Array  # int32: index of the alpha
    score: jax.Array  # float32


class Ascent(NamedTuple):
    """The subset at which an ascent ended."""

    rows_M: jax.Array
    nodes_W: jax.Array
    rank: jax.Array
    n_alpha: jax.Array  # int32: significant elements of the subset
    first_rank: jax.Array  # int32: the alpha it started at, -1 where a start was never made
    high_W: jax.Array | None  # two-sided: packed nodes mostly significant in the right tail
    low_W: jax.Array | None  # and in the left tail


def over_chunks(problem: Problem, chunk: int, of_chunk):
    """Returns `of_chunk(planes, alphas)` of every chunk of alphas, stacked.

    Planes that are held make one chunk.
    """
    if problem.planes_AMW is not None:
        return jax.tree.map(
            lambda field: field[None], of_chunk(problem.planes_AMW, problem.alphas_A)
        )

    def of_first(first):
        alphas_A = jax.lax.dynamic_slice_in_dim(problem.alphas_A, first, chunk)
        return of_chunk(pack_planes(problem.ranks_MD, first, chunk), alphas_A)

    return jax.lax.map(of_first, chunk_firsts(problem, chunk))


def chunk_firsts(problem: Problem, chunk: int):
    """Returns the first rank of every chunk; the last chunk starts early enough to be whole."""
    alphas = problem.alphas_A.size
    if problem.planes_AMW is not None:
        return jnp.zeros(1, jnp.int32)
    return jnp.minimum(jnp.arange(0, alphas, chunk), alphas - chunk)


def plane_at(problem: Problem, rank):
    """Returns the plane of one alpha: [1, M, W]."""
    if problem.planes_AMW is not None:
        return jax.lax.dynamic_slice_in_dim(problem.planes_AMW, rank, 1)
    return pack_planes(problem.ranks_MD, rank, 1)
