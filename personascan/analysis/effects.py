"""The effects of edits, with intervals over rows and p-values against random controls.

Letters: W edits, N rows, B resamples, K controls.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

FLOAT32 = 1e-5  # of a change: the accuracy of its terms
ROUNDING = 1e-9  # of an effect


@dataclass(frozen=True)
class Effects:
    """How far each edit moves an outcome, with an interval over the rows."""

    effect_W: np.ndarray
    low_W: np.ndarray
    high_W: np.ndarray


def contrast_weights(positive_N) -> np.ndarray:
    """Returns the weight of each row in the mean of H1 less that of H0: [N]."""
    return np.where(positive_N, 1 / positive_N.sum(), -1 / (~positive_N).sum())


def even_weights(positive_N) -> np.ndarray:
    """Returns the weight of each row in a mean: [N]."""
    return np.full(positive_N.size, 1 / positive_N.size)


def weighted_effect(change_WN, weights_N) -> np.ndarray:
    """Returns the effect of each edit [W]; 0 where rows differ by no more than float32's rounding.

    An edit at the last norm moves all answers alike: their difference must not be ranked then.
    """
    effect_W = change_WN @ weights_N
    return np.where(
        np.abs(effect_W) <= FLOAT32 * (np.abs(change_WN) @ np.abs(weights_N)), 0, effect_W
    )


def bootstrap_effects(
    change_WN, weights_N, positive_N, *, resamples: int, confidence: float, rng, clusters_N=None
) -> Effects:
    """Returns the effects of the edits with bootstrap intervals over the rows.

    Rows are drawn within H1 and within H0; where rows have clusters, clusters are. Intervals are
    expanded percentile intervals (Hesterberg 2015): the quantile Phi(-sqrt(n / (n - 1)) t) and its
    complement, with n the number of units of the smaller side and t the quantile of Student's t
    with n - 1 degrees of freedom. With fewer than five units of a side they are still too narrow;
    with one they are NaN. If one side is more skewed than the other, they miss more often than
    asked on the long side.

    Args:
      change_WN: outcome under each edit less that of the unedited model.
      weights_N: the weight of each row: `contrast_weights` or `even_weights`.
    """
    units_N, sides = units_of(positive_N, clusters_N)
    weighted_WN = change_WN * weights_N
    effect_W = weighted_effect(change_WN, weights_N)
    fewest = int(min(sides.sum(), (~sides).sum()))
    if fewest < 2:
        return Effects(effect_W, *np.full((2, effect_W.size), np.nan))
    summed_WU = np.stack([weighted_WN[:, units_N == u].sum(1) for u in range(len(sides))], axis=1)
    weights_U = np.bincount(units_N, weights_N)
    drawn_BW = np.zeros((resamples, effect_W.size))
    for side in (True, False):
        own = np.flatnonzero(sides == side)
        times_BU = rng.multinomial(own.size, np.full(own.size, 1 / own.size), resamples)
        # Clusters differ in size: a side keeps its weight, however many rows are drawn.
        share_B = times_BU @ weights_U[own] / weights_U[own].sum()
        drawn_BW += times_BU @ summed_WU[:, own].T / share_B[:, None]
    out = norm.cdf(-np.sqrt(fewest / (fewest - 1)) * t.ppf((1 + confidence) / 2, fewest - 1))
    low_W, high_W = np.quantile(drawn_BW, [out, 1 - out], axis=0)
    return Effects(effect_W, low_W, high_W)


def units_of(positive_N, clusters_N) -> tuple[np.ndarray, np.ndarray]:
    """Returns the unit that each row is drawn with [N], and the side of each unit."""
    clusters_N = np.arange(positive_N.size) if clusters_N is None else clusters_N
    _, first, units_N = np.unique(clusters_N, return_index=True, return_inverse=True)
    return units_N, positive_N[first]


def control_p(effect: float, control_K) -> float:
    """Returns p = (controls with at least this |effect| + 1) / (controls + 1).

    A tolerance makes sums of the same numbers in another order equal.
    """
    control_K = np.asarray(control_K)
    reached = np.abs(control_K) >= abs(effect) * (1 - ROUNDING)
    return float((reached.sum() + 1) / (control_K.size + 1))
