"""The exact scan of one row alone, for all rows at once."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from personascan.scan.counts import by_node, sort_background, tail_levels
from personascan.scan.levels import level_tables
from personascan.scan.options import ScanOptions
from personascan.scan.pvalues import as_ordered_pair, split_by_group
from personascan.scan.result import IndividualScan
from personascan.scan.tails import Tail

CELLS_AT_ONCE = 2**22  # rows x alphas scored together
BYTE_SUM = 128  # ones that a byte can add up


def individual_scan(
    background_BD,
    evaluation_ND,
    *,
    score: str = "bj",
    tail: str = "signed",
    alpha_max: float = 0.5,
    alpha_min: float = 0.0,
    alphas="exact",
    background_groups=None,
    compat: bool = False,
) -> IndividualScan:
    """The best node set of every evaluation row, exactly.

    For one row and one alpha the best set is the k nodes with p <= alpha, where N_alpha = N = k:
    Berk-Jones k ln(1/a), Higher Criticism sqrt(k (1-a)/a), Kolmogorov-Smirnov sqrt(k) (1-a)
    (linear-time subset scanning, Neill 2012, for a single record).

    Args:
      background_BD, evaluation_ND: activations, NumPy or JAX, with the same D nodes.
      score: "bj", "hc" or "ks".
      tail: "signed", "right", "left" or "two", as in `scan_runs`.
      alpha_max, alpha_min: the range of alphas searched, inside (0, 1); alpha_min 0 is no bound.
      alphas: "exact", "grid", "log" or an ascending sequence, as in `scan_runs`.
      background_groups: as in `empirical_pvalues`.
      compat: test the published code's p-values (needs a grid or a sequence).

    Returns:
      IndividualScan with score, alpha and size [N], and `nodes(row)`, `high(row)`, `low(row)`.

    Raises:
      InputError: as `empirical_pvalues`, and for alphas outside (0, 1) or an unknown score.
    """
    options = ScanOptions(
        score=score, tail=tail, alpha_max=alpha_max, alpha_min=alpha_min, alphas=alphas,
        compat=compat,
    )  # fmt: skip
    background_BD, evaluation_ND = as_ordered_pair(background_BD, evaluation_ND)
    parts = split_by_group(background_BD, evaluation_ND, background_groups)
    backgrounds = [sort_background(background_BD[members]) for members, _ in parts]
    sizes_G = np.array([background.values_DB.shape[1] for background in backgrounds])
    tables = level_tables(sizes_G[None], options)
    alphas_A = tables.alphas_RA[0]
    high_ND, low_ND = (np.empty(evaluation_ND.shape, tables.below_RGB.dtype) for _ in range(2))
    score_N, best_N, size_N = (np.zeros(len(high_ND), kind) for kind in (float, int, int))
    at_once = max(1, CELLS_AT_ONCE // len(alphas_A))
    for group, (background, (_, rows)) in enumerate(zip(backgrounds, parts, strict=True)):
        by_count = (tables.below_RGB[0, group], tables.above_RGB[0, group])
        rows = np.arange(len(high_ND))[rows]
        for first in range(0, len(rows), at_once):
            block = rows[first : first + at_once]
            tails_DE = tail_levels(background, by_node(evaluation_ND[block]), *by_count)
            *levels, sizes_EA = levels_and_sizes(
                *tails_DE, n_alphas=tables.n_alphas, sides=options.sides
            )
            high_ND[block], low_ND[block] = levels
            sizes_EA = np.asarray(sizes_EA, np.int64)
            scores_EA = options.phi(sizes_EA, sizes_EA, alphas_A, xp=np)
            best_N[block] = scores_EA.argmax(1)
            best = (np.arange(len(block)), best_N[block])
            score_N[block], size_N[block] = scores_EA[best], sizes_EA[best]
    some_N = score_N > 0
    if not options.sides.high:  # published p-values of the left tail stand in the other table
        high_ND, low_ND = np.full_like(high_ND, tables.n_alphas), np.minimum(high_ND, low_ND)
    return IndividualScan(
        score=score_N,
        alpha=np.where(some_N, alphas_A[best_N], np.nan),
        size=np.where(some_N, size_N, 0),
        high_ND=high_ND,
        low_ND=low_ND,
        best_level_N=np.where(some_N, best_N, -1).astype(np.int32),
        note=options.unattainable(sizes_G),
    )


@partial(jax.jit, static_argnames=("n_alphas", "sides"))
def levels_and_sizes(right_DE, left_DE, *, n_alphas: int, sides: Tail):
    """Levels of both tails [E, D], and how many columns of each row are significant at each alpha
    [E, A].
    """
    levels_DE = sides.join(right_DE.T, left_DE.T).T
    nodes, rows = levels_DE.shape
    spare = ((0, -nodes % BYTE_SUM), (0, 0))
    levels_XYE = jnp.pad(levels_DE, spare, constant_values=n_alphas).reshape(-1, BYTE_SUM, rows)

    def size(level):
        # Sums of bytes first: they vectorise.
        some_XE = (levels_XYE <= level).astype(jnp.uint8).sum(1, dtype=jnp.uint8)
        return some_XE.astype(jnp.int32).sum(0)

    return right_DE.T, left_DE.T, jax.lax.map(size, jnp.arange(n_alphas).astype(levels_DE.dtype)).T
