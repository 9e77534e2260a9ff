import jax
import numpy as np
import pytest
from scipy.spatial import ConvexHull
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, silhouette_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import personascan
from personascan.analysis.personas import persona_separation
from personascan.analysis.probes import auroc, fit_places, fit_probes
from personascan.analysis.separation import (
    METRICS,
    SeparationOptions,
    hull_distance,
    leading_eigenvectors,
    place_separation,
    principal_components,
    probe_aurocs,
)

POSITIVE = np.arange(60) < 30


def one_place(shift, seed=0):
    rows = np.random.default_rng(seed).normal(size=(60, 12)).astype(np.float32)
    rows[POSITIVE, :4] += shift
    return rows


def correlated(rows, nodes, shift, seed):
    """Few factors, unlike scales, far from zero; the first half of the rows is shifted."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(rows, 16)) @ rng.normal(size=(16, nodes))
    found += rng.normal(size=(rows, nodes))
    found[: rows // 2] += shift * rng.normal(size=nodes)
    return (found * rng.lognormal(size=nodes) + 50 * rng.normal(size=nodes)).astype(np.float32)


def scikit_learn_probe(c):
    """Fitted to the end: at its default tolerance a pair of held-out rows may change places."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=5000, tol=1e-8))


def test_metrics_order_places_by_how_far_they_separate():
    options = SeparationOptions(seeds=3)
    none, some, much = (
        place_separation(one_place(s), POSITIVE, options, seed=1) for s in (0.0, 2.0, 6.0)
    )
    for metric in ("silhouette", "calinski_harabasz", "hull_distance", "probe_auroc"):
        assert none.mean[metric] < some.mean[metric] <= much.mean[metric]
    assert none.mean["davies_bouldin"] > some.mean["davies_bouldin"] > much.mean["davies_bouldin"]
    assert much.mean["probe_auroc"] == 1.0
    assert 0.25 < none.mean["probe_auroc"] < 0.75
    assert none.deviation["silhouette"] > 0


def test_cluster_metrics_are_scikit_learns_on_the_components():
    """With the whole of both directions as sample every seed sees the same rows."""
    rows = one_place(2.0)
    found = place_separation(rows, POSITIVE, SeparationOptions(seeds=2, sample=1.0), seed=3)
    points = PCA(4, svd_solver="full").fit_transform(rows.astype(float))
    assert found.mean["silhouette"] == pytest.approx(silhouette_score(points, POSITIVE), abs=1e-6)
    assert found.deviation["silhouette"] == pytest.approx(0, abs=1e-9)
    hulls = [points[side, :3] for side in (POSITIVE, ~POSITIVE)]
    centroids = [h[ConvexHull(h).vertices].mean(0) for h in hulls]
    expected = np.linalg.norm(centroids[0] - centroids[1])
    assert found.mean["hull_distance"] == pytest.approx(expected, rel=1e-6)


def test_hull_distance_uses_the_vertices_and_survives_flat_clouds():
    square = np.array([[0, 0], [2, 0], [0, 2], [2, 2], [0.1, 0.1], [0.2, 0.1]], float)
    points = np.concatenate([square, square + np.array([10, 0])])
    label = np.arange(12) < 6
    assert hull_distance(points, label) == pytest.approx(10)
    line = np.stack([np.arange(12.0), np.zeros(12)], 1)
    assert hull_distance(line, label) == pytest.approx(6)


def test_a_constant_place_is_said_to_be_constant():
    found = place_separation(np.ones((60, 12)), POSITIVE, SeparationOptions(), seed=0)
    assert found.constant
    assert all(np.isnan(found.mean[m]) for m in METRICS)


def test_too_few_statements_are_refused():
    with pytest.raises(personascan.InputError, match="3 and 57 rows are too few"):
        place_separation(one_place(1.0), np.arange(60) < 3, SeparationOptions(), seed=0)


@pytest.mark.parametrize("shape", [(60, 12), (40, 90), (120, 150), (150, 120), (30, 30)])
def test_components_are_scikit_learns(shape):
    rows = correlated(*shape, shift=1.0, seed=4)
    points, share = principal_components(rows, 3)
    pca = PCA(3, svd_solver="full")
    expected = pca.fit_transform(rows.astype(float))
    size = np.abs(expected).max(0)
    np.testing.assert_allclose(points / size, expected / size, rtol=0, atol=1e-6)
    np.testing.assert_allclose(share, pca.explained_variance_ratio_, rtol=1e-6)


def test_components_that_do_not_exist_are_zero():
    flat = np.outer(np.arange(60.0), np.arange(100.0))
    points, share = principal_components(flat, 3)
    assert share[0] == pytest.approx(1)
    np.testing.assert_array_equal(share[1:], 0)
    np.testing.assert_array_equal(points[:, 1:], 0)
    assert not principal_components(np.ones((5, 8)), 2)[0].any()
    with pytest.raises(personascan.InputError, match="have 3 components, not 4"):
        principal_components(np.eye(5, 3), 4)


def test_every_copy_of_an_eigenvalue_is_found():
    """Lanczos alone finds one copy of each."""
    values = np.r_[5.0, 5.0, 5.0, 2.0, 1.0, np.zeros(75)]
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(80, 80)))[0]
    found, vectors = leading_eigenvectors(basis * values @ basis.T, 4)
    np.testing.assert_allclose(found, values[:4])
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(4), atol=1e-9)


@pytest.mark.parametrize(
    ("rows", "nodes", "shift", "c"),
    [(60, 12, 0.0, 0.01), (80, 40, 0.3, 0.01), (80, 40, 3.0, 0.01), (40, 130, 0.5, 0.01),
     pytest.param(100, 20, 0.4, 1.0, marks=pytest.mark.slow),
     pytest.param(21, 30, 0.5, 0.1, marks=pytest.mark.slow)],
)  # fmt: skip
def test_probes_are_scikit_learns(rows, nodes, shift, c):
    place_ND = correlated(rows, nodes, shift, seed=rows)
    place_ND[:, 3] = 7.0
    positive_N = np.arange(rows) < rows // 2
    options = SeparationOptions(seeds=2, probe_c=c)
    found = probe_aurocs(place_ND, positive_N, options, seed=5)
    for repetition, mean in enumerate(found):
        split = StratifiedKFold(options.folds, shuffle=True, random_state=5 + repetition)
        expected = cross_val_score(
            scikit_learn_probe(c), place_ND.astype(float), positive_N, cv=split, scoring="roc_auc"
        ).mean()
        assert mean == pytest.approx(expected, abs=1e-3)


def test_decision_values_are_scikit_learns():
    """Also of columns that are constant, everywhere or in the training rows only."""
    place_ND = correlated(60, 12, 0.3, seed=1)
    place_ND[:, 2] = -3.0
    place_ND[:, 5] = np.arange(60) == 59
    train_FN = np.stack([np.arange(60) % 7 > 1, np.arange(60) < 50])
    scores_FN = fit_probes(place_ND, POSITIVE, train_FN, c=0.1)
    assert scores_FN.shape == (2, 60)
    assert scores_FN.dtype == np.float32
    for train_N, scores_N in zip(train_FN, scores_FN, strict=True):
        probe = scikit_learn_probe(0.1).fit(place_ND[train_N].astype(float), POSITIVE[train_N])
        expected = probe.decision_function(place_ND.astype(float))
        np.testing.assert_allclose(scores_N, expected, atol=2e-3 * np.abs(expected).max())


def test_a_place_does_not_depend_on_the_others():
    places = np.stack([one_place(s, seed=9) for s in (0.0, 0.5, 4.0)])
    train_FN = np.arange(60) % 5 != np.arange(5)[:, None]
    together = fit_places(places, POSITIVE, train_FN, 0.01)
    for rows, scores in zip(places, together, strict=True):
        np.testing.assert_array_equal(fit_probes(rows, POSITIVE, train_FN, 0.01), scores)


def test_accelerators_fit_all_places_at_once(monkeypatch):
    places = np.stack([one_place(s, seed=9) for s in (0.0, 0.5, 4.0)])
    train_FN = np.arange(60) % 5 != np.arange(5)[:, None]
    expected = fit_places(places, POSITIVE, train_FN, 0.01)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    np.testing.assert_allclose(
        fit_places(places, POSITIVE, train_FN, 0.01), expected, rtol=0, atol=1e-3
    )


def test_rows_that_are_not_trained_on_do_not_count():
    place_ND = one_place(1.0)
    train_FN = np.arange(60)[None] % 3 > 0
    changed_ND, changed_N = place_ND.copy(), POSITIVE.copy()
    changed_N[::3] = ~changed_N[::3]
    changed_ND[::3] += 1.0
    before, after = (
        fit_probes(rows, label, train_FN, 0.1)[0]
        for rows, label in ((place_ND, POSITIVE), (changed_ND, changed_N))
    )
    np.testing.assert_allclose(before[train_FN[0]], after[train_FN[0]], atol=1e-3)


def test_probes_refuse_what_they_cannot_fit():
    train_FN = np.ones((1, 60), bool)
    with pytest.raises(personascan.InputError, match="fit 1 of a probe"):
        fit_probes(one_place(0), POSITIVE, np.concatenate([train_FN, POSITIVE[None]]), 1.0)
    with pytest.raises(personascan.InputError, match="60 rows need labels"):
        fit_probes(one_place(0), POSITIVE[1:], train_FN, 1.0)
    with pytest.raises(personascan.InputError, match="not all finite"):
        fit_probes(np.full((60, 2), np.nan), POSITIVE, train_FN, 1.0)


def test_auroc_counts_ties_half():
    rng = np.random.default_rng(0)
    scores_FN = rng.integers(0, 4, (8, 60)).astype(np.float32)
    held_FN = rng.random((8, 60)) < 0.4
    for scores, held, found in zip(
        scores_FN, held_FN, auroc(scores_FN, POSITIVE, held_FN), strict=True
    ):
        assert found == pytest.approx(roc_auc_score(POSITIVE[held], scores[held]))


def test_trees_tell_personas_apart_where_they_differ():
    rng = np.random.default_rng(2)
    persona_N = np.repeat(["calm", "curt", "kind"], [12, 10, 18])
    noise_ND = rng.normal(size=(40, 6)).astype(np.float32)
    apart_ND = noise_ND + 9 * (persona_N == "curt")[:, None] - 9 * (persona_N == "kind")[:, None]
    apart, noise = (persona_separation(r, persona_N, seed=1) for r in (apart_ND, noise_ND))
    assert (apart.precision, apart.f1, apart.accuracy) == (1.0, 1.0, 1.0)
    assert noise.accuracy < 0.7
    assert 0 < noise.f1 < 0.7
    assert apart.chance == noise.chance == pytest.approx(18 / 40, abs=0.03)
    assert persona_separation(noise_ND, persona_N, seed=1) == noise


def test_personas_that_cannot_be_told_apart_are_refused():
    rows = np.zeros((30, 2))
    with pytest.raises(personascan.InputError, match="two or more"):
        persona_separation(rows, np.zeros(30), seed=0)
    with pytest.raises(personascan.InputError, match="persona b has 4 rows, fewer than the 10"):
        persona_separation(rows, np.where(np.arange(30) < 4, "b", "a"), seed=0)
    with pytest.raises(personascan.InputError, match="30 rows need as many personas"):
        persona_separation(rows, np.zeros(29), seed=0)


def test_weak_ridges_and_strong_ones_end():
    """Also where some fits have to shorten their steps and others have not."""
    rng = np.random.default_rng(0)
    for seed in range(3):
        rows_ND = rng.normal(size=(90, 40)).astype(np.float32)
        label_N = rows_ND[:, 0] + 0.3 * rng.normal(size=90) > 0
        train_FN = rng.random((10, 90)) < np.linspace(0.3, 0.9, 10)[:, None]
        scores_FN = fit_probes(rows_ND, label_N, train_FN, (0.01, 1.0, 1e4)[seed])
        assert np.isfinite(scores_FN).all()
