"""Two AUROCs compared on the same rows: exact values, and intervals that cover the truth."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

from benchmarks.judging import interval_misses, judged_sets, score_pair
from personascan.analysis import claims
from personascan.analysis.claims import Claim, auroc, compare_aurocs, lower_limit, weighted_aurocs


def delong_deviation(scores, positive):
    """Of the difference of two AUROCs, by structural components (DeLong et al. 1988)."""
    sign = np.sign(scores[:, positive][:, :, None] - scores[:, ~positive][:, None, :])
    won = (sign[0] - sign[1]) / 2
    of_h1, of_h0 = won.mean(1), won.mean(0)
    return np.sqrt(of_h1.var(ddof=1) / of_h1.size + of_h0.var(ddof=1) / of_h0.size)


@pytest.mark.parametrize("steps", [2, 10, 10**6])
def test_weighted_rows_are_rows_that_often(steps):
    rng = np.random.default_rng(steps)
    positive = rng.permutation(np.arange(50) < 20)
    score = np.floor(steps * rng.random(50))
    times = rng.integers(0, 4, (6, 50))
    direct = [roc_auc_score(np.repeat(positive, t), np.repeat(score, t)) for t in times]
    np.testing.assert_allclose(weighted_aurocs(score, positive, times), direct, rtol=1e-12)
    assert auroc(score, positive) == pytest.approx(roc_auc_score(positive, score), rel=1e-12)


@pytest.mark.parametrize("shifts", [(0.0, 0.0), (1.0, 0.8), (2.0, 0.5)])
def test_bootstrap_deviation_is_delongs(shifts):
    rng = np.random.default_rng(1)
    scores, positive = score_pair(rng, 150, shifts, 0.5)
    drawn = claims.bootstrap_aurocs(scores, positive, 4000, rng)
    # A deviation of 4000 draws has a relative error of 1.1%; the bootstrap divides by n, not n - 1.
    assert np.std(drawn[0] - drawn[1]) == pytest.approx(
        delong_deviation(scores, positive), rel=0.04
    )


def test_the_interval_covers_the_true_difference():
    found, problems = interval_misses(300, 75, (1.2, 0.9), resamples=300, seed=2), 300
    low, high = binom.ppf([0.001, 0.999], problems, 0.05)
    assert low <= problems * (found["above"] + found["below"]) <= high


def test_the_lower_end_is_no_higher_where_rows_are_nearly_told_apart():
    """The percentiles alone are above the truth in a tenth of these problems, not in a fortieth."""
    problems = 300
    found = interval_misses(problems, 40, (3.0, 3.5), resamples=200, seed=6)
    most = binom.ppf(0.999, problems, 0.025)
    assert problems * found["above"] <= most < problems * found["bootstrap_above"]


def test_found_and_judged_sets_have_valid_intervals_and_ranks():
    """A small part of scripts/judging.py."""
    shape = {"rows": 30, "nodes": 40, "signal": 4, "seed": 0}
    none, much = (judged_sets(20, "iid", shift, **shape) for shift in (0.0, 1.2))
    for found in (none, much):
        assert 20 * (found["above"] + found["below"]) <= binom.ppf(0.999, 20, 0.05)
    assert 20 * none["p<=0.05"] <= binom.ppf(0.999, 20, 0.05)
    assert much["p<=0.05"] > 0.9


@pytest.mark.parametrize("a", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_limits_are_a_deviation_of_their_own_away(a):
    h1, h0, z = 30, 50, 1.7
    low = lower_limit(a, (h1, h0), z)
    assert 0 <= low <= a
    assert low < 1
    q1, q2, middle = low / (2 - low), 2 * low**2 / (1 + low), (h1 + h0) / 2 - 1
    variance = low * (1 - low) + middle * (q1 - low**2) + middle * (q2 - low**2)
    assert a - low == pytest.approx(z * np.sqrt(variance / (h1 * h0)), abs=1e-9)


def test_two_perfect_scores_are_not_said_to_be_equal():
    scores = np.stack([np.arange(40), np.arange(40) ** 2])
    found = compare_aurocs(
        *scores, np.arange(40) >= 20, resamples=50, confidence=0.95, rng=np.random.default_rng(0)
    )
    assert found.bootstrap_low == found.bootstrap_high == found.difference == 0.0
    assert -0.2 < found.low == -found.high < -0.05


def test_resamples_do_not_hang_on_how_many_are_made_at_once(monkeypatch):
    scores, positive = score_pair(np.random.default_rng(3), 20, (1, 0), 0.2)
    whole = claims.bootstrap_aurocs(scores, positive, 50, np.random.default_rng(4))
    monkeypatch.setattr(claims, "CELLS_AT_ONCE", 350)
    parts = claims.bootstrap_aurocs(scores, positive, 50, np.random.default_rng(4))
    np.testing.assert_array_equal(whole, parts)


def test_a_score_against_itself_and_against_chance():
    scores, positive = score_pair(np.random.default_rng(5), 40, (3, 0), 0.0)
    asked = {"resamples": 200, "confidence": 0.9}
    same = compare_aurocs(scores[0], scores[0], positive, rng=np.random.default_rng(0), **asked)
    assert same == Claim(0.0, 0.0, 0.0, 0.5, 0.0, 0.0)
    better = compare_aurocs(*scores, positive, rng=np.random.default_rng(0), **asked)
    worse = compare_aurocs(*scores[::-1], positive, rng=np.random.default_rng(0), **asked)
    assert 0 < better.low < better.difference < better.high
    np.testing.assert_allclose([worse.low, worse.high], [-better.high, -better.low])
    assert (better.below, worse.below) == (0.0, 1.0)
    assert better.holds(0.0)
    assert not worse.holds(0.1)
    assert worse.holds(0.99)


def test_nothing_is_claimed_of_what_is_missing():
    assert not Claim(*[np.nan] * 6).holds(1.0)
