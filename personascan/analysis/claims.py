"""Comparison of two scores by their AUROCs on the same rows, with intervals.

Letters: N rows, S scores, B bootstrap resamples.
"""

import copy
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

CELLS_AT_ONCE = 2**22  # resamples x rows that are weighted together


@dataclass(frozen=True)
class Claim:
    """The AUROC of one score less that of another, with its interval. NaN where either is missing.

    The interval covers the choice of judging rows, not of training rows: scores stay as trained.
    `bootstrap_low` and `bootstrap_high` are the percentiles of the paired bootstrap. They are too
    close where both AUROCs are near 1 and rows are few, since a pair that is ordered correctly is
    so in every resample: `low` and `high` are the outer ones of these and of limits that do not
    shrink so (`limits_of_difference`).
    """

    difference: float
    low: float
    high: float
    below: float  # share of resamples in which the difference is negative, ties by half
    bootstrap_low: float
    bootstrap_high: float

    def holds(self, margin: float) -> bool:
        """Returns whether the score is at most `margin` worse: the interval lies above -margin.

        How much worse still counts as equal is the reader's choice, so there is no default.
        """
        return bool(self.low > -margin)


def compare_aurocs(
    score_N,
    other_N,
    positive_N,
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
    clusters_N=None,
) -> Claim:
    """Compares the AUROC of a score with another's, or the mean of several [K, N], on equal rows.

    H1 and H0 rows are resampled separately, and both scores are evaluated on the same resamples.
    Rows of one cluster are drawn together, and count as one in the limits that do not shrink.
    """
    if np.array_equal(score_N, other_N):
        return Claim(0.0, 0.0, 0.0, 0.5, 0.0, 0.0)
    others_KN, tail = np.atleast_2d(other_N), (1 - confidence) / 2
    drawn_KB = bootstrap_aurocs([score_N, *others_KN], positive_N, resamples, rng, clusters_N)
    drawn_SB = np.stack([drawn_KB[0], drawn_KB[1:].mean(0)])
    difference_B = drawn_SB[0] - drawn_SB[1]
    low, high = np.quantile(difference_B, [tail, 1 - tail])
    one = auroc(score_N, positive_N)
    other = float(np.mean([auroc(other_N, positive_N) for other_N in others_KN]))
    outer_low, outer_high = limits_of_difference(
        one, other, correlation(drawn_SB), sizes(positive_N, clusters_N), confidence
    )
    below = (difference_B < 0).mean() + (difference_B == 0).mean() / 2
    return Claim(
        one - other, float(min(low, outer_low)), float(max(high, outer_high)), float(below),
        float(low), float(high),
    )  # fmt: skip


def correlation(drawn_SB) -> float:
    """Returns the correlation of resampled AUROCs; 0, which is wider, if either never varies."""
    spread_SB = drawn_SB - drawn_SB.mean(1, keepdims=True)
    size = np.sqrt((spread_SB[0] ** 2).sum() * (spread_SB[1] ** 2).sum())
    return float((spread_SB[0] * spread_SB[1]).sum() / size) if size else 0.0


def limits_of_difference(
    one: float, other: float, correlated: float, rows: tuple[int, int], confidence: float
) -> tuple[float, float]:
    """Computes limits of the difference of two AUROCs from each one's limits and their correlation.

    Zou and Donner, Statistics in Medicine 27:1693 (2008), on Newcombe's limits (`lower_limit`).
    """
    (low, high), (other_low, other_high) = (auroc_limits(a, rows, confidence) for a in (one, other))

    def reach(x: float, y: float) -> float:
        return np.sqrt(max(0.0, x**2 + y**2 - 2 * correlated * x * y))

    difference = one - other
    return (
        difference - reach(one - low, other_high - other),
        difference + reach(high - one, other - other_low),
    )


def sizes(positive_N, clusters_N=None) -> tuple[int, int]:
    """Counts the rows of H1 and of H0; rows of one cluster and side count as one."""
    if clusters_N is None:
        return int(positive_N.sum()), int((~positive_N).sum())
    return tuple(np.unique(clusters_N[side]).size for side in (positive_N, ~positive_N))


def auroc_limits(a: float, rows: tuple[int, int], confidence: float = 0.95) -> tuple[float, float]:
    """Returns an interval of an AUROC of (H1, H0) rows: `lower_limit` and its mirror image."""
    z = norm.ppf((1 + confidence) / 2)
    return lower_limit(a, rows, z), 1 - lower_limit(1 - a, rows, z)


def lower_limit(a: float, rows: tuple[int, int], z: float) -> float:
    """Returns the AUROC that lies z of its own deviations below `a`; below 1 even for a = 1.

    Newcombe, Statistics in Medicine 25:559 (2006), method 5: Hanley and McNeil's variance with
    both sizes in its middle terms replaced by their mean.
    """
    middle = sum(rows) / 2 - 1

    def beyond(t: float) -> float:
        variance = t * (1 - t) * (1 + middle * ((1 - t) / (2 - t) + t / (1 + t)))
        return (a - t) ** 2 - z**2 * variance / (rows[0] * rows[1])

    return brentq(beyond, 0.0, min(a, 1 - 1e-9)) if a > 0 else 0.0


def auroc(score_N, positive_N) -> float:
    """Returns the AUROC of a score, a quotient of integers: equal AUROCs are bit-identical."""
    return float(weighted_aurocs(score_N, positive_N, np.ones((1, score_N.size), int))[0])


def bootstrap_aurocs(score_SN, positive_N, resamples: int, rng, clusters_N=None) -> np.ndarray:
    """Returns AUROCs [S, B] of scores on resamples of the rows, drawn within H1 and within H0.

    With clusters, clusters are drawn with all of their rows: for both sides at once where both have
    the same clusters (pairs), whose rows vary together.
    """
    sides = [np.flatnonzero(positive_N), np.flatnonzero(~positive_N)]
    unit_of = [  # the number of each row's unit among those of its side
        np.arange(rows.size) if clusters_N is None
        else np.unique(clusters_N[rows], return_inverse=True)[1]
        for rows in sides
    ]  # fmt: skip
    rngs = rng.spawn(2)  # one for each side: draws do not depend on how many are made at once
    if clusters_N is not None and np.array_equal(*(np.unique(clusters_N[s]) for s in sides)):
        rngs[1] = copy.deepcopy(rngs[0])
    at_once = max(1, CELLS_AT_ONCE // positive_N.size)
    aurocs = []
    for first in range(0, resamples, at_once):
        count = min(at_once, resamples - first)
        times_BN = np.empty((count, positive_N.size), int)
        for rows, unit, own in zip(sides, unit_of, rngs, strict=True):
            units = int(unit.max()) + 1
            share = np.full(units, 1 / units)
            times_BN[:, rows] = own.multinomial(units, share, size=count)[:, unit]
        aurocs.append([weighted_aurocs(score_N, positive_N, times_BN) for score_N in score_SN])
    return np.concatenate(aurocs, axis=1)


def weighted_aurocs(score_N, positive_N, times_BN) -> np.ndarray:
    """Returns the AUROC [B] of a score where row n counts times_BN[b, n] times; ties count half.

    One sort serves all resamples, and counts are integers: no sum is rounded.
    """
    order = np.argsort(score_N, kind="stable")
    ordered, positive_N, times_BN = score_N[order], positive_N[order], times_BN[:, order]
    other_BN = np.where(positive_N, 0, times_BN)
    passed_BX = np.pad(other_BN.cumsum(1), ((0, 0), (1, 0)))
    below = passed_BX[:, np.searchsorted(ordered, ordered, "left")[positive_N]]
    up_to = passed_BX[:, np.searchsorted(ordered, ordered, "right")[positive_N]]
    own_BX = times_BN[:, positive_N]
    pairs_B = own_BX.sum(1) * passed_BX[:, -1]
    return (own_BX * (below + up_to)).sum(1) / (2 * pairs_B)
