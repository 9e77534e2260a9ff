"""The exact scan of one row alone, for all rows at once."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from personascan.scan.pvalues import count_background, level_tables, rank_pool, stack_pool
from personascan.scan.result import IndividualScan
from personascan.scan.scores import score_function


def individual_scan(
    background_BD,
    evaluation_ND,
    *,
    score: str = "bj",
    tail: str = "two",
    alpha_max: float = 0.5,
    alphas="exact",
    compat: bool = False,
) -> IndividualScan:
    """The best node set of every evaluation row, exactly.

    For one row and one alpha the best set is the k nodes with p <= alpha, where N_alpha = N = k:
    Berk-Jones k ln(1/a), Higher Criticism sqrt(k (1-a)/a), Kolmogorov-Smirnov sqrt(k) (1-a)
    (linear-time subset scanning, Neill 2012, for a single record).

    Args:
      background_BD, evaluation_ND: activations, NumPy or JAX, with the same D nodes.
      score: "bj", "hc" or "ks".
      tail: "right", "left" or "two".
      alpha_max: largest alpha searched, in (0, 1).
      alphas: "exact", "grid" (50 equal steps up to alpha_max) or an ascending sequence.
      compat: test the published code's p-values (needs a grid or a sequence).

    Returns:
      IndividualScan with score, alpha and size [N], and `nodes(row)`.

    Raises:
      InputError: as `empirical_pvalues`, and for alphas outside (0, 1) or an unknown score.
    """
    phi = score_function(score)
    pool_ND, background_N = stack_pool(background_BD, evaluation_ND)
    tables = level_tables(
        background_N.sum(keepdims=True),
        tail=tail,
        alpha_max=alpha_max,
        alpha_min=0.0,
        alphas=alphas,
        compat=compat,
    )
    alphas_A = tables.alphas_RA[0]
    rows_N = np.flatnonzero(~background_N)
    below_ND, above_ND = count_background(rank_pool(pool_ND), jnp.asarray(background_N), rows_N)
    levels_ND, sizes_NA = _sizes(
        below_ND, above_ND, tables.below_RB[0], tables.above_RB[0], len(alphas_A)
    )
    sizes_NA = np.asarray(sizes_NA, np.int64)
    scores_NA = phi(sizes_NA, sizes_NA, alphas_A, xp=np)
    row = np.arange(len(sizes_NA))
    best_N = scores_NA.argmax(1)
    score_N = scores_NA[row, best_N]
    some_N = score_N > 0
    return IndividualScan(
        score=score_N,
        alpha=np.where(some_N, alphas_A[best_N], np.nan),
        size=np.where(some_N, sizes_NA[row, best_N], 0),
        levels_ND=np.asarray(levels_ND),
        best_level_N=np.where(some_N, best_N, -1).astype(np.int32),
    )


@partial(jax.jit, static_argnums=4)
def _sizes(below_ND, above_ND, below_levels, above_levels, n_alphas: int):
    levels_ND = jnp.minimum(below_levels[below_ND], above_levels[above_ND])
    histogram_NA = jax.vmap(lambda row_D: jnp.zeros(n_alphas + 1, jnp.int32).at[row_D].add(1))
    return levels_ND, jnp.cumsum(histogram_NA(levels_ND)[:, :n_alphas], axis=1)
