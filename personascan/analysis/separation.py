"""How well a place separates two directions: cluster metrics on principal components, and a probe.

Metrics as in arXiv 2505.24539, section 5.1 (silhouette, Calinski-Harabasz, Davies-Bouldin, distance
of the hull vertices' centroids), and the held-out AUROC of a logistic probe beside them.
"""

import contextlib
import functools
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from scipy.spatial import ConvexHull, QhullError
from sklearn import config_context
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from threadpoolctl import ThreadpoolController

from personascan.analysis.claims import sizes as cluster_sizes
from personascan.analysis.probes import auroc, fit_probes
from personascan.analysis.scale import exponent_of
from personascan.array_like import ArrayLike
from personascan.errors import InputError
from personascan.row_labels import RowLabels, clusters_by_rows, sides_of

METRICS = ("silhouette", "calinski_harabasz", "davies_bouldin", "hull_distance", "probe_auroc")

LANCZOS = 10  # times the components: smaller products are faster decomposed in full


@dataclass(frozen=True)
class SeparationOptions:
    """Options of how separation is measured."""

    seeds: int = 5  # repetitions, each with its own sample and folds
    sample: float = 0.8  # share of each direction drawn (without replacement) for the clusters
    components: int = 4  # principal components that the cluster metrics see
    hull_components: int = 3  # leading components in which the hull distance is measured
    folds: int = 5  # of the probe's cross-validation
    probe_c: float = 0.01  # inverse strength of its ridge: strong, for more nodes than statements


@dataclass(frozen=True)
class Separation:
    """One place: mean and deviation of each metric over seeds; NaN for a constant place."""

    mean: dict[str, float]
    deviation: dict[str, float]
    constant: bool  # the place does not vary over the statements: there is nothing to separate


@functools.cache
def thread_pools() -> ThreadpoolController:
    """Returns the process's thread pools; finding them takes longer than the cluster metrics."""
    return ThreadpoolController()


def place_separation(
    place_ND: ArrayLike,
    positive_N: RowLabels,
    options: SeparationOptions | None = None,
    seed: int = 0,
    clusters_N: ArrayLike | None = None,
) -> Separation:
    """Measures how far one place separates positive from other rows.

    Each seed draws a sample of both directions for PCA and the cluster metrics, and shuffles the
    folds of the probe over all rows. Distances are in units of the activations. There are at most
    as many components as nodes.

    Args:
      place_ND: activations of one place.
      positive_N: bool, True where a row belongs to H1; or the rows, such as statements, whose
        entities are then the clusters.
      options: repetitions, samples, components and the probe; None: SeparationOptions().
      seed: of samples and folds.
      clusters_N: rows of one cluster are held out together; None: every row is its own.

    Returns:
      Separation: mean and deviation over seeds of "silhouette", "calinski_harabasz",
      "davies_bouldin", "hull_distance" (units of the activations) and "probe_auroc".

    Raises:
      InputError: a direction with too few rows for the folds or the components, or with fewer
        clusters than folds.
    """
    clusters_N = clusters_by_rows(positive_N, clusters_N)
    place_ND, positive_N = np.asarray(place_ND), np.asarray(sides_of(positive_N), bool)
    options = options or SeparationOptions()
    sizes = sample_sizes(int(positive_N.sum()), int((~positive_N).sum()), options)
    check_folds(positive_N, options, clusters_N)
    if not np.ptp(place_ND, axis=0).any():
        nothing = dict.fromkeys(METRICS, np.nan)
        return Separation(nothing, nothing, constant=True)
    most = place_ND.shape[1]
    options = replace(
        options,
        components=min(options.components, most),
        hull_components=min(options.hull_components, most),
    )
    # These matrices are too small for BLAS threads, which then wait for each other: on two busy
    # cores that made a place ten times slower.
    # scikit-learn's checks of arguments take longer than some of its metrics.
    unchecked = config_context(assume_finite=True, skip_parameter_validation=True)
    with thread_pools().limit(limits=1, user_api="blas"), unchecked:
        values = cluster_metrics(place_ND, positive_N, sizes, options, seed)
        values["probe_auroc"] = probe_aurocs(place_ND, positive_N, options, seed, clusters_N)
    return Separation(
        {name: float(np.mean(v)) for name, v in values.items()},
        {name: float(np.std(v)) for name, v in values.items()},
        constant=False,
    )


def cluster_metrics(place_ND, positive_N, sizes, options: SeparationOptions, seed: int) -> dict:
    """Computes the values of each cluster metric, one a seed."""
    label = np.repeat([True, False], sizes)
    values = {name: [] for name in METRICS[:-1]}
    for repetition in range(options.seeds):
        rng = np.random.default_rng([seed, repetition])
        rows = [
            rng.choice(np.flatnonzero(side), size, replace=False)
            for side, size in zip((positive_N, ~positive_N), sizes, strict=True)
        ]
        points = principal_components(place_ND[np.concatenate(rows)], options.components)[0]
        exponent = exponent_of(np.ptp(points, axis=0).max())
        scaled = np.ldexp(points, -exponent)
        values["silhouette"].append(silhouette_score(scaled, label))
        values["calinski_harabasz"].append(calinski_harabasz_score(scaled, label))
        values["davies_bouldin"].append(davies_bouldin_score(scaled, label))
        distance = hull_distance(scaled[:, : options.hull_components], label)
        values["hull_distance"].append(float(np.ldexp(distance, exponent)))
    return values


def sample_sizes(positives: int, others: int, options: SeparationOptions) -> tuple[int, int]:
    """Returns how many rows of each direction a seed draws. Raises InputError if too few."""
    sizes = int(options.sample * positives), int(options.sample * others)
    least = max(options.components, options.hull_components + 1, 2)
    if min(sizes) < least or min(positives, others) < options.folds:
        raise InputError(
            f"{positives} and {others} rows are too few to measure separation: each side "
            f"needs {options.folds} for the folds and a sample of {least}"
        )
    return sizes


def check_folds(positive_N, options: SeparationOptions, clusters_N=None) -> None:
    """Raises InputError if undivided clusters would leave a fold without a side."""
    if clusters_N is None:
        return
    h1, h0 = cluster_sizes(positive_N, clusters_N)
    if min(h1, h0) < options.folds:
        raise InputError(
            f"{h1} entities of H1 and {h0} of H0 are too few for {options.folds} folds of the "
            f"probe, which hold entities out whole; lower --config.separation.folds or add entities"
        )


def principal_components(rows_ND, components: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows in their leading components [N, C], and each one's share of variance [C].

    It equals scikit-learn's PCA, but takes the leading eigenvectors of the smaller product of the
    centred rows with themselves, in float64. Each component's largest loading is positive. Constant
    rows have no components: zeros, with a share of zero.

    Raises:
      InputError: more components than rows or nodes.
    """
    least = min(np.shape(rows_ND))
    if components > least:
        raise InputError(f"rows of {np.shape(rows_ND)} have {least} components, not {components}")
    if not np.ptp(rows_ND, axis=0).any():
        return np.zeros((len(rows_ND), components)), np.zeros(components)
    rows_ND = np.array(rows_ND, np.float64)
    rows_ND -= rows_ND.mean(0)
    fewer_rows = len(rows_ND) < rows_ND.shape[1]
    product = rows_ND @ rows_ND.T if fewer_rows else rows_ND.T @ rows_ND
    total = np.trace(product)
    square_C, vectors = leading_eigenvectors(product, components)
    # Components that do not exist have eigenvalues of rounding, whose roots are not small.
    square_C = np.where(square_C > least * np.finfo(float).eps * total, square_C, 0)
    loading_DC = rows_ND.T @ vectors if fewer_rows else vectors
    points_NC = vectors * np.sqrt(square_C) if fewer_rows else rows_ND @ vectors
    largest_C = loading_DC[np.abs(loading_DC).argmax(0), np.arange(components)]
    return points_NC * np.where(largest_C < 0, -1.0, 1.0), square_C / total


def leading_eigenvectors(product, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues [C], largest first, and eigenvectors in columns, of a symmetric matrix."""
    size = len(product)
    if size > LANCZOS * count:
        with contextlib.suppress(ArpackNoConvergence):
            starts = np.random.default_rng(0).normal(size=(2, size))
            values, vectors = eigsh(product, count, v0=starts[0], which="LA")
            # Lanczos from one vector can miss an eigenvalue's second copy, which has no part in
            # that vector: the largest eigenvalue of the remainder, from another, shows it.
            left = LinearOperator(
                product.shape,
                lambda v: product @ v - vectors @ (values * (v @ vectors)),
                dtype=float,
            )
            largest = eigsh(left, 1, v0=starts[1], tol=1e-4, return_eigenvectors=False, which="LA")
            if largest[0] <= values[0] * (1 + 1e-9):
                return values[::-1], vectors[:, ::-1]
    values, vectors = eigh(product, subset_by_index=[size - count, size - 1])
    return values[::-1], vectors[:, ::-1]


def hull_distance(points_NC, label_N) -> float:
    """Returns the distance between the centroids of both directions' convex hull vertices."""
    centroids = []
    for side in (label_N, ~label_N):
        if points_NC.shape[1] == 1:
            vertices = [points_NC[side].argmin(), points_NC[side].argmax()]
        else:
            try:
                vertices = ConvexHull(points_NC[side]).vertices
            except QhullError:  # the rows lie in a plane or line: every row is on the hull
                vertices = slice(None)
        centroids.append(points_NC[side][vertices].mean(0))
    return float(np.linalg.norm(centroids[0] - centroids[1]))


def probe_aurocs(
    place_ND, positive_N, options: SeparationOptions, seed: int, clusters_N=None
) -> np.ndarray:
    """Returns each seed's mean held-out AUROC of logistic regression on standardised activations.

    Rows of one cluster are held out together.
    """
    together = b"" if clusters_N is None else np.asarray(clusters_N, np.int64).tobytes()
    held_FN = held_out_rows(positive_N.tobytes(), together, options.folds, options.seeds, seed)
    scores_FN = fit_probes(place_ND, positive_N, ~held_FN, options.probe_c)
    return auroc(scores_FN, positive_N, held_FN).reshape(options.seeds, options.folds).mean(1)


@functools.lru_cache(maxsize=1)
def held_out_rows(labels: bytes, clusters: bytes, folds: int, seeds: int, seed: int) -> np.ndarray:
    """Returns the rows [F, N] that each fit is judged on: the folds of one seed after another."""
    positive_N = np.frombuffer(labels, bool)
    clusters_N = np.frombuffer(clusters, np.int64) if clusters else None
    kind = StratifiedKFold if clusters_N is None else StratifiedGroupKFold
    held_FN = np.zeros((seeds * folds, len(positive_N)), bool)
    for repetition in range(seeds):
        split = kind(folds, shuffle=True, random_state=repetition + seed)
        for fold, (_, rows) in enumerate(split.split(positive_N, positive_N, clusters_N)):
            held_FN[repetition * folds + fold, rows] = True
    return held_FN
