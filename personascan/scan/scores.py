"""Score functions phi(alpha, N_alpha, N): how far N_alpha exceeds its expectation alpha N.

Of N p-values N_alpha lie at or below alpha. Each function broadcasts. `xp` is jax.numpy in
compiled searches (float32, to choose) and numpy on the host (float64, to report). All are 0 where
N_alpha <= alpha N.
Source: McFowland, Speakman, Neill, "Fast Generalized Subset Scan", JMLR 14:1533 (2013).
"""

import jax.numpy as jnp

from personascan.errors import InputError


def berk_jones(n_alpha, n, alpha, xp=jnp):
    """Returns N * KL(N_alpha / N, alpha) in nats (FGSS, scoring functions; Berk and Jones 1979).

    KL(q, a) = q ln(q/a) + (1-q) ln((1-q)/(1-a)); N is multiplied in, so that no q is formed.
    """
    rest = n - n_alpha
    # A logarithm is only taken where its factor is positive: 0 ln 0 = 0.
    hits = n_alpha * xp.log(xp.where(n_alpha > 0, n_alpha, 1) / xp.where(n > 0, n * alpha, 1))
    misses = rest * xp.log(xp.where(rest > 0, rest, 1) / xp.where(rest > 0, n * (1 - alpha), 1))
    return xp.where(n_alpha > alpha * n, hits + misses, 0.0)


def higher_criticism(n_alpha, n, alpha, xp=jnp):
    """Returns (N_alpha - alpha N) / sqrt(N alpha (1 - alpha)) (Donoho and Jin 2004, as in FGSS)."""
    spread = xp.sqrt(xp.where(n > 0, n, 1) * alpha * (1 - alpha))
    return xp.where(n_alpha > alpha * n, (n_alpha - alpha * n) / spread, 0.0)


def kolmogorov_smirnov(n_alpha, n, alpha, xp=jnp):
    """Returns (N_alpha - alpha N) / sqrt(N), the one-sided Kolmogorov-Smirnov statistic."""
    return xp.where(
        n_alpha > alpha * n, (n_alpha - alpha * n) / xp.sqrt(xp.where(n > 0, n, 1)), 0.0
    )


SCORES = {"bj": berk_jones, "hc": higher_criticism, "ks": kolmogorov_smirnov}


def score_function(score: str):
    """Returns the score of that name. Raises InputError if there is none."""
    if not isinstance(score, str) or score not in SCORES:
        raise InputError(f"score {score!r} is unknown; use one of {', '.join(SCORES)}")
    return SCORES[score]
