"""Which layers separate the two directions: cluster metrics on principal components, and a probe.

Metrics as in arXiv 2505.24539, section 5.1 (silhouette, Calinski-Harabasz, Davies-Bouldin, distance
of the hull vertices' centroids), and the held-out AUROC of a logistic probe beside them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from personascan.errors import InputError

METRICS = ("silhouette", "calinski_harabasz", "davies_bouldin", "hull_distance", "probe_auroc")


@dataclass(frozen=True)
class SeparationPlan:
    """How separation is measured."""

    seeds: int = 5  # repetitions, each with its own sample and folds
    sample: float = 0.8  # share of each direction drawn (without replacement) for the clusters
    components: int = 4  # principal components that the cluster metrics see
    hull_components: int = 3  # leading components in which the hull distance is measured
    folds: int = 5  # of the probe's cross-validation
    probe_c: float = 0.01  # inverse strength of its ridge: strong, for more nodes than statements


@dataclass(frozen=True)
class Separation:
    """One layer: mean and deviation of each metric over seeds; NaN for a constant layer."""

    mean: dict[str, float]
    deviation: dict[str, float]
    constant: bool  # the layer does not vary over the statements: there is nothing to separate


# These matrices are too small for BLAS threads, which then wait for each other: on two busy cores
# that made a layer ten times slower.
@threadpool_limits.wrap(limits=1, user_api="blas")
def layer_separation(layer_ND, positive_N, plan: SeparationPlan, seed: int) -> Separation:
    """How far one layer separates positive from other rows.

    Each seed draws a sample of both directions for PCA and the cluster metrics, and shuffles the
    folds of the probe over all rows. Distances are in units of the activations.

    Raises:
      InputError: a direction with too few rows for the folds or the components.
    """
    layer_ND, positive_N = np.asarray(layer_ND), np.asarray(positive_N, bool)
    sizes = sample_sizes(int(positive_N.sum()), int((~positive_N).sum()), plan)
    if not np.ptp(layer_ND, axis=0).any():
        nothing = dict.fromkeys(METRICS, np.nan)
        return Separation(nothing, nothing, constant=True)
    values = {name: [] for name in METRICS}
    for repetition in range(plan.seeds):
        rng = np.random.default_rng([seed, repetition])
        rows = [
            rng.choice(np.flatnonzero(side), size, replace=False)
            for side, size in zip((positive_N, ~positive_N), sizes, strict=True)
        ]
        label = np.repeat([True, False], sizes)
        points = principal_components(layer_ND[np.concatenate(rows)], plan.components)[0]
        values["silhouette"].append(silhouette_score(points, label))
        values["calinski_harabasz"].append(calinski_harabasz_score(points, label))
        values["davies_bouldin"].append(davies_bouldin_score(points, label))
        values["hull_distance"].append(hull_distance(points[:, : plan.hull_components], label))
        values["probe_auroc"].append(probe_auroc(layer_ND, positive_N, plan, repetition + seed))
    return Separation(
        {name: float(np.mean(v)) for name, v in values.items()},
        {name: float(np.std(v)) for name, v in values.items()},
        constant=False,
    )


def sample_sizes(positives: int, others: int, plan: SeparationPlan) -> tuple[int, int]:
    """How many rows of each direction a seed draws. Raises InputError if they are too few."""
    sizes = int(plan.sample * positives), int(plan.sample * others)
    least = max(plan.components, plan.hull_components + 1, 2)
    if min(sizes) < least or min(positives, others) < plan.folds:
        raise InputError(
            f"{positives} and {others} statements are too few to measure separation: each "
            f"direction needs {plan.folds} for the folds and a sample of {least}"
        )
    return sizes


def principal_components(rows_ND, components: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows in their leading components [N, C], and the share of variance of each [C].

    Constant rows have no components: zeros, with a share of zero.
    """
    if not np.ptp(rows_ND, axis=0).any():
        return np.zeros((len(rows_ND), components)), np.zeros(components)
    pca = PCA(components, svd_solver="full")
    return pca.fit_transform(np.asarray(rows_ND, np.float64)), pca.explained_variance_ratio_


def hull_distance(points_NC, label_N) -> float:
    """Euclidean distance of the centroids of the vertices of both directions' convex hulls."""
    centroids = []
    for side in (label_N, ~label_N):
        try:
            vertices = ConvexHull(points_NC[side]).vertices
        except QhullError:  # the rows lie in a plane or line: every row is on the hull
            vertices = slice(None)
        centroids.append(points_NC[side][vertices].mean(0))
    return float(np.linalg.norm(centroids[0] - centroids[1]))


def probe_auroc(layer_ND, positive_N, plan: SeparationPlan, seed: int) -> float:
    """Mean held-out AUROC of logistic regression on standardised activations."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=plan.probe_c, max_iter=2000))
    split = StratifiedKFold(plan.folds, shuffle=True, random_state=seed)
    return float(cross_val_score(probe, layer_ND, positive_N, cv=split, scoring="roc_auc").mean())
