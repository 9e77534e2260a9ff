"""How signal is spread over the layers: the share in the last third, with its interval.

It measures the claim of arXiv 2505.24539, section 5.1, that separation is largest there.
Letters: P places of one site and position, N rows, B bootstrap resamples.
"""

from dataclasses import dataclass

import numpy as np

from personascan.analysis.claims import auroc, bootstrap_aurocs

LAST_THIRD = 2 / 3  # of the relative depth: 0 is the first block, 1 the last, and the final norm
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Profile:
    """The share of signal in the last third of the layers of a site at a position."""

    share: float  # of the signal that lies in the last third; NaN where there is no signal
    low: float  # of its bootstrap interval
    high: float
    even: float  # the share of places in the last third, which an even spread would give

    @property
    def late(self) -> bool:
        """Whether the interval lies above an even spread."""
        return bool(self.low > self.even)


def last_third(
    score_PN, positive_N, depth_P, *, resamples: int, seed: int, clusters_N=None
) -> Profile:
    """Measures the share of the signal in the last third of the layers.

    The signal of a place is 2 AUROC - 1 of scores by probes that did not see the scored row, or 0
    if that is negative. For a percentile interval rows are resampled within H1 and H0, alike at all
    places; scores stay as they are. Noise alone gives the share of an even spread.

    Args:
      score_PN: a score of every row at every place; a row that is NaN anywhere is left out.
      positive_N: bool, True where a row belongs to H1.
      depth_P: relative depth of each place, from 0 to 1.
      clusters_N: rows of one cluster are resampled together.
    """
    score_PN, depth_P = np.asarray(score_PN, float), np.asarray(depth_P)
    known_N = ~np.isnan(score_PN).any(0)
    late_P = depth_P >= LAST_THIRD
    even = float(late_P.mean())
    positive_N = np.asarray(positive_N, bool)[known_N]
    if not positive_N.any() or positive_N.all():
        return Profile(np.nan, np.nan, np.nan, even)
    score_PN, rng = score_PN[:, known_N], np.random.default_rng(seed)
    observed = share_of(observed_aurocs(score_PN, positive_N)[:, None], late_P)[0]
    known_clusters_N = None if clusters_N is None else clusters_N[known_N]
    drawn_PB = bootstrap_aurocs(score_PN, positive_N, resamples, rng, known_clusters_N)
    share_B = share_of(drawn_PB, late_P)
    if np.isnan(observed) or np.isnan(share_B).all():
        return Profile(np.nan, np.nan, np.nan, even)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(share_B, [tail, 1 - tail])
    return Profile(float(observed), float(low), float(high), even)


def observed_aurocs(score_PN, positive_N) -> np.ndarray:
    """Returns the AUROC of each place: [P]."""
    return np.array([auroc(score_N, positive_N) for score_N in score_PN])


def share_of(auroc_PB, late_P) -> np.ndarray:
    """Returns the share of the signal in late places: [B]; NaN where there is no signal."""
    signal_PB = np.maximum(2 * auroc_PB - 1, 0)
    total_B = signal_PB.sum(0)
    none_B = np.full(total_B.shape, np.nan)
    return np.divide(signal_PB[late_P].sum(0), total_B, out=none_B, where=total_B > 0)
