"""Starts in batches, until several alphas lead to the same best score or more would not pay.

A start is an alpha and a few row sets. They are climbed at that alpha alone, where a step costs a
fraction of one over all alphas, and the ascent goes on from the best of them. A search depends on
its own rows only, so that it gives the same result alone and among others.
Letters: R searches, S starts, J row sets of one start, M rows, A alphas.
"""

import jax
import jax.numpy as jnp
import numpy as np

from personascan.scan.ascent import ascend, climb_at_alpha, higher
from personascan.scan.planes import word_count
from personascan.scan.problem import Ascent, Problem, Subset
from personascan.scan.starts import BATCH, first_points, later_points

MOST = 200  # starts of the smallest searches
COST = 12_000_000  # rows x alphas x words x starts; 50 rows x 4096 nodes are left with one batch
# A best score is confirmed by so many starts, from so many alphas, once so many batches are made:
# the alphas of one batch share row sets, so that alone they can agree on a poor subset.
STARTS_NEEDED, ALPHAS_NEEDED, BATCHES_NEEDED = 6, 4, 10
SAME = 1e-6  # scores this near are equal


def start_limits(searches, tables, columns: int) -> np.ndarray:
    """Returns the most starts of each search, whole batches within the bounds: [R]."""
    rows_R = searches.valid_RM.sum(1)
    alphas_R = 1 + (np.diff(tables.alphas_RA, axis=1) > 0).sum(1)
    cost_R = rows_R * alphas_R * word_count(columns) * BATCH
    return (BATCH * np.clip(COST // cost_R, 1, MOST // BATCH)).astype(np.int32)


def ascend_in_batches(problem: Problem, key, valid_M, limit, layout) -> Ascent:
    """Makes batches of starts until the best is confirmed or `limit` is reached.

    Where devices share the starts, each makes its own and all see those of all. Returns an Ascent
    whose fields have an axis S in front.
    """

    def step(state):
        batch, ascents, _ = state
        points = jax.lax.cond(
            batch == 0,
            lambda: first_points(problem, key, valid_M, layout),
            lambda: later_points(
                problem, key, batch, valid_M, best_rows(problem, ascents, layout.phi)
            ),
        )
        new = make_starts(problem, points, layout)
        first = batch * BATCH
        ascents = jax.tree.map(
            lambda into, part: jax.lax.dynamic_update_slice_in_dim(into, part, first, 0),
            ascents,
            new,
        )
        return batch + 1, ascents, goes_on(batch + 1, ascents)

    # In the state: under vmap a loop and its step both ask, and could round a comparison two ways.
    def goes_on(batch, ascents):
        return (batch * BATCH < limit) & ~is_confirmed(problem, ascents, batch, layout.phi)

    sets = jax.ShapeDtypeStruct((1, valid_M.size), bool)
    number = jax.ShapeDtypeStruct((), jnp.int32)
    shapes = jax.eval_shape(lambda *start: make_start(problem, start, layout), sets, number, number)
    ascents = jax.tree.map(lambda one: jnp.zeros((layout.starts, *one.shape), one.dtype), shapes)
    ascents = ascents._replace(first_rank=jnp.full(layout.starts, -1, jnp.int32))
    state = jnp.int32(0), ascents, goes_on(jnp.int32(0), ascents)
    return jax.lax.while_loop(lambda state: state[2], step, state)[1]


def make_starts(problem: Problem, points, layout) -> Ascent:
    """Returns the ascents of one batch."""
    if layout.splits_starts:
        points = device_starts(points, len(layout.devices))

    def make(point):
        return make_start(problem, point, layout)

    ascents = jax.vmap(make)(points) if layout.side_by_side else jax.lax.map(make, points)
    if not layout.splits_starts:
        return ascents
    return jax.tree.map(
        lambda field: jax.lax.all_gather(field, "devices", tiled=True)[:BATCH], ascents
    )


def make_start(problem: Problem, point, layout) -> Ascent:
    """Ascends from the best of some row sets at an alpha, or from the first if the rank is -1."""
    rows_JM, sets, rank = point
    if not layout.climb:
        rank = jnp.int32(-1)
    rows_M = jax.lax.cond(
        rank < 0,
        lambda: rows_JM[0],
        lambda: best_at_alpha(problem, rows_JM, sets, rank, layout.phi),
    )
    return ascend(problem, rows_M, rank, chunk=layout.chunk, phi=layout.phi, climb=layout.climb)


def best_at_alpha(problem: Problem, rows_JM, sets, rank, phi):
    """Climbs the first `sets` row sets at one alpha, and returns the rows of the best."""
    nodes_W = jnp.zeros(problem.ranks_MD.shape[-1] // 32, jnp.uint32)

    def climb_next(number, best):
        start = Subset(rows_JM[number], nodes_W, rank, jnp.float32(-1.0))
        return higher(climb_at_alpha(problem, start, rank, phi, climb=True), best)

    nothing = Subset(rows_JM[0], nodes_W, rank, jnp.float32(-1.0))
    return jax.lax.fori_loop(0, sets, climb_next, nothing).rows_M


def device_starts(points, devices: int):
    """Returns the starts of this device; the last ones are padded with copies."""

    def of_field(field_SX):
        each = -(-len(field_SX) // devices)
        spare = ((0, each * devices - len(field_SX)),) + ((0, 0),) * (field_SX.ndim - 1)
        first = jax.lax.axis_index("devices") * each
        return jax.lax.dynamic_slice_in_dim(jnp.pad(field_SX, spare, mode="edge"), first, each)

    return jax.tree.map(of_field, points)


def scores_of(problem: Problem, ascents: Ascent, phi):
    """Returns the score of every start from its integers, -1 if it was not made: [S]."""
    nodes_S = jax.lax.population_count(ascents.nodes_W).astype(jnp.int32).sum(-1)
    size_S = nodes_S * ascents.rows_M.sum(-1, dtype=jnp.int32)
    some_S = jnp.maximum(size_S, 1).astype(jnp.float32)
    score_S = phi(ascents.n_alpha.astype(jnp.float32), some_S, problem.alphas_A[ascents.rank])
    score_S = jnp.where(size_S > 0, score_S, 0.0)
    return jnp.where(ascents.first_rank < 0, -1.0, score_S)


def best_rows(problem: Problem, ascents: Ascent, phi):
    """Returns the rows of the best subset so far: [M]."""
    return ascents.rows_M[scores_of(problem, ascents, phi).argmax()]


def is_confirmed(problem: Problem, ascents: Ascent, batch, phi):
    """Tells whether enough starts, from enough alphas, have reached the best score."""
    score_S = scores_of(problem, ascents, phi)
    best_S = (score_S >= score_S.max() * (1 - SAME)) & (ascents.first_rank >= 0)
    hit_A = jnp.zeros(problem.alphas_A.size, bool).at[ascents.first_rank].max(best_S)
    enough = (best_S.sum() >= STARTS_NEEDED) & (hit_A.sum() >= ALPHAS_NEEDED)
    return enough & (batch >= BATCHES_NEEDED)
