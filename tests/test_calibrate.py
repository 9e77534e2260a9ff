import numpy as np
import pytest
from scipy.stats import hypergeom

import personascan
from personascan.analysis import power
from personascan.analysis.nodes import overlaps
from personascan.analysis.simulate import NULL_KINDS
from personascan.analysis.validity import null_calibrations
from personascan.scan.calibrate import min_alpha_statistic, permutation_pvalues
from personascan.scan.splits import run_keys, split_masks

PLAN = personascan.SplitPlan(background=14, clean=8, positive=8, runs=6)
LABELS = np.arange(60) % 2 == 0


def pool(shift, seed=0, layers=2, nodes=12):
    pool_LND = np.random.default_rng(seed).normal(size=(layers, 60, nodes)).astype(np.float32)
    pool_LND[-1, LABELS, :6] += shift
    return pool_LND


def calibrate(pool_LND, **keywords):
    chosen = dict(permutations=19, starts=2) | keywords
    return personascan.calibrate(pool_LND, LABELS, PLAN, **chosen)


def test_a_planted_layer_is_found_and_its_nodes():
    found = calibrate(pool(3.0))
    assert found.layer == 1
    assert found.p[1] == found.p_family[1] == 1 / 20
    assert found.null.shape == (2, 19)
    assert set(range(6)) <= set(found.node_set())
    q = found.q()
    assert q[:6].max() < 1
    assert q[:6].max() < q[6:].min() or found.frequency[6:].max() == 0
    assert "smallest family-wise p 0.050 at layer 1" in found.summary()


def test_the_observed_statistic_is_the_scan_of_one_split():
    """The same function as for a permutation: the first of the labellings."""
    pool_LND = pool(1.0)
    found = calibrate(pool_LND, layer=-1, seed=3)
    again = calibrate(pool_LND, layer=-1, seed=3)
    np.testing.assert_array_equal(found.statistic_LT, again.statistic_LT)
    assert (found.null != calibrate(pool_LND, layer=-1, seed=4).null).any()
    one_run = personascan.SplitPlan(14, 8, 8, 1)
    score_key = personascan.scan.calibrate.keys_of(3)[1]
    masks = split_masks(LABELS[None], run_keys(score_key, 20)[:1], one_run)
    alone = personascan.scan_runs(pool_LND, *masks, starts=2, seed=3)
    np.testing.assert_array_equal(alone.score[:, 0], found.score)


def test_p_values_count_the_permutations_that_score_as_much():
    statistic = np.array([[5.0, 1, 2, 6, 5], [9.0, 1, 2, 3, 4]])
    seen = set()
    for seed in range(40):
        p, p_family = permutation_pvalues(statistic, np.random.default_rng(seed))
        assert p[1] == p_family[1] == 1 / 5
        seen.add((float(p[0]), float(p_family[0])))
    assert {p for p, _ in seen} == {2 / 5, 3 / 5}  # the tie falls either way
    assert min(f for _, f in seen) >= 2 / 5


def test_the_least_p_over_alphas_ranks_each_alpha_by_itself():
    scores_ALT = np.array([[[9.0, 1, 2, 3]], [[100.0, 400, 300, 200]]])
    found = min_alpha_statistic(scores_ALT, np.random.default_rng(0))
    np.testing.assert_allclose(found, [[-1 / 4, -1 / 4, -2 / 4, -2 / 4]])
    with_both = calibrate(pool(3.0), statistic="min_alpha", layer=-1, alphas=[0.15, 0.4])
    assert with_both.p_family[1] <= 3 / 20


def test_expected_false_selections_and_q():
    null = np.array([[0.0, 0.6, 0.2, 0.0], [0.6, 0.6, 0.0, 0.0]])
    frequency = np.array([1.0, 0.6, 0.2, 0.0])
    found = personascan.Calibration(
        np.ones((1, 3)), np.ones(1), np.ones(1), 0, frequency, null, PLAN
    )
    assert found.expected_false(0.5) == 1.5
    np.testing.assert_array_equal(found.node_set(0.5), [0, 1])
    np.testing.assert_allclose(found.q(), [0, 2 / 3, 2 / 3, 1])


def test_overlaps_have_their_permutation_null_and_pairs_the_hypergeometric_p():
    one, other = np.arange(20) < 8, (np.arange(20) >= 4) & (np.arange(20) < 12)
    null = {name: np.zeros((9, 20), bool) for name in "ab"}
    null["a"][:3, :6], null["b"][:2, :6] = True, True
    (found,) = overlaps({"a": one, "b": other}, null)
    assert found.observed == 4
    assert found.null_mean == pytest.approx(12 / 9)
    assert found.p == pytest.approx(3 / 10)
    expected = hypergeom(20, 8, 8).pmf(np.arange(4, 9)).sum()
    assert found.p_hypergeometric == pytest.approx(expected)
    assert np.isnan(overlaps({"a": one, "b": other})[0].p)


@pytest.mark.parametrize("kind", NULL_KINDS)
def test_calibration_of_noise_is_right(kind):
    """A small part of scripts/validity.py."""
    found = null_calibrations(
        kind, 40, layers=2, rows=60, nodes=12, plan=PLAN, permutations=19, threshold=0.5,
        starts=2, seed=0,
    )  # fmt: skip
    assert found.uniform_p(np.random.default_rng(0)) > 0.001
    assert found.family_rate()[1] > 0.001
    assert found.selection_p() > 0.001


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (dict(permutations=0), "at least one"),
        (dict(permutations=2.5), "whole number"),
        (dict(statistic="mean"), "unknown"),
        (dict(layer=9), "layers 0 to 1"),
        (dict(seed=-1), "whole number"),
    ],
)
def test_bad_calibrations_are_one_clear_line(keywords, message):
    with pytest.raises(personascan.InputError, match=message):
        calibrate(pool(0.0), **keywords)
    with pytest.raises(personascan.InputError, match="sample of 30 of 30"):
        personascan.calibrate(pool(0.0), LABELS, personascan.SplitPlan(14, 8, 30))


def test_power_grows_with_the_signal_and_keeps_its_level_without():
    """Fisher's combination and fixed alphas need no compilation of their own in this test."""
    pattern = power.Pattern("block", rows=10, nodes=20, strengths=(0.0, 3.0))
    scans = [("bj, alpha = 0.1", dict(alphas=[0.1]))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(power, "SCANS", scans)
        patch.setattr(power, "separate_alphas", lambda: [0.1])
        patch.setattr(
            power, "STATISTICS", (scans[0][0], power.MIN_ALPHA, power.FISHER, power.MEAN_P)
        )
        found = power.power_curves(
            rows=20, nodes=30, background=30, nulls=100, problems=40, repeats=1, starts=1, seed=0,
            patterns=(pattern,),
        )["block"]  # fmt: skip
    for name, curve in found.items():
        assert curve[0] <= 0.2, name
        assert curve[1] >= 0.95, name
