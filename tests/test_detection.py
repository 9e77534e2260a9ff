"""Rows scanned alone against held-out H0, and the rates taken from their scores."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

import personascan
from personascan.analysis.detection import DetectionOptions, Labels, detect
from personascan.analysis.rates import tpr_at_fpr
from personascan.scan.individual import scan_alone
from personascan.scan.options import ScanOptions

POSITIVE = np.arange(70) % 7 < 3  # 30 of H1, 40 of H0


def place(shift, seed=0, nodes=50):
    rows = np.random.default_rng(seed).normal(size=(70, nodes)).astype(np.float32)
    rows[POSITIVE, :6] += np.float32(shift)
    return rows


@pytest.mark.parametrize("fpr", [0.0, 0.01, 0.07, 0.29, 1.0])
@pytest.mark.parametrize("h0", [5, 99, 100, 101, 700])
@pytest.mark.parametrize("steps", [3, 1000])
def test_rate_is_the_highest_of_the_curve_up_to_the_bound(fpr, h0, steps):
    rng = np.random.default_rng([h0, steps])
    positive = rng.permutation(np.arange(h0 + 60) < 60)
    score = np.round(steps * (rng.random(h0 + 60) + 0.4 * positive)) / steps  # few steps: many ties
    false, true, _ = roc_curve(positive, score, drop_intermediate=False)
    assert tpr_at_fpr(score, positive, fpr) == true[false <= fpr].max()


def test_ties_with_the_first_false_positive_are_missed():
    positive = np.array([True, True, False, False])
    assert tpr_at_fpr([3, 2, 2, 1], positive) == 0.5
    assert tpr_at_fpr([2, 2, 2, 1], positive) == 0.0
    assert tpr_at_fpr([0, 0, 0, 0], positive) == 0.0
    assert tpr_at_fpr([4, 3, 2, 1], positive) == 1.0


def test_scores_are_individual_scans_against_h0_rows_of_each_split():
    rows, options, scans = place(0.6), DetectionOptions(splits=4), ScanOptions(alphas="log")
    found = detect(rows, Labels(POSITIVE), options, (scans,), seed=3)
    assert found.background == 20
    scores, aurocs, rates = np.full((4, 70), np.nan), [], []
    for split in range(4):
        order = np.random.default_rng([3, split]).permutation(np.flatnonzero(~POSITIVE))
        scanned = np.sort(np.concatenate([order[20:], np.flatnonzero(POSITIVE)]))
        alone = personascan.individual_scan(rows[order[:20]], rows[scanned], alphas="log")
        scores[split, scanned] = alone.score
        aurocs.append(roc_auc_score(POSITIVE[scanned], alone.score))
        rates.append(
            np.mean(alone.score[POSITIVE[scanned]] > alone.score[~POSITIVE[scanned]].max())
        )
    assert found.auroc == pytest.approx(np.mean(aurocs))
    assert found.auroc_deviation == pytest.approx(np.std(aurocs))
    assert found.tpr == pytest.approx(np.mean(rates))
    assert found.tpr_deviation == pytest.approx(np.std(rates))
    some = ~np.isnan(scores).all(0)
    np.testing.assert_array_equal(~np.isnan(found.score_N), some)
    np.testing.assert_allclose(found.score_N[some], np.nanmean(scores[:, some], 0))


def test_rows_that_no_split_scanned_have_no_score():
    found = detect(place(0), Labels(POSITIVE), DetectionOptions(1, 0.25), (ScanOptions(),), seed=0)
    assert found.background == 10
    assert np.isnan(found.score_N).sum() == 10
    assert not np.isnan(found.score_N[POSITIVE]).any()
    assert found.auroc_deviation == found.tpr_deviation == 0


def test_detection_rises_with_the_signal_and_is_chance_without():
    options, scans = DetectionOptions(), ScanOptions(alpha_max=0.1)

    def mean(shift):
        """Over twenty places."""
        found = (detect(place(shift, s), Labels(POSITIVE), options, (scans,), s) for s in range(20))
        return np.mean([one.auroc for one in found])

    one = np.sqrt((30 + 40 + 1) / (12 * 30 * 40))  # the deviation of an AUROC of chance
    assert abs(mean(0) - 0.5) < 4 * one / np.sqrt(20)
    assert 0.5 + 4 * one / np.sqrt(20) < mean(1.5) < mean(3.0)
    everywhere = place(0) + np.float32(8) * POSITIVE[:, None]
    assert detect(everywhere, Labels(POSITIVE), options, (scans,), 0).tpr == 1.0


def test_a_plan_of_fewer_splits_and_the_order_of_nodes_change_nothing():
    rows, scans = place(1.0), ScanOptions()
    one, same = (detect(rows, Labels(POSITIVE), DetectionOptions(1), (scans,), 5) for _ in range(2))
    np.testing.assert_array_equal(one.score_N, same.score_N)
    turned = detect(rows[:, ::-1], Labels(POSITIVE), DetectionOptions(1), (scans,), 5)
    np.testing.assert_array_equal(one.score_N, turned.score_N)
    two = detect(rows, Labels(POSITIVE), DetectionOptions(2), (scans,), 5)
    both = np.isfinite(one.score_N) & np.isfinite(two.score_N)
    assert (one.score_N[both] != two.score_N[both]).any()
    assert np.isnan(two.score_N).sum() < np.isnan(one.score_N).sum()
    assert detect(rows, Labels(POSITIVE), DetectionOptions(1), (scans,), 6).auroc != one.auroc


def test_a_constant_place_tells_nothing_apart():
    found = detect(
        np.ones((70, 3)), Labels(POSITIVE), DetectionOptions(2), (ScanOptions(),), seed=0
    )
    assert (found.auroc, found.tpr) == (0.5, 0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"options": DetectionOptions(0)}, "splits = 0; use a whole number from 1"),
        (
            {"options": DetectionOptions(2, 1.0)},
            "background = 1.0; use a share of H0 between 0 and 1",
        ),
        ({"options": DetectionOptions(2, 0.99)}, "0.99 of 40 H0 rows leaves none for the scan"),
        (
            {"options": DetectionOptions(2, 0.01)},
            "0.01 of 40 H0 rows leaves none for the background",
        ),
        ({"labels": Labels(POSITIVE[:9])}, "9 labels for 70 rows"),
        ({"labels": Labels(np.ones(70, bool))}, "nothing to tell apart"),
        ({"scans": (ScanOptions(alpha_max=0.01),)}, "no p-value lies at the alphas searched"),
        ({"scans": (ScanOptions(ties="fractional"),)}, 'use ties="whole"'),
        ({"seed": -1}, "seed = -1"),
        (
            {"options": DetectionOptions(2, draw=False)},
            "splits = 2: the first H0 rows are one background",
        ),
        (
            {"labels": Labels(POSITIVE, conditions_N=np.arange(70))},
            "condition '0' has 0 background rows, too few",
        ),
    ],
)
def test_what_cannot_be_scanned_is_refused(change, message):
    asked = {
        "place_ND": place(0),
        "labels": Labels(POSITIVE),
        "options": DetectionOptions(2),
        "scans": (ScanOptions(),),
        "seed": 0,
    }
    with pytest.raises(personascan.InputError, match=message):
        detect(**asked | change)


@pytest.mark.parametrize("score", ["bj", "hc", "ks"])
def test_options_as_a_record_are_the_keywords(score):
    both, labels = (place(0)[:30], place(1)[30:]), (np.arange(30) % 2, np.arange(40) % 2)
    asked = {"score": score, "tail": "right", "alpha_max": 0.3, "alpha_min": 0.05}
    one = personascan.individual_scan(*both, **asked, background_groups=labels)
    other = scan_alone(*both, ScanOptions(**asked), background_groups=labels)
    for name in ("score", "alpha", "size", "high_rank_ND", "low_rank_ND"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_several_tails_give_a_row_its_highest_score():
    rows, options = place(1.0), DetectionOptions(1)
    sides = [ScanOptions(tail=tail) for tail in ("right", "left")]
    one, other = (detect(rows, Labels(POSITIVE), options, (o,), 4).score_N for o in sides)
    both = detect(rows, Labels(POSITIVE), options, tuple(sides), 4)
    np.testing.assert_array_equal(both.score_N, np.maximum(one, other))


def test_a_condition_is_scanned_as_if_alone():
    """Rows of two classes whose means differ: each class against its own background."""
    rows, kind = place(1.5), np.arange(70) % 2
    rows[kind == 1] += 5
    labels = Labels(POSITIVE, conditions_N=kind)
    options = DetectionOptions(1, draw=False)
    found = detect(rows, labels, options, (ScanOptions(tail="right"),), 0).score_N
    background = np.flatnonzero(~POSITIVE)[:20]
    for k in (0, 1):
        own = background[kind[background] == k]
        scanned = np.setdiff1d(np.flatnonzero(kind == k), background)
        alone = scan_alone(rows[own], rows[scanned], ScanOptions(tail="right")).score
        np.testing.assert_array_equal(found[scanned], alone)


def test_the_first_rows_are_the_background_where_nothing_is_drawn():
    found = detect(place(1.0), Labels(POSITIVE), DetectionOptions(1, 0.5, draw=False),
                   (ScanOptions(),), 9)  # fmt: skip
    first = np.flatnonzero(~POSITIVE)[:20]
    assert np.isnan(found.score_N[first]).all()
    assert np.isnan(found.score_N).sum() == found.background == found.h0 == 20


def test_clusters_are_never_both_expected_and_scanned():
    """Pairs of rows that repeat each other: alone they would be expected of themselves."""
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(60, 40)), 2, axis=0).astype(np.float32)
    positive, pairs = np.arange(120) < 40, np.arange(120) // 2
    for seed in range(5):
        found = detect(rows, Labels(positive, pairs), DetectionOptions(1), (ScanOptions(),), seed)
        out = np.isnan(found.score_N)
        assert not set(pairs[out]) & set(pairs[~out])
        assert 36 <= out.sum() <= 44
        np.testing.assert_array_equal(found.score_N[::2], found.score_N[1::2])


def test_an_interval_covers_the_truth_as_often_as_it_says():
    """Normal rows of one node apart by one deviation: the AUROC is known."""
    from scipy.stats import norm

    from personascan.analysis.claims import auroc, auroc_limits

    truth, rng = norm.cdf(1 / np.sqrt(2)), np.random.default_rng(1)
    positive = np.arange(100) < 40
    inside = 0
    for _ in range(400):
        low, high = auroc_limits(auroc(rng.normal(positive.astype(float)), positive), (40, 60))
        inside += low <= truth <= high
    assert inside >= 0.95 * 400 - 3 * np.sqrt(400 * 0.95 * 0.05)


def test_a_detector_of_one_background_is_fitted_once_and_never_taken_for_another(monkeypatch):
    from sklearn.svm import OneClassSVM

    from personascan.analysis import baselines

    fits, fit = [], OneClassSVM.fit
    monkeypatch.setattr(OneClassSVM, "fit", lambda self, x, *a: fits.append(1) or fit(self, x, *a))
    monkeypatch.setattr(baselines, "LAST", {})
    rng = np.random.default_rng(0)
    rows, positive = rng.normal(size=(60, 5)), np.arange(60) >= 40
    options = DetectionOptions(splits=1, draw=False)

    def score(rows, positive, seed=0):
        labels = Labels(positive)
        return baselines.detect_simply(rows, labels, "one-class SVM", options, seed).score_N

    first = score(rows, positive)
    other = score(np.concatenate([rows[:40], rng.normal(size=(9, 5))]), np.arange(49) >= 40, 3)
    np.testing.assert_array_equal(first[20:40], other[20:40])
    assert len(fits) == 1
    moved = score(rows + [[1, 0, 0, 0, 0]] * (np.arange(60) < 20)[:, None], positive)
    assert len(fits) == 2
    assert (moved[20:] != first[20:]).all()
