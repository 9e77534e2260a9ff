"""Group scan: the rows and nodes that together diverge most, by alternating ascent.

For fixed rows and alpha the best node set is a prefix of the nodes ordered by their count of
significant rows (linear-time subset scanning: Neill 2012; FGSS, JMLR 14:1533, section 3.4), with
nodes of equal count in or out together; the same holds for rows given nodes. The two steps
alternate until the score stops rising. The kernels here are written for one search; `vmap` lifts
them over starts and `lax.map` over runs.
Letters: A alphas, S starts, R runs, N pool rows, M evaluation rows of a run, D nodes, C cut points.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Planes(NamedTuple):
    """For one run, which elements are significant at which alpha: 0 or 1 in float32, two layouts.

    One layout a step, so that each step is a matrix product over its leading axis; counts stay
    exact integers in float32. Faster representations of the same bits replace this class, and
    `node_counts` and `row_counts` with it.
    """

    node_MAD: jax.Array
    row_DAM: jax.Array


class Subset(NamedTuple):
    """State of one ascent. `score` is float32 and only chooses; the integers are what counts."""

    rows_M: jax.Array  # bool
    nodes_D: jax.Array  # bool
    level: jax.Array  # int32: index of the alpha
    n_alpha: jax.Array  # int32: significant elements of the subset
    score: jax.Array  # float32


def make_planes(levels_MD, n_alphas: int) -> Planes:
    """Threshold planes of one run from its levels."""
    level_A = jnp.arange(n_alphas, dtype=levels_MD.dtype)
    return Planes(
        node_MAD=(levels_MD[:, None, :] <= level_A[None, :, None]).astype(jnp.float32),
        row_DAM=(levels_MD.T[:, None, :] <= level_A[None, :, None]).astype(jnp.float32),
    )


def node_counts(planes: Planes, rows_M):
    """Significant selected rows of every node at every alpha: [A, D]."""
    return jnp.tensordot(rows_M.astype(jnp.float32), planes.node_MAD, 1)


def row_counts(planes: Planes, nodes_D):
    """Significant selected nodes of every row at every alpha: [A, M]."""
    return jnp.tensordot(nodes_D.astype(jnp.float32), planes.row_DAM, 1)


class Cuts(NamedTuple):
    """Every prefix that ends at a change of count, from the smallest; `size` 0 marks no prefix."""

    threshold_AC: jax.Array  # the least count inside the prefix
    size_AC: jax.Array  # members of the prefix
    total_AC: jax.Array  # their counts added up


def cuts_by_histogram(counts_AX, highest: int) -> Cuts:
    """Cuts for many members with few distinct counts 1..highest (nodes): no sort."""
    alphas, members = counts_AX.shape
    bins_AX = counts_AX.astype(jnp.int32)
    row_AX = jnp.broadcast_to(jnp.arange(alphas)[:, None], (alphas, members))
    histogram_AC = jnp.zeros((alphas, highest + 1), jnp.float32).at[row_AX, bins_AX].add(1.0)
    count_C = jnp.arange(highest, 0, -1, dtype=jnp.float32)
    found_AC = histogram_AC[:, :0:-1]
    return Cuts(
        threshold_AC=jnp.broadcast_to(count_C, found_AC.shape),
        size_AC=jnp.cumsum(found_AC, axis=1),
        total_AC=jnp.cumsum(found_AC * count_C[None], axis=1),
    )


def cuts_by_sort(counts_AX) -> Cuts:
    """Cuts for few members with many possible counts (rows)."""
    ordered_AX = -jnp.sort(-counts_AX, axis=1)
    following_AX = jnp.pad(ordered_AX[:, 1:], ((0, 0), (0, 1)), constant_values=-1.0)
    # A prefix that ends inside a tie, or holds members that count nothing, is never the best.
    is_cut_AX = (ordered_AX > following_AX) & (ordered_AX > 0)
    place_X = jnp.arange(1, counts_AX.shape[1] + 1, dtype=jnp.float32)
    return Cuts(
        threshold_AC=ordered_AX,
        size_AC=jnp.where(is_cut_AX, place_X[None], 0.0),
        total_AC=jnp.cumsum(ordered_AX, axis=1),
    )


def best_cut(counts_AX, cuts: Cuts, other_size, alphas_A, phi):
    """The best (alpha, prefix): its members as a mask, level, N_alpha and score."""
    n_AC = cuts.size_AC * other_size
    score_AC = jnp.where(n_AC > 0, phi(cuts.total_AC, n_AC, alphas_A[:, None]), 0.0)
    flat = jnp.argmax(score_AC)
    level, cut = flat // score_AC.shape[1], flat % score_AC.shape[1]
    score = score_AC[level, cut]
    mask_X = (counts_AX[level] >= cuts.threshold_AC[level, cut]) & (score > 0)
    n_alpha = jnp.where(score > 0, cuts.total_AC[level, cut], 0.0).astype(jnp.int32)
    return mask_X, level.astype(jnp.int32), n_alpha, score


def ascend(planes: Planes, rows_M, alphas_A, phi) -> Subset:
    """Alternate node step and row step from `rows_M` until the score stops rising."""
    n_rows, n_nodes = planes.row_DAM.shape[2], planes.node_MAD.shape[2]

    def climb(state):
        best, _ = state
        counts_AD = node_counts(planes, best.rows_M)
        cuts = cuts_by_histogram(counts_AD, n_rows)
        nodes_D, *_ = best_cut(counts_AD, cuts, best.rows_M.sum(dtype=jnp.float32), alphas_A, phi)
        found = row_step(planes, nodes_D, alphas_A, phi)
        rises = found.score > best.score
        return jax.tree.map(lambda new, old: jnp.where(rises, new, old), found, best), rises

    start = Subset(rows_M, jnp.zeros(n_nodes, bool), jnp.int32(0), jnp.int32(0), jnp.float32(-1.0))
    best, _ = jax.lax.while_loop(lambda state: state[1], climb, (start, jnp.bool_(True)))
    return best


def row_step(planes: Planes, nodes_D, alphas_A, phi) -> Subset:
    """The best rows and alpha for these nodes."""
    counts_AM = row_counts(planes, nodes_D)
    cuts = cuts_by_sort(counts_AM)
    rows_M, level, n_alpha, score = best_cut(
        counts_AM, cuts, nodes_D.sum(dtype=jnp.float32), alphas_A, phi
    )
    return Subset(rows_M, nodes_D & (score > 0), level, n_alpha, score)


def random_rows(key, valid_M, starts: int):
    """Random non-empty row sets [S, M]: a density for each, then every row on its own."""
    density_key, row_key = jax.random.split(key)
    density_S = jax.random.uniform(density_key, (starts, 1))
    draw_SM = jnp.where(valid_M[None], jax.random.uniform(row_key, (starts, valid_M.size)), 2.0)
    chosen_SM = draw_SM < density_S
    return chosen_SM | (draw_SM == draw_SM.min(axis=1, keepdims=True))


def starting_rows(planes: Planes, key, valid_M, starts: int, alphas_A, phi):
    """Row sets [S, M] in the order all rows, all nodes, random subsets."""
    n_nodes = planes.node_MAD.shape[2]
    from_nodes = row_step(planes, jnp.ones(n_nodes, bool), alphas_A, phi).rows_M
    fixed_SM = jnp.stack([valid_M, from_nodes])[:starts]
    return jnp.concatenate([fixed_SM, random_rows(key, valid_M, max(starts - 2, 0))])
