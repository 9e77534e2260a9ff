"""The starts of ascents: row sets in a fixed order, or batches that each spread over the alphas.

Over 136 scans (`docs/scan.md`) the first three starts reach on average the score of 50 random ones,
and the ten fixed ones 0.998 of the score of 200.
Letters: S starts, J row sets of one start, M rows, D nodes, W words, A alphas.
"""

import math

import jax
import jax.numpy as jnp

from personascan.scan.ascent import all_nodes, row_step
from personascan.scan.planes import popcounts, row_counts
from personascan.scan.problem import Problem, chunk_firsts, over_chunks, plane_at

# The starts after all rows and all nodes: (kind, share of the rows). "top" takes the rows with the
# highest exact individual scores; "axis" and "against" the rows at either end of the leading
# singular vector of the significant elements.
MIX = (
    ("top", 0.02),
    ("axis", 0.2),
    ("top", 0.2),
    ("against", 0.2),
    ("top", 0.05),
    ("top", 0.5),
    ("axis", 0.5),
    ("against", 0.5),
)
AXIS_TENTHS = 3  # the singular vector is that of the alpha at so many tenths of all alphas
AXIS_WORDS = 64  # from the nodes of this many words: 2048, evenly spread
POWER_STEPS = 24
BATCH = 10
# A start of a first batch tries top rows (shares by count at its alpha, then by individual score)
# or both ends of the axis, by turns: if each tried all of them, alphas would agree too easily.
COUNT_SHARES, SCORE_SHARE, AXIS_SHARES = (0.0, 0.1, 0.4), 0.2, (0.2, 0.5)
# Both kinds also try neighbourhoods: the rows that share most significant nodes with a random row.
# Broad sets fall into one basin at every alpha; if rows cluster, these lead to the other basins.
NEIGHBOURS, LARGEST = 8, 0.5  # at most this share of the rows; most are far smaller
# By turns a start of a later batch tries changes of the best rows, random sets and small ones at
# an alpha, or goes on from one random set, small set or neighbourhood at its best alpha. Of the
# sets of an alpha only the best goes on, so that basins to which a weaker one leads are missed.
CHANGED, RANDOM, SMALL = 2, 2, 2
FIRST_SETS = len(COUNT_SHARES) + 1 + NEIGHBOURS
GOLDEN = 0.618034  # each batch shifts its alphas by this share of a step


def starting_points(problem: Problem, key, valid_M, n_nodes: int, starts: int, chunk: int, phi):
    """Returns row sets [S, M] in the order all rows, all nodes, MIX, random ones; and ranks [S].

    The rank is that of the alpha a row set comes from, or -1 for the best alpha.
    """
    chosen = [(valid_M, jnp.int32(-1))]
    if starts > 1:
        _, rank, rows_M = row_step(problem, all_nodes(n_nodes), chunk, phi)
        chosen.append((rows_M, rank))
    mix = MIX[: max(starts - 2, 0)]
    kinds = {kind for kind, _ in mix}
    orders = {}
    if "top" in kinds:
        orders["top"] = individual_scores(problem, n_nodes, chunk, phi)
    if kinds & {"axis", "against"}:
        axis_M, rank = leading_axis(problem, valid_M, n_nodes)
        orders["axis"], orders["against"] = (axis_M, rank), (-axis_M, rank)
    for kind, share in mix:
        value_M, rank = orders[kind]
        chosen.append((highest(value_M, valid_M, share), rank))
    rows_SM, rank_S = (jnp.stack(part) for part in zip(*chosen, strict=True))
    if starts == len(chosen):
        return rows_SM, rank_S
    random_SM = random_rows(key, valid_M, starts - len(chosen))
    rank_S = jnp.pad(rank_S, (0, len(random_SM)), constant_values=-1)
    return jnp.concatenate([rows_SM, random_SM]), rank_S


def highest(value_M, valid_M, share: float):
    """Returns the given share of the valid rows, at least one, with the highest values."""
    count = jnp.maximum(1, jnp.round(share * valid_M.sum(dtype=jnp.float32))).astype(jnp.int32)
    value_M = jnp.where(valid_M, value_M, -jnp.inf)
    index_M = jnp.argsort(jnp.argsort(-value_M))
    return (index_M < count) & valid_M


def individual_scores(problem: Problem, n_nodes: int, chunk: int, phi):
    """Returns the exact score of every row scanned alone [M], and the rank of the best."""
    nodes_W = all_nodes(n_nodes)

    def of_chunk(planes_AMW, alphas_A):
        count_AM = row_counts(planes_AMW, nodes_W).astype(jnp.float32)
        score_AM = jnp.where(count_AM > 0, phi(count_AM, count_AM, alphas_A[:, None]), 0.0)
        return score_AM.max(0), score_AM.max(1).argmax(), score_AM.max()

    score_CM, rank_C, best_C = over_chunks(problem, chunk, of_chunk)
    best = best_C.argmax()
    rank = (rank_C[best] + chunk_firsts(problem, chunk)[best]).astype(jnp.int32)
    return score_CM.max(0), rank


def leading_axis(problem: Problem, valid_M, n_nodes: int):
    """Returns the leading left singular vector of a plane [M], and the plane's rank.

    Significant elements are taken less their expectation. Power iteration runs on its
    Gram matrix, whose entries are popcounts; the sign is that of the rows with most significant
    elements.
    """
    # Of this search's own alphas and rows, without the padding.
    alphas = 1 + (jnp.diff(problem.alphas_A) > 0).sum(dtype=jnp.int32)
    rank = AXIS_TENTHS * alphas // 10
    alpha = problem.alphas_A[rank]
    some_W = all_nodes(n_nodes)[:AXIS_WORDS]
    plane_MW = plane_at(problem, rank)[0, :, :AXIS_WORDS] & some_W[None]
    size = jax.lax.population_count(some_W).astype(jnp.float32).sum()
    gram_MM = jax.lax.map(lambda row_W: popcounts(plane_MW & row_W[None]), plane_MW).astype(
        jnp.float32
    )
    total_M = jnp.diagonal(gram_MM)
    gram_MM = gram_MM - alpha * (total_M[:, None] + total_M[None]) + alpha**2 * size
    gram_MM = jnp.where(valid_M[:, None] & valid_M[None], gram_MM, 0.0)
    excess_M = jnp.where(valid_M, total_M - total_M.mean(where=valid_M), 0.0)

    def step(_, vector_M):
        vector_M = jnp.dot(gram_MM, vector_M, precision="highest")
        return vector_M / jnp.maximum(jnp.abs(vector_M).max(), 1e-30)

    # No start is orthogonal to the answer.
    last = jnp.maximum(valid_M.sum(dtype=jnp.float32) - 1, 1)
    ramp_M = 0.5 + 0.5 * jnp.arange(valid_M.size, dtype=jnp.float32) / last
    vector_M = jax.lax.fori_loop(0, POWER_STEPS, step, excess_M + ramp_M)
    sign = jnp.where(jnp.dot(vector_M, excess_M, precision="highest") < 0, -1.0, 1.0)
    return sign * vector_M, rank


def random_rows(key, valid_M, starts: int):
    """Draws random non-empty row sets [S, M]: a density for each, then each row by itself."""
    density_key, row_key = jax.random.split(key)
    density_S = draw_uniform(density_key, (starts, 1))
    draw_SM = jnp.where(valid_M[None], draw_uniform(row_key, (starts, valid_M.size)), 2.0)
    chosen_SM = draw_SM < density_S
    return chosen_SM | (draw_SM == draw_SM.min(axis=1, keepdims=True))


def first_points(problem: Problem, key, valid_M, layout):
    """Returns a first batch: all rows, the best row alone, then alphas in geometric steps.

    These are row sets [S, J, M], the number of them that count [S], and ranks [S], -1 for the best
    alpha.
    """
    nodes_W = all_nodes(layout.columns)
    alone_M, alone_rank = individual_scores(problem, layout.columns, layout.chunk, layout.phi)
    axis_M, _ = leading_axis(problem, valid_M, layout.columns)
    axis_JM = jnp.stack(
        [highest(end_M, valid_M, share) for end_M in (axis_M, -axis_M) for share in AXIS_SHARES]
    )
    top_M = highest(alone_M, valid_M, SCORE_SHARE)
    rank_S = spread_ranks(problem, jnp.linspace(0.0, 1.0, BATCH - 2))

    key = jax.random.fold_in(key, 0)
    row_SJ, share_SJ = neighbour_draws(key, valid_M, (BATCH - 2, NEIGHBOURS))

    def of_rank(point):
        rank, is_axis, row_J, share_J = point
        plane_MW = plane_at(problem, rank)[0]
        count_M = row_counts(plane_MW[None], nodes_W)[0].astype(jnp.float32)
        tops = [highest(count_M, valid_M, share) for share in COUNT_SHARES]
        near_JM = neighbours(plane_MW, valid_M, row_J, share_J)
        return jnp.concatenate([jnp.where(is_axis, axis_JM, jnp.stack([*tops, top_M])), near_JM])

    is_axis_S = jnp.arange(BATCH - 2) % 2 == 1
    rows_SJM = jax.lax.map(of_rank, (rank_S, is_axis_S, row_SJ, share_SJ))
    ends_SM = jnp.stack([valid_M, highest(alone_M, valid_M, 0.0)])
    ends_SJM = jnp.broadcast_to(ends_SM[:, None], (2, *rows_SJM.shape[1:]))
    ranks = (jnp.full(1, -1, jnp.int32), alone_rank[None], rank_S)
    sets_S = jnp.full(BATCH, rows_SJM.shape[1])
    return jnp.concatenate([ends_SJM, rows_SJM]), sets_S, jnp.concatenate(ranks)


def draw_uniform(key, shape):
    """Draws the numbers of `jax.random.uniform`, flat: XLA compiles that three times as fast."""
    return jax.random.uniform(key, (math.prod(shape),)).reshape(shape)


def neighbour_draws(key, valid_M, shape):
    """Draws a valid row and a share of the rows for each entry of `shape`."""
    row_key, share_key = jax.random.split(key)
    # Rows in front: the draw of a row does not depend on the padding of this search.
    draw_MX = draw_uniform(row_key, (valid_M.size, *shape))
    draw_MX = jnp.where(valid_M.reshape(-1, *(1,) * len(shape)), draw_MX, 2.0)
    return draw_MX.argmin(0), LARGEST * draw_uniform(share_key, shape) ** 2


def neighbours(plane_MW, valid_M, row_J, share_J):
    """Returns for each row the share of rows with most of its significant nodes: [J, M]."""

    def of_row(drawn):
        row, share = drawn
        joint_M = popcounts(plane_MW & plane_MW[row][None]).astype(jnp.float32)
        return highest(joint_M.at[row].set(jnp.inf), valid_M, share)

    return jax.lax.map(of_row, (row_J, share_J))


def later_points(problem: Problem, key, batch, valid_M, best_M):
    """Returns a later batch, as `first_points`: changes of the best rows so far, random rows."""
    sets = CHANGED + RANDOM + SMALL
    kind_S = jnp.arange(BATCH * sets) % sets
    density_key, row_key = jax.random.split(jax.random.fold_in(key, batch))
    density_S = draw_uniform(density_key, kind_S.shape)
    start_S = jnp.arange(BATCH)
    plain_S, small_S = start_S % 2 == 1, start_S % 4 == 3
    plain_kind_S = jnp.where(small_S, CHANGED + RANDOM, CHANGED)
    kind_S = jnp.where(jnp.repeat(plain_S, sets), jnp.repeat(plain_kind_S, sets), kind_S)
    density_S = jnp.where(kind_S >= CHANGED + RANDOM, density_S**3, density_S)
    # Rows in front, as above.
    draw_MS = draw_uniform(row_key, (valid_M.size, kind_S.size))
    draw_SM = jnp.where(valid_M[None], draw_MS.T, 2.0)
    chosen_SM = (draw_SM < density_S[:, None]) | (draw_SM == draw_SM.min(axis=1, keepdims=True))
    changed_SM = (best_M[None] ^ (draw_SM < density_S[:, None] / 2)) & valid_M[None]
    changed_SM = jnp.where(changed_SM.any(axis=1, keepdims=True), changed_SM, chosen_SM)
    rows_SM = jnp.where((kind_S < CHANGED)[:, None], changed_SM, chosen_SM)
    shift = (batch.astype(jnp.float32) * GOLDEN) % 1.0
    rank_S = spread_ranks(problem, (jnp.arange(BATCH, dtype=jnp.float32) + shift) / BATCH)
    # The last start, a plain one, goes on from a neighbourhood.
    drawn = neighbour_draws(jax.random.fold_in(row_key, 1), valid_M, (1,))
    near_JM = neighbours(plane_at(problem, rank_S[-1])[0], valid_M, *drawn)
    rows_SJM = rows_SM.reshape(BATCH, sets, -1).at[-1, :1].set(near_JM)
    rows_SJM = jnp.pad(rows_SJM, ((0, 0), (0, FIRST_SETS - sets), (0, 0)))
    return rows_SJM, jnp.full(BATCH, sets), jnp.where(plain_S, jnp.int32(-1), rank_S)


def spread_ranks(problem: Problem, share_S):
    """Returns ranks at shares of the way, in geometric steps, from the least attained alpha."""
    log_A = jnp.log(problem.alphas_A)
    least = jnp.minimum(problem.ranks_MD.min().astype(jnp.int32), log_A.size - 1)
    target_S = log_A[least] + share_S * (log_A[-1] - log_A[least])
    return jnp.searchsorted(log_A, target_S - 1e-5).clip(max=log_A.size - 1).astype(jnp.int32)
