"""What the separation of places takes, beside a plain scikit-learn reference."""

import time
from collections.abc import Iterator

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from personascan.analysis.separation import (
    METRICS,
    SeparationOptions,
    hull_distance,
    place_separation,
)
from personascan.workers import in_processes

ROWS, NODES, FACTORS = 600, 576, 64


def measure_separation(places: int) -> Iterator[dict]:
    """Each place by both ways in turn, in one of the study's workers, which has one thread."""
    yield in_processes(time_places, [(places,)], 2, "separation", "measurements")[0]


def time_places(places: int) -> dict:
    """Medians over the places, after one that compiles, and how far the ways differ at most."""
    positive_N = np.arange(ROWS) < ROWS // 2
    options = SeparationOptions(seeds=2)
    began = time.perf_counter()
    place_separation(correlated_place(places), positive_N, options, 0)
    first = time.perf_counter() - began
    seconds, differences = [], []
    for number in range(places):
        place_ND = correlated_place(number)
        times, found = [time.perf_counter()], []
        for way in (place_separation, scikit_learn_separation):
            found.append(way(place_ND, positive_N, options, number))
            times.append(time.perf_counter())
        seconds.append(np.diff(times))
        differences.append([abs(found[0].mean[name] - found[1][name]) for name in METRICS])
    ours, theirs = np.median(seconds, 0).tolist()
    ratio = float(np.median([b / a for a, b in seconds]))
    most = np.max(differences, 0).round(6).tolist()
    return {
        "what": f"separation, {places} places of {ROWS} x {NODES}, {options.seeds} seeds, "
        "one thread",
        "seconds": round(ours, 4),
        "of": places,
        "scikit_learn": round(theirs, 4),
        "times_faster": round(ratio, 1),
        "first": round(first, 2),  # compiling included
        "largest_difference": dict(zip(METRICS, most, strict=True)),
    }


def correlated_place(number: int) -> np.ndarray:
    """Rows of a few strong factors, nodes of unlike scales, directions apart a little: [N, D]."""
    rng = np.random.default_rng(number)
    factors_NK = rng.normal(size=(ROWS, FACTORS)) * np.arange(1, FACTORS + 1) ** -0.7
    rows_ND = factors_NK @ rng.normal(size=(FACTORS, NODES)) + rng.normal(size=(ROWS, NODES)) / 2
    rows_ND[: ROWS // 2] += rng.uniform(0, 0.3) * rng.normal(size=NODES)
    return (rows_ND * rng.lognormal(size=NODES) + 3 * rng.normal(size=NODES)).astype(np.float32)


@threadpool_limits.wrap(limits=1, user_api="blas")
def scikit_learn_separation(place_ND, positive_N, options: SeparationOptions, seed: int) -> dict:
    """The means of `place_separation` by scikit-learn alone, fold by fold."""
    values = []
    for repetition in range(options.seeds):
        rng = np.random.default_rng([seed, repetition])
        sides = [np.flatnonzero(side) for side in (positive_N, ~positive_N)]
        rows = [rng.choice(side, int(options.sample * len(side)), replace=False) for side in sides]
        label = np.repeat([True, False], [len(side) for side in rows])
        sampled_ND = place_ND[np.concatenate(rows)].astype(np.float64)
        points = PCA(options.components, svd_solver="full").fit_transform(sampled_ND)
        probe = make_pipeline(
            StandardScaler(), LogisticRegression(C=options.probe_c, max_iter=2000)
        )
        split = StratifiedKFold(options.folds, shuffle=True, random_state=repetition + seed)
        auroc = cross_val_score(probe, place_ND, positive_N, cv=split, scoring="roc_auc")
        values.append((
            silhouette_score(points, label),
            calinski_harabasz_score(points, label),
            davies_bouldin_score(points, label),
            hull_distance(points[:, : options.hull_components], label),
            auroc.mean(),
        ))  # fmt: skip
    return dict(zip(METRICS, np.mean(values, 0).tolist(), strict=True))
