"""Rows that belong together: permuted as one, never both expected and scanned, in one half."""

import numpy as np
import pytest

import personascan
from personascan.analysis.localisation import in_half
from personascan.analysis.separation import SeparationPlan, place_separation
from personascan.analysis.wording import bag_of_words_accuracy
from personascan.calibration.labellings import draw_labellings
from personascan.scan.splits import SplitPlan, draw_splits

PLAN = SplitPlan(background=12, clean=6, positive=6, runs=40)
# 20 clusters of 3 rows and 10 of 2; every second one is H1.
CLUSTERS = np.concatenate([np.repeat(np.arange(20), 3), np.repeat(np.arange(20, 30), 2)])
POSITIVE = CLUSTERS % 2 == 0


def clusters(mask):
    return set(CLUSTERS[mask].tolist())


@pytest.mark.parametrize("redraw", [True, False])
def test_no_cluster_is_both_expected_and_scanned(redraw):
    plan = SplitPlan(12, 6, 6, 40, redraw)
    background_RN, evaluation_RN = draw_splits(POSITIVE, plan, 3, CLUSTERS)
    for background, evaluation in zip(background_RN, evaluation_RN, strict=True):
        assert not clusters(background) & clusters(evaluation)
        assert (background.sum(), (evaluation & POSITIVE).sum()) == (12, 6)
        assert (evaluation & ~POSITIVE).sum() == 6
        assert len(clusters(background)) <= 6  # clusters are taken whole, but for the last
    assert (len(np.unique(background_RN, axis=0)) > 1) == redraw


def test_labels_move_between_clusters_of_one_size():
    labels_TN = draw_labellings(POSITIVE, PLAN, 50, 0, CLUSTERS).labels_TN
    assert (labels_TN[0] == POSITIVE).all()
    of_three = np.arange(POSITIVE.size) < 60
    for labels in labels_TN:
        assert all(len(set(labels[np.equal(CLUSTERS, c)].tolist())) == 1 for c in range(30))
        assert labels[of_three].sum() == 30
        assert labels[~of_three].sum() == 10
    # Each cluster is H1 about half of the time.
    share = labels_TN[1:].mean(0)
    assert 0.25 < share.min() < share.max() < 0.75


def test_rows_of_a_cluster_with_both_labels_cannot_be_permuted():
    with pytest.raises(personascan.InputError, match="have both labels"):
        draw_labellings(np.arange(80) % 2 == 0, PLAN, 5, 0, CLUSTERS)


def test_a_cluster_is_in_one_half():
    strata = np.where(POSITIVE, "+", "-")
    half_N = in_half(strata, 5, CLUSTERS)
    assert all(len(set(half_N[np.equal(CLUSTERS, c)].tolist())) == 1 for c in range(30))
    assert 32 <= half_N.sum() <= 48


def test_samples_leave_room_for_the_largest_cluster():
    # 40 H0 rows: 35 and 4 leave one, where a cluster of three may lose two.
    with pytest.raises(personascan.InputError, match=r"40 H0 rows \(up to 3 of them stay together"):
        draw_splits(POSITIVE, SplitPlan(35, 4, 6, 40), 3, CLUSTERS)
    draw_splits(POSITIVE, SplitPlan(34, 4, 6, 40), 3, CLUSTERS)


def test_what_only_clusters_share_is_no_signal():
    """Rows that repeat within their cluster, at random otherwise: held out by cluster, chance."""
    rng = np.random.default_rng(0)
    found = {"together": [], "apart": []}
    plan = SeparationPlan(seeds=1, folds=4)
    for seed in range(12):
        rows = rng.normal(size=(30, 60))[CLUSTERS] + 0.01 * rng.normal(size=(80, 60))
        for name, numbers in (("together", CLUSTERS), ("apart", None)):
            probe = place_separation(rows, POSITIVE, plan, seed, numbers).mean["probe_auroc"]
            found[name].append(probe)
    assert np.mean(found["apart"]) > 0.85
    assert abs(np.mean(found["together"]) - 0.5) < 3 * np.std(found["together"]) / np.sqrt(12)


def test_words_that_only_clusters_share_tell_nothing():
    names = [f"name{chr(97 + c % 26)}{c}" for c in CLUSTERS]
    texts = [f"{name} is a city" for name in names]
    apart, _ = bag_of_words_accuracy(texts, POSITIVE, seed=0)
    together, _ = bag_of_words_accuracy(texts, POSITIVE, seed=0, clusters_N=CLUSTERS)
    assert apart > 0.9
    assert together < 0.7


def test_permutation_p_is_uniform_where_clusters_alone_differ():
    """Rows repeat within clusters: p of single rows would be small far too often."""
    plan = SplitPlan(background=12, clean=6, positive=6, runs=4)
    rng = np.random.default_rng(1)
    p = {"together": [], "apart": []}
    for seed in range(60):
        rows = (rng.normal(size=(30, 8))[CLUSTERS]).astype(np.float32)
        for name, numbers in (("together", CLUSTERS), ("apart", None)):
            labels_TN = draw_labellings(POSITIVE, plan, 39, seed, numbers).labels_TN
            # A statistic that any scan resembles: how far apart the means of the sides lie.
            means = [np.abs(rows[h1].mean(0) - rows[~h1].mean(0)).sum() for h1 in labels_TN]
            p[name].append(np.mean(np.array(means) >= means[0]))
    few = {name: np.mean(np.array(values) <= 0.1) for name, values in p.items()}
    assert few["together"] <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 60)
    assert few["apart"] > 0.3
