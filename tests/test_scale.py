"""What libraries compute does not hang on the size of activations."""

import numpy as np
import pytest

from personascan.analysis.baselines import DETECTORS, detect_simply
from personascan.analysis.detection import DetectionOptions, Labels
from personascan.analysis.personas import persona_separation
from personascan.analysis.scale import rescale
from personascan.analysis.separation import SeparationOptions, cluster_metrics
from personascan.analysis.unlabelled import isolation_scores, outlier_factors

POSITIVE = np.arange(60) < 30
OPTIONS = SeparationOptions(seeds=1)
SMALL = 2.0**-67


def rows(nodes=6):
    signal = POSITIVE[:, None] * (np.arange(nodes) < 3)
    return (np.random.default_rng(0).normal(size=(60, nodes)) + signal).astype(np.float32)


@pytest.mark.parametrize("method", DETECTORS)
def test_detectors_tell_rows_of_any_size(method):
    options = DetectionOptions(splits=1)
    one, small = (
        detect_simply(rows() * np.float32(size), Labels(POSITIVE), method, options, 0).score_N
        for size in (1, SMALL)
    )
    np.testing.assert_array_equal(one, small)
    assert np.nanstd(one) > 0


@pytest.mark.parametrize("detector", [outlier_factors, isolation_scores])
def test_detectors_of_judged_rows_do_so_too(detector):
    scores = [detector(h * rows()[:40], h * rows()[40:], 0)[0] for h in (1.0, SMALL)]
    np.testing.assert_array_equal(*scores)


def test_a_small_node_beside_a_large_one_is_seen():
    mixed = rows() * np.where(np.arange(6) < 3, SMALL, 1).astype(np.float32)
    _, flagged = isolation_scores(mixed[30:], np.float32([[30 * SMALL] * 3 + [0] * 3]), 0)
    assert flagged.all()
    found = persona_separation(mixed, POSITIVE, 0, folds=3)
    assert found == persona_separation(rows(), POSITIVE, 0, folds=3)


def test_metrics_of_clusters_have_no_unit_and_distances_have_that_of_the_rows():
    one, small = (
        cluster_metrics(rows() * np.float32(size), POSITIVE, (24, 24), OPTIONS, 0)
        for size in (1, SMALL)
    )
    for name, (value,) in one.items():
        unit = SMALL if name == "hull_distance" else 1
        assert small[name][0] == pytest.approx(unit * value, rel=1e-6)
        assert value != 0


def test_spans_become_one_to_two_and_digits_stay():
    whole = rows()
    (by_node,), (together,) = (rescale(whole, by_node=b) for b in (True, False))
    assert by_node.dtype == np.float32
    assert ((np.ptp(by_node, axis=0) >= 1) & (np.ptp(by_node, axis=0) < 2)).all()
    assert 1 <= np.ptp(together, axis=0).max() < 2
    np.testing.assert_array_equal(np.frexp(by_node)[0], np.frexp(whole)[0])
    np.testing.assert_array_equal(rescale(np.ones((3, 2)), by_node=True)[0], np.ones((3, 2)))
