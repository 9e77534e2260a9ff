"""Detectors without labels of H1, with which the scan was published: outliers and clusters.

Letters: N rows, D nodes.
"""

from collections.abc import Callable

import numpy as np
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor

from personascan.analysis.scale import rescale

NEIGHBOURS = 20  # scikit-learn's default


def outlier_factors(h0_ND, judge_ND, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns judged rows' anomaly scores [N] and flags [N] by the local outlier factor in H0."""
    del seed  # nothing is drawn
    neighbours = min(NEIGHBOURS, len(h0_ND) - 1)
    rows = rescale(h0_ND, judge_ND, by_node=False)
    return anomalies(LocalOutlierFactor(n_neighbors=neighbours, novelty=True), *rows)


def isolation_scores(h0_ND, judge_ND, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns judged rows' anomaly scores [N] and flags [N] by an isolation forest of H0."""
    return anomalies(IsolationForest(random_state=seed), *rescale(h0_ND, judge_ND, by_node=True))


def anomalies(detector, h0_ND, judge_ND) -> tuple[np.ndarray, np.ndarray]:
    """Returns scores, high for rows unlike H0, and flags at the detector's own threshold."""
    detector.fit(h0_ND)
    return -detector.score_samples(judge_ND), detector.predict(judge_ND) < 0


OUTLIERS: dict[str, Callable] = {
    "local outlier factor": outlier_factors,
    "isolation forest": isolation_scores,
}


def better_cluster(judge_ND, positive_N, seed: int) -> np.ndarray:
    """Returns which judged rows are in that of two k-means clusters with more of H1: bool [N].

    A cluster has no label, so the rows' labels choose the one that holds a larger share of H1 than
    of H0. That favours the method: on rows without signal its precision is above H1's share.
    """
    cluster_N = KMeans(2, n_init=10, random_state=seed).fit_predict(judge_ND).astype(bool)
    return (
        cluster_N if cluster_N[positive_N].mean() >= cluster_N[~positive_N].mean() else ~cluster_N
    )
