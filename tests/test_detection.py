"""Rows scanned alone against held-out H0, and the rates taken from their scores."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

import personascan
from personascan.analysis.detection import DetectionPlan, detect, tpr_at_fpr
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
    rows, plan, options = place(0.6), DetectionPlan(splits=4), ScanOptions(alphas="log")
    found = detect(rows, POSITIVE, plan, options, seed=3)
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
    found = detect(place(0), POSITIVE, DetectionPlan(1, 0.25), ScanOptions(), seed=0)
    assert found.background == 10
    assert np.isnan(found.score_N).sum() == 10
    assert not np.isnan(found.score_N[POSITIVE]).any()
    assert found.auroc_deviation == found.tpr_deviation == 0


def test_detection_rises_with_the_signal_and_is_chance_without():
    plan, options = DetectionPlan(), ScanOptions(alpha_max=0.1)

    def mean(shift):
        """Over twenty places."""
        found = (detect(place(shift, s), POSITIVE, plan, options, s) for s in range(20))
        return np.mean([one.auroc for one in found])

    one = np.sqrt((30 + 40 + 1) / (12 * 30 * 40))  # the deviation of an AUROC of chance
    assert abs(mean(0) - 0.5) < 4 * one / np.sqrt(20)
    assert 0.5 + 4 * one / np.sqrt(20) < mean(1.5) < mean(3.0)
    everywhere = place(0) + np.float32(8) * POSITIVE[:, None]
    assert detect(everywhere, POSITIVE, plan, options, 0).tpr == 1.0


def test_a_plan_of_fewer_splits_and_the_order_of_nodes_change_nothing():
    rows, options = place(1.0), ScanOptions()
    one, same = (detect(rows, POSITIVE, DetectionPlan(1), options, 5) for _ in range(2))
    np.testing.assert_array_equal(one.score_N, same.score_N)
    turned = detect(rows[:, ::-1], POSITIVE, DetectionPlan(1), options, 5)
    np.testing.assert_array_equal(one.score_N, turned.score_N)
    two = detect(rows, POSITIVE, DetectionPlan(2), options, 5)
    both = np.isfinite(one.score_N) & np.isfinite(two.score_N)
    assert (one.score_N[both] != two.score_N[both]).any()
    assert np.isnan(two.score_N).sum() < np.isnan(one.score_N).sum()
    assert detect(rows, POSITIVE, DetectionPlan(1), options, 6).auroc != one.auroc


def test_a_constant_place_tells_nothing_apart():
    found = detect(np.ones((70, 3)), POSITIVE, DetectionPlan(2), ScanOptions(), seed=0)
    assert (found.auroc, found.tpr) == (0.5, 0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"plan": DetectionPlan(0)}, "splits = 0; use a whole number from 1"),
        ({"plan": DetectionPlan(2, 1.0)}, "background = 1.0; use a share of H0 between 0 and 1"),
        ({"plan": DetectionPlan(2, 0.99)}, "0.99 of 40 H0 rows leaves none for the scan"),
        ({"plan": DetectionPlan(2, 0.01)}, "0.01 of 40 H0 rows leaves none for the background"),
        ({"positive_N": POSITIVE[:9]}, "9 labels for 70 rows"),
        ({"positive_N": np.ones(70, bool)}, "nothing to tell apart"),
        ({"options": ScanOptions(alpha_max=0.01)}, "no p-value lies at the alphas searched"),
        ({"options": ScanOptions(ties="fractional")}, 'use ties="whole"'),
        ({"seed": -1}, "seed = -1"),
    ],
)
def test_what_cannot_be_scanned_is_refused(change, message):
    asked = {
        "place_ND": place(0),
        "positive_N": POSITIVE,
        "plan": DetectionPlan(2),
        "options": ScanOptions(),
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
    for name in ("score", "alpha", "size", "high_ND", "low_ND"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
