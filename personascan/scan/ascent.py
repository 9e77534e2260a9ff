"""The search of a group scan: the rows and nodes that diverge most, by alternating ascent.

For fixed rows and alpha the best node set is a prefix of the nodes ordered by their count of
significant rows (linear-time subset scanning: Neill 2012; FGSS, JMLR 14:1533, section 3.4), with
nodes of equal count in or out together; the same holds for rows given nodes. A round of the ascent
takes the best (alpha, nodes) for the rows, climbs at that alpha alone, where a step is a fraction
of the work, then takes the best (alpha, rows) for the nodes; the ascent ends when a round does not
raise the score. All alphas are searched before and after a climb, so that every result is a local
maximum over them, at less than half the passes of plain alternation. `phi` is a score function,
such as `scores.py: berk_jones`.
The kernels are written for one search; `devices.py` maps them over searches and starts.
Letters: A alphas, M evaluation rows, D nodes, W words of packed nodes, J their 32 bits, C counts
1..M, X cuts of a table.
"""

import jax
import jax.numpy as jnp

from personascan.scan.planes import (
    at_least,
    count_bits,
    node_sums,
    nodes_with_count,
    pack_bits,
    row_counts,
    word_count,
)
from personascan.scan.problem import Ascent, Problem, Subset, chunk_firsts, over_chunks, plane_at


def best_over_alphas(problem: Problem, chunk: int, best_of):
    """Returns the best (score, rank, ...) of `best_of(planes, alphas)` over all alphas."""
    score_C, rank_C, *rest = over_chunks(problem, chunk, best_of)
    best = score_C.argmax()
    rank = rank_C[best] + chunk_firsts(problem, chunk)[best]
    return score_C[best], rank, *(field[best] for field in rest)


def best_node_cut(planes_AMW, alphas_A, rows_M, phi):
    """Returns the best alpha for rows, and its nodes' least count: (score, rank, count, bits)."""
    bits_KAW = count_bits(planes_AMW, rows_M)
    nodes_AC = nodes_with_count(bits_KAW, rows_M.size).astype(jnp.float32)
    count_C = jnp.arange(1, rows_M.size + 1, dtype=jnp.float32)
    # For each least count: how many nodes reach it, and their counts added up.
    reaches_CC = (count_C[:, None] >= count_C[None]).astype(jnp.float32)
    sums_CX = jnp.concatenate([reaches_CC, reaches_CC * count_C[:, None]], axis=1)
    sums_AX = jnp.dot(nodes_AC, sums_CX, precision="highest")
    size_AC, total_AC = jnp.split(sums_AX, 2, axis=1)
    score, rank, cut = best_cell(total_AC, size_AC * rows_M.sum(dtype=jnp.float32), alphas_A, phi)
    return score, rank, cut + 1, bits_KAW[:, rank]


def best_row_cut(planes_AMW, alphas_A, nodes_W, phi):
    """Returns the best alpha and rows for nodes among these alphas: (score, rank, rows)."""
    counts_AM = row_counts(planes_AMW, nodes_W)
    ordered_AM = -jnp.sort(-counts_AM, axis=1)
    following_AM = jnp.pad(ordered_AM[:, 1:], ((0, 0), (0, 1)), constant_values=-1)
    # A prefix that ends inside a tie, or holds members whose count is 0, is never the best.
    is_cut_AM = (ordered_AM > following_AM) & (ordered_AM > 0)
    index_M = jnp.arange(1, counts_AM.shape[1] + 1, dtype=jnp.float32)
    n_nodes = jax.lax.population_count(nodes_W).astype(jnp.int32).sum().astype(jnp.float32)
    n_AM = jnp.where(is_cut_AM, index_M[None] * n_nodes, 0.0)
    total_AM = jnp.cumsum(ordered_AM, axis=1).astype(jnp.float32)
    score, rank, cut = best_cell(total_AM, n_AM, alphas_A, phi)
    rows_M = (counts_AM[rank] >= ordered_AM[rank, cut]) & (score > 0)
    return score, rank, rows_M


def best_cell(total_AX, n_AX, alphas_A, phi):
    """Returns the highest score of a table of cuts: (score, rank, cut)."""
    score_AX = jnp.where(n_AX > 0, phi(total_AX, n_AX, alphas_A[:, None]), 0.0)
    flat = jnp.argmax(score_AX).astype(jnp.int32)
    rank, cut = flat // score_AX.shape[1], flat % score_AX.shape[1]
    return score_AX[rank, cut], rank, cut


def node_step(problem: Problem, rows_M, chunk: int, phi):
    """Returns the best score over all alphas and node sets for rows, and its rank."""

    def best_of(planes_AMW, alphas_A):
        return best_node_cut(planes_AMW, alphas_A, rows_M, phi)[:2]

    return best_over_alphas(problem, chunk, best_of)


def row_step(problem: Problem, nodes_W, chunk: int, phi):
    """Returns the best rows over all alphas for nodes: (score, rank, rows)."""

    def best_of(planes_AMW, alphas_A):
        return best_row_cut(planes_AMW, alphas_A, nodes_W, phi)

    return best_over_alphas(problem, chunk, best_of)


def climb_at_alpha(problem: Problem, start: Subset, rank, phi, climb: bool) -> Subset:
    """Alternates node and row steps at one alpha while the score rises.

    Without `climb` it takes one node step.
    """
    plane_1MW = plane_at(problem, rank)
    alpha_1 = jax.lax.dynamic_slice_in_dim(problem.alphas_A, rank, 1)

    def step(state):
        best, _ = state
        score, _, count, bits_KW = best_node_cut(plane_1MW, alpha_1, best.rows_M, phi)
        best = higher(Subset(best.rows_M, at_least(bits_KW, count), rank, score), best)
        if not climb:
            return best, jnp.bool_(False)
        score, _, rows_M = best_row_cut(plane_1MW, alpha_1, best.nodes_W, phi)
        risen = Subset(rows_M, best.nodes_W, best.rank, score)
        return higher(risen, best), score > best.score

    return jax.lax.while_loop(lambda state: state[1], step, (start, jnp.bool_(True)))[0]


def higher(candidate: Subset, best: Subset) -> Subset:
    """Returns the candidate if it scores more, else the best so far."""
    rises = candidate.score > best.score
    return jax.tree.map(lambda new, old: jnp.where(rises, new, old), candidate, best)


def ascend(problem: Problem, rows_M, rank, *, chunk: int, phi, climb: bool) -> Ascent:
    """Searches from `rows_M` for the highest score, in rounds until none raises it.

    The first round starts at the alpha `rank`, or at the best one if that is -1. Without `climb`
    rows and nodes alternate over all alphas.
    """

    def go_round(state):
        best, rank, first_rank, _ = state
        score, best_rank = jax.lax.cond(
            rank < 0,
            lambda: node_step(problem, best.rows_M, chunk, phi),
            lambda: (jnp.float32(jnp.inf), rank),
        )
        reached = jax.lax.cond(
            score > best.score, lambda: climb_and_row_step(best, best_rank), lambda: best
        )
        first_rank = jnp.where(first_rank < 0, best_rank, first_rank)
        return reached, jnp.int32(-1), first_rank, reached.score > best.score

    def climb_and_row_step(best, rank):
        best = climb_at_alpha(problem, best, rank, phi, climb)
        score, rank, rows_M = row_step(problem, best.nodes_W, chunk, phi)
        return higher(Subset(rows_M, best.nodes_W, rank, score), best)

    nodes_W = jnp.zeros(problem.ranks_MD.shape[-1] // 32, jnp.uint32)
    start = Subset(rows_M, nodes_W, jnp.int32(0), jnp.float32(-1.0))
    state = (start, rank, jnp.int32(-1), jnp.bool_(True))
    best, _, first_rank, _ = jax.lax.while_loop(lambda state: state[3], go_round, state)
    return describe(problem, best, first_rank)


def describe(problem: Problem, best: Subset, first_rank) -> Ascent:
    """Returns the subset as integers and masks, with the tail of each of its nodes."""
    has_score = best.score > 0
    rows_M = best.rows_M & has_score
    plane_1MW = plane_at(problem, best.rank)
    nodes_W = jnp.where(has_score, best.nodes_W, jnp.uint32(0))
    high_W = low_W = None
    if problem.right_MW is not None:
        significant_MW = jnp.where(rows_M[:, None], plane_1MW[0], jnp.uint32(0))
        high_JW = node_sums(significant_MW & problem.right_MW)
        low_JW = node_sums(significant_MW & ~problem.right_MW)
        high_W = nodes_W & pack_bits(high_JW > low_JW)
        low_W = nodes_W & pack_bits(low_JW > high_JW)
    n_alpha = jnp.where(rows_M, row_counts(plane_1MW, nodes_W)[0], 0).sum()
    return Ascent(rows_M, nodes_W, best.rank, n_alpha, first_rank, high_W, low_W)


def all_nodes(n_nodes: int):
    """Returns the packed mask of every node, without the padding."""
    words = word_count(n_nodes)
    node = jnp.arange(32)[:, None] * words + jnp.arange(words)[None]
    bit = jnp.left_shift(jnp.uint32(1), jnp.arange(32, dtype=jnp.uint32))[:, None]
    return jnp.where(node < n_nodes, bit, jnp.uint32(0)).sum(0, dtype=jnp.uint32)
