"""Effects of edits: coverage of their intervals, levels of their p-values."""

import numpy as np
import pytest
from scipy.stats import binom, norm, t
from tiny_tested import PROBLEMS, likely, sides

from personascan.analysis.effects import (
    bootstrap_effects,
    contrast_weights,
    control_p,
    even_weights,
    weighted_effect,
)


def normal(rng, shape):
    return rng.normal(size=shape)


def exponential(rng, shape):
    return rng.exponential(size=shape) - 1


def misses(draw, rows, effect, sizes=None, seed=0):
    """In how many problems the interval is above the effect, and below it.

    All rows change by 3 besides; where there is an effect, H1 spreads twice as far. With sizes of
    clusters, half of the variance is theirs.
    """
    rng = np.random.default_rng([seed, rows, int(effect)])
    positive, clusters = sides(rows), None
    noise = draw(rng, (PROBLEMS, 2 * rows))
    if sizes:
        clusters = np.repeat(np.arange(2 * len(sizes)), 2 * sizes)
        shared = draw(rng, (PROBLEMS, 2 * len(sizes)))[:, clusters]
        noise = np.sqrt(0.5) * (noise + shared)
    noise *= np.where(positive & (effect > 0), 2, 1)
    made = bootstrap_effects(
        noise + 3 + effect * positive, contrast_weights(positive), positive, resamples=500,
        confidence=0.95, rng=rng, clusters_N=clusters,
    )  # fmt: skip
    return np.array([(made.low_W > effect).sum(), (made.high_W < effect).sum()])


@pytest.mark.parametrize("effect", [0.0, 2.0])
@pytest.mark.parametrize("rows", [10, 20])
def test_the_interval_covers_normal_changes(rows, effect):
    missed = misses(normal, rows, effect)
    assert likely(missed.sum(), 0.05)
    assert all(likely(m, 0.025) for m in missed)


@pytest.mark.parametrize("rows", [10, 20])
def test_the_interval_covers_changes_that_are_skewed_alike(rows):
    """The difference of the sides is not skewed."""
    assert likely(misses(exponential, rows, 0.0, seed=1).sum(), 0.05)


def one_sided(rng, shape):
    """Exponential in H1 alone."""
    half = shape[0], shape[1] // 2
    return np.concatenate([exponential(rng, half), normal(rng, half)], axis=1)


@pytest.mark.parametrize("rows", [10, 20])
@pytest.mark.parametrize("draw", [exponential, one_sided])
def test_where_a_side_is_more_skewed_the_interval_misses_on_its_long_side(rows, draw):
    """Percentiles go out too little there: seen .94 covered, and .04 to .06 above the interval."""
    above, below = misses(draw, rows, 2.0, seed=2)
    assert likely(above + below, 0.06)
    assert above < 0.025 * PROBLEMS
    assert binom.ppf(0.9995, PROBLEMS, 0.025) < below < binom.ppf(0.9995, PROBLEMS, 0.055)


@pytest.mark.parametrize(
    ("draw", "effect", "missed"),
    [(normal, 0.0, 0.05), (normal, 2.0, 0.05), (exponential, 0.0, 0.05), (exponential, 2.0, 0.06)],
)
@pytest.mark.parametrize("sizes", [[2] * 10, [1] * 7 + [3, 5, 5]])
def test_the_interval_covers_what_clusters_share(sizes, draw, effect, missed):
    """What all rows share widens nothing, whatever the sizes of the clusters."""
    assert likely(misses(draw, 20, effect, sizes, seed=3).sum(), missed)


def test_rows_that_clusters_join_are_not_counted_one_by_one():
    rng, positive = np.random.default_rng(4), sides(20)
    clusters = np.repeat(np.arange(10), 4)
    change = rng.normal(size=(300, 10))[:, clusters]
    asked = {"resamples": 300, "confidence": 0.95}
    joined, apart_rows = (
        bootstrap_effects(
            change, contrast_weights(positive), positive, rng=rng, clusters_N=c, **asked
        )
        for c in (clusters, None)
    )
    np.testing.assert_array_equal(joined.effect_W, apart_rows.effect_W)
    wider = (joined.high_W - joined.low_W) / (apart_rows.high_W - apart_rows.low_W)
    assert np.mean(wider) > 1.8  # twice the deviation, and fewer degrees of freedom


def test_the_interval_is_the_expanded_percentile():
    rng, positive = np.random.default_rng(5), sides(8)
    change = rng.normal(size=(1, 16))
    made = bootstrap_effects(
        change, contrast_weights(positive), positive, resamples=40000, confidence=0.9,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    h1, h0 = change[0, :8], change[0, 8:]
    drawn = rng.choice(h1, (40000, 8)).mean(1) - rng.choice(h0, (40000, 8)).mean(1)
    out = norm.cdf(np.sqrt(8 / 7) * t.ppf(0.05, 7))
    expected = np.quantile(drawn, [out, 1 - out])
    np.testing.assert_allclose([made.low_W[0], made.high_W[0]], expected, atol=0.04)


def test_effects_are_weighted_means():
    rng = np.random.default_rng(6)
    positive = rng.permutation(np.arange(15) < 6)
    change = rng.normal(size=(4, 15))
    asked = {"resamples": 20, "confidence": 0.95, "rng": rng}
    h1, h0 = change[:, positive].mean(1), change[:, ~positive].mean(1)
    made = bootstrap_effects(change, contrast_weights(positive), positive, **asked)
    np.testing.assert_allclose(made.effect_W, h1 - h0)
    np.testing.assert_allclose(change @ contrast_weights(positive), h1 - h0)
    made = bootstrap_effects(change, even_weights(positive), positive, **asked)
    np.testing.assert_allclose(made.effect_W, change.mean(1))
    assert (made.low_W < made.high_W).all()


@pytest.mark.parametrize("weights", [contrast_weights, even_weights])
def test_what_never_differs_has_no_width(weights):
    positive, clusters = sides(7), np.repeat(np.arange(6), [1, 2, 4, 3, 3, 1])
    change = np.where(positive, 0.3, -0.1)[None]
    made = bootstrap_effects(
        change, weights(positive), positive, resamples=50, confidence=0.95,
        rng=np.random.default_rng(0), clusters_N=clusters,
    )  # fmt: skip
    np.testing.assert_allclose([made.low_W, made.high_W], [made.effect_W] * 2, rtol=1e-12)


def test_a_single_cluster_of_a_side_has_no_interval():
    positive = sides(3)
    made = bootstrap_effects(
        np.arange(6.0)[None], contrast_weights(positive), positive, resamples=50, confidence=0.95,
        rng=np.random.default_rng(0), clusters_N=np.array([0, 0, 0, 1, 2, 3]),
    )  # fmt: skip
    assert made.effect_W == pytest.approx([-3])
    assert np.isnan([made.low_W, made.high_W]).all()


@pytest.mark.parametrize("controls", [19, 50])
def test_p_keeps_its_level_where_the_found_are_as_the_controls(controls):
    effects = np.random.default_rng(controls).normal(0.5, 1, (PROBLEMS, controls + 1))
    p = np.array([control_p(found, others) for found, *others in effects])
    for level in (0.05, 0.1, 0.2):
        reached = np.floor(level * (controls + 1) + 1e-9) / (controls + 1)
        assert likely((p <= level + 1e-12).sum(), reached)


def test_p_counts_controls_as_large_either_way():
    assert control_p(-2.0, [1, -1, 1.9]) == 1 / 4
    assert control_p(2.0, [1, -3, 2.0, 5]) == 4 / 5
    assert control_p(9.0, np.zeros(19)) == 1 / 20
    assert control_p(0.0, [0.0, 0.0]) == 1.0


def test_equal_shares_are_equal_in_whatever_order_they_are_summed():
    """Of 40 rows, twenty come to match and eight do no more: 12/40, but for the rounding."""
    rng, positive = np.random.default_rng(1), sides(20)
    change = np.array([rng.permutation([1.0] * 20 + [-1] * 8 + [0] * 12) for _ in range(200)])
    made = bootstrap_effects(
        change, even_weights(positive), positive, resamples=2, confidence=0.95, rng=rng
    ).effect_W
    assert len(set(made)) > 1  # what this is about
    assert control_p(made.max(), made) == 1.0


def test_a_push_that_moves_all_answers_alike_is_no_effect():
    """What float32 leaves of a difference is 0, in every method, and so is ranked as equal."""
    rng = np.random.default_rng(0)
    positive_N = np.arange(20) < 10
    unedited_N = rng.normal(size=20).astype(np.float32)
    shifted_WN = unedited_N + rng.normal(size=(30, 1)).astype(np.float32)
    change_WN = shifted_WN.astype(float) - unedited_N
    assert np.abs(change_WN @ contrast_weights(positive_N)).max() > 0
    np.testing.assert_array_equal(weighted_effect(change_WN, contrast_weights(positive_N)), 0)
    assert np.abs(weighted_effect(change_WN, even_weights(positive_N))).min() > 0
    change_WN[3, positive_N] += 0.01
    assert weighted_effect(change_WN, contrast_weights(positive_N))[3] == pytest.approx(
        0.01, rel=1e-3
    )
