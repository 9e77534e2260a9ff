"""Comparison of how well two networks tell the same rows apart, by scores of rows scanned alone.

Each network's place is chosen on one half of the rows, by its AUROC there, and both are compared on
the other half; then the halves change roles. Letters: N rows.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np

from personascan.analysis.claims import Claim, auroc, compare_aurocs
from personascan.analysis.detection import Labels

RESAMPLES, CONFIDENCE = 1000, 0.95


@dataclass(frozen=True)
class Difference:
    """Two networks on the half of the rows that chose neither place."""

    half: int  # 0 or 1: the half whose rows chose the places
    places: tuple[Hashable, Hashable]
    aurocs: tuple[float, float]
    claim: Claim  # the first's AUROC less the second's


def compare_networks(
    one: Mapping[Hashable, np.ndarray],
    other: Mapping[Hashable, np.ndarray],
    labels: Labels,
    half_N,
    seed: int,
) -> list[Difference]:
    """Compares two networks on each half of the rows, at places chosen on the other half.

    Args:
      one, other: {place: the score [N] of every row scanned alone}, of the same rows; NaN where a
        row was never scanned.
      labels: of the rows; rows of one cluster are resampled together.
      half_N: 0 or 1, the half of each row.
      seed: of the resamples.
    """
    differences = []
    for half in (0, 1):
        chosen = [best_place(scores, labels.positive_N, half_N == half) for scores in (one, other)]
        pair = np.stack([one[chosen[0]], other[chosen[1]]])
        rows = (half_N != half) & ~np.isnan(pair).any(0)
        clusters_N = None if labels.clusters_N is None else labels.clusters_N[rows]
        positive_N, pair = labels.positive_N[rows], pair[:, rows]
        claim = compare_aurocs(
            *pair, positive_N, resamples=RESAMPLES, confidence=CONFIDENCE,
            rng=np.random.default_rng([seed, half]), clusters_N=clusters_N,
        )  # fmt: skip
        aurocs = tuple(auroc(score_N, positive_N) for score_N in pair)
        differences.append(Difference(half, tuple(chosen), aurocs, claim))
    return differences


def best_place(scores: Mapping, positive_N, rows_N) -> Hashable:
    """Returns the place with the highest AUROC on the chosen rows; the first of equals."""

    def auroc_of(place) -> float:
        rows = rows_N & ~np.isnan(scores[place])
        return auroc(scores[place][rows], positive_N[rows])

    return max(scores, key=auroc_of)
