"""Whether one score tells rows apart as well as another: their AUROCs compared on the same rows.

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

    The interval says what other rows to judge on would change, the scores staying as they were
    trained; not what other rows to train on would. `bootstrap_low` and `bootstrap_high` are the
    percentiles of the paired bootstrap. They are too near to each other where both AUROCs are near
    1 and rows are few, since rows that are told apart once are so in every resample: `low` and
    `high` are the outer ones of these and of limits that do not shrink so (`limits_of_difference`).
    """

    difference: float
    low: float
    high: float
    below: float  # share of resamples in which the difference is negative, ties by half
    bootstrap_low: float
    bootstrap_high: float

    def holds(self, margin: float) -> bool:
        """Whether the score is at most `margin` worse: the interval lies above -margin.

        How much worse is still "as good" is the reader's choice, so there is no default.
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
    """AUROC of a score less AUROC of another, or the mean of several [K, N], on the same rows.

    H1 and H0 rows are drawn again apart from each other, and both scores see the same draws. Rows
    of one cluster are drawn together, and count as one in the limits that do not shrink.
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
    """Limits of the difference of two AUROCs, from the limits of each and their correlation.

    Zou and Donner, Statistics in Medicine 27:1693 (2008), on Newcombe's limits (`lower_limit`).
    """
    (low, high), (other_low, other_high) = (auroc_limits(a, rows, confidence) for a in (one, other))

    def reach(x: float, y: float) -> float:
        return np.sqrt(max(0.0, x**2 + y**2 - 2 * correlated * x * y))

    apart = one - other
    return (
        apart - reach(one - low, other_high - other),
        apart + reach(high - one, other - other_low),
    )


def sizes(positive_N, clusters_N=None) -> tuple[int, int]:
    """Rows of H1 and of H0; those of a cluster that are on one side are one."""
    if clusters_N is None:
        return int(positive_N.sum()), int((~positive_N).sum())
    return tuple(np.unique(clusters_N[side]).size for side in (positive_N, ~positive_N))


def auroc_limits(a: float, rows: tuple[int, int], confidence: float = 0.95) -> tuple[float, float]:
    """An interval of an AUROC of that many H1 and H0 rows (`lower_limit` and its mirror image)."""
    z = norm.ppf((1 + confidence) / 2)
    return lower_limit(a, rows, z), 1 - lower_limit(1 - a, rows, z)


def lower_limit(a: float, rows: tuple[int, int], z: float) -> float:
    """The AUROC below `a` that is z of its own deviations away; of 1 too it is below 1.

    Newcombe, Statistics in Medicine 25:559 (2006), method 5: Hanley and McNeil's variance with
    both sizes in its middle terms replaced by their mean.
    """
    middle = sum(rows) / 2 - 1

    def beyond(t: float) -> float:
        variance = t * (1 - t) * (1 + middle * ((1 - t) / (2 - t) + t / (1 + t)))
        return (a - t) ** 2 - z**2 * variance / (rows[0] * rows[1])

    return brentq(beyond, 0.0, min(a, 1 - 1e-9)) if a > 0 else 0.0


def auroc(score_N, positive_N) -> float:
    """AUROC of a score, a quotient of whole numbers: equal ones are equal to the bit."""
    return float(weighted_aurocs(score_N, positive_N, np.ones((1, score_N.size), int))[0])


def bootstrap_aurocs(score_SN, positive_N, resamples: int, rng, clusters_N=None) -> np.ndarray:
    """AUROCs [S, B] of the scores on resamples of the rows, drawn within H1 and within H0.

    With clusters, these are drawn, and their rows with them: those of both sides at once where
    both have the same clusters (pairs), whose rows vary together.
    """
    sides = [np.flatnonzero(positive_N), np.flatnonzero(~positive_N)]
    unit_of = [  # which of its side's units each row belongs to
        np.arange(rows.size) if clusters_N is None
        else np.unique(clusters_N[rows], return_inverse=True)[1]
        for rows in sides
    ]  # fmt: skip
    rngs = rng.spawn(2)  # one for each side: draws do not hang on how many are made at once
    if clusters_N is not None and np.array_equal(*(np.unique(clusters_N[s]) for s in sides)):
        rngs[1] = copy.deepcopy(rngs[0])
    at_once = max(1, CELLS_AT_ONCE // positive_N.size)
    drawn = []
    for first in range(0, resamples, at_once):
        count = min(at_once, resamples - first)
        times_BN = np.empty((count, positive_N.size), int)
        for rows, unit, own in zip(sides, unit_of, rngs, strict=True):
            units = int(unit.max()) + 1
            share = np.full(units, 1 / units)
            times_BN[:, rows] = own.multinomial(units, share, size=count)[:, unit]
        drawn.append([weighted_aurocs(score_N, positive_N, times_BN) for score_N in score_SN])
    return np.concatenate(drawn, axis=1)


def weighted_aurocs(score_N, positive_N, times_BN) -> np.ndarray:
    """AUROC [B] of a score where row n counts times_BN[b, n] times; ties count half.

    One sort serves all resamples, and the counts are whole numbers: no sum is rounded.
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
