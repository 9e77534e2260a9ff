import numpy as np
import pytest
from scipy.spatial import ConvexHull
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

import personascan
from personascan.analysis.detection import precision_recall
from personascan.analysis.overlaps import exclusive_counts, overlaps
from personascan.analysis.separation import (
    METRICS,
    SeparationPlan,
    hull_distance,
    place_separation,
    principal_components,
)
from personascan.analysis.wording import bag_of_words_accuracy

POSITIVE = np.arange(60) < 30


def layer(shift, seed=0):
    rows = np.random.default_rng(seed).normal(size=(60, 12)).astype(np.float32)
    rows[POSITIVE, :4] += shift
    return rows


def test_metrics_order_layers_by_how_far_they_separate():
    plan = SeparationPlan(seeds=3)
    none, some, much = (place_separation(layer(s), POSITIVE, plan, seed=1) for s in (0.0, 2.0, 6.0))
    for metric in ("silhouette", "calinski_harabasz", "hull_distance", "probe_auroc"):
        assert none.mean[metric] < some.mean[metric] <= much.mean[metric]
    assert none.mean["davies_bouldin"] > some.mean["davies_bouldin"] > much.mean["davies_bouldin"]
    assert much.mean["probe_auroc"] == 1.0
    assert 0.25 < none.mean["probe_auroc"] < 0.75
    assert none.deviation["silhouette"] > 0


def test_cluster_metrics_are_scikit_learns_on_the_components():
    """With the whole of both directions as sample every seed sees the same rows."""
    rows = layer(2.0)
    found = place_separation(rows, POSITIVE, SeparationPlan(seeds=2, sample=1.0), seed=3)
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


def test_a_constant_layer_is_said_to_be_constant():
    found = place_separation(np.ones((60, 12)), POSITIVE, SeparationPlan(), seed=0)
    assert found.constant
    assert all(np.isnan(found.mean[m]) for m in METRICS)


def test_too_few_statements_are_refused():
    with pytest.raises(personascan.InputError, match="3 and 57 statements are too few"):
        place_separation(layer(1.0), np.arange(60) < 3, SeparationPlan(), seed=0)


def test_components_hold_their_share_of_variance():
    points, share = principal_components(layer(3.0), 2)
    assert points.shape == (60, 2)
    assert points[:, 0].var() > points[:, 1].var()
    assert 0 < share[1] < share[0] < 1


def test_precision_and_recall():
    evaluation = np.zeros((3, 60), bool)
    evaluation[:, 25:35] = True  # five positives, five others
    returned = np.zeros((3, 60), bool)
    returned[0, 28:33] = True  # two positives of five rows
    returned[1, 25:30] = True
    precision, recall = precision_recall(returned, evaluation, POSITIVE)
    np.testing.assert_allclose(precision, [0.4, 1.0, np.nan])
    np.testing.assert_allclose(recall, [0.4, 1.0, 0.0])


def test_bag_of_words_knows_wording_only():
    plain = [
        f"I like the {w}"
        for w in ["sea", "sun", "moon", "wind", "rain", "hill", "lake", "road", "wood", "town"]
    ] * 2
    label = np.repeat([True, False], 10)
    assert bag_of_words_accuracy(plain, label, seed=0)[0] <= 0.5
    marked = [t + (" gladly" if side else "") for t, side in zip(plain, label, strict=True)]
    assert bag_of_words_accuracy(marked, label, seed=0)[0] == 1.0


def test_overlaps_against_chance():
    nodes = np.arange(20)
    sets = {"a": nodes < 10, "b": (nodes >= 5) & (nodes < 15), "c": nodes == 7}
    found = {o.names: (o.observed, o.expected, o.exclusive) for o in overlaps(sets)}
    assert found == {
        ("a", "b"): (5, pytest.approx(5.0), 4),
        ("a", "c"): (1, pytest.approx(0.5), 0),
        ("b", "c"): (1, pytest.approx(0.5), 0),
        ("a", "b", "c"): (1, pytest.approx(0.25), 1),
    }
    assert exclusive_counts(sets) == {("a",): 5, ("b",): 5, ("a", "b"): 4, ("a", "b", "c"): 1}
