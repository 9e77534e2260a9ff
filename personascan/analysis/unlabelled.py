"""Detectors that are told no labels of H1, as published beside the scan: outliers and clusters.

Letters: N rows, D nodes.
"""

from collections.abc import Callable

import numpy as np
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor

from personascan.analysis.scale import in_units

NEIGHBOURS = 20  # scikit-learn's default


def outlier_factors(h0_ND, judge_ND, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Anomaly score [N] and flag [N] of each judged row by the local outlier factor among H0."""
    del seed  # nothing is drawn
    neighbours = min(NEIGHBOURS, len(h0_ND) - 1)
    rows = in_units(h0_ND, judge_ND, by_node=False)
    return anomalies(LocalOutlierFactor(n_neighbors=neighbours, novelty=True), *rows)


def isolation(h0_ND, judge_ND, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Anomaly score [N] and flag [N] of each judged row by an isolation forest grown on H0."""
    return anomalies(IsolationForest(random_state=seed), *in_units(h0_ND, judge_ND, by_node=True))


def anomalies(detector, h0_ND, judge_ND) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are high where a row is unlike H0, and flags at the detector's own threshold."""
    detector.fit(h0_ND)
    return -detector.score_samples(judge_ND), detector.predict(judge_ND) < 0


OUTLIERS: dict[str, Callable] = {
    "local outlier factor": outlier_factors,
    "isolation forest": isolation,
}


def better_cluster(judge_ND, positive_N, seed: int) -> np.ndarray:
    """Which judged rows lie in the one of two k-means clusters that H1 prefers: bool [N].

    A cluster has no name, so the labels choose: the cluster that holds the larger share of H1 than
    of H0. That favours the method; on rows without signal its precision is above H1's share.
    """
    cluster_N = KMeans(2, n_init=10, random_state=seed).fit_predict(judge_ND).astype(bool)
    return (
        cluster_N if cluster_N[positive_N].mean() >= cluster_N[~positive_N].mean() else ~cluster_N
    )
