"""Whether one score tells rows apart as well as another: their AUROCs compared on the same rows.

Letters: N rows, S scores, B bootstrap resamples.
"""

from dataclasses import dataclass

import numpy as np

CELLS_AT_ONCE = 2**22  # resamples x rows that are weighted together


@dataclass(frozen=True)
class Claim:
    """The AUROC of one score less that of another, with its bootstrap interval.

    The interval says what other rows to judge on would change, the scores staying as they were
    trained; not what other rows to train on would. NaN where either score does not exist. Where
    both AUROCs are 1 every resample agrees and the interval is one point: it then says that the
    rows are too easy to tell the two scores apart, not that they are equal.
    """

    difference: float
    low: float
    high: float
    below: float  # share of resamples in which the difference is negative, ties by half

    def holds(self, margin: float) -> bool:
        """Whether the score is at most `margin` worse: the interval lies above -margin.

        How much worse is still "as good" is the reader's choice, so there is no default.
        """
        return bool(self.low > -margin)


def compare_aurocs(
    score_N, other_N, positive_N, *, resamples: int, level: float, rng: np.random.Generator
) -> Claim:
    """AUROC of a score less AUROC of another, both on the same rows: percentile interval.

    H1 and H0 rows are drawn again apart from each other, and both scores see the same draws.
    """
    both_SN = np.stack([score_N, other_N])
    drawn_SB = bootstrap_aurocs(both_SN, positive_N, resamples, rng)
    difference_B = drawn_SB[0] - drawn_SB[1]
    tail = (1 - level) / 2
    low, high = np.quantile(difference_B, [tail, 1 - tail])
    below = (difference_B < 0).mean() + (difference_B == 0).mean() / 2
    observed = auroc(both_SN[0], positive_N) - auroc(both_SN[1], positive_N)
    return Claim(observed, float(low), float(high), float(below))


def auroc(score_N, positive_N) -> float:
    """AUROC of a score, a quotient of whole numbers: equal ones are equal to the bit."""
    return float(weighted_aurocs(score_N, positive_N, np.ones((1, score_N.size), int))[0])


def bootstrap_aurocs(score_SN, positive_N, resamples: int, rng) -> np.ndarray:
    """AUROCs [S, B] of the scores on resamples of the rows, drawn within H1 and within H0."""
    sides = [np.flatnonzero(positive_N), np.flatnonzero(~positive_N)]
    rngs = rng.spawn(2)  # one for each side: draws do not hang on how many are made at once
    at_once = max(1, CELLS_AT_ONCE // positive_N.size)
    drawn = []
    for first in range(0, resamples, at_once):
        count = min(at_once, resamples - first)
        times_BN = np.empty((count, positive_N.size), int)
        for rows, own in zip(sides, rngs, strict=True):
            share = np.full(rows.size, 1 / rows.size)
            times_BN[:, rows] = own.multinomial(rows.size, share, size=count)
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
