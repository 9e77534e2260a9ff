import numpy as np
import pytest

import personascan
from benchmarks import power
from benchmarks.validity import Signal, calibrate_problems
from personascan.calibration import family, nodes
from personascan.calibration.scan_labellings import draw_labellings
from personascan.scan.options import ScanOptions

SAMPLES = personascan.SampleOptions(background=14, clean=8, positive=8, runs=6)
LABELS = np.arange(60) % 2 == 0


def pool(shift, seed=0, layers=2, nodes=12):
    pool_LND = np.random.default_rng(seed).normal(size=(layers, 60, nodes)).astype(np.float32)
    pool_LND[-1, LABELS, :6] += shift
    return pool_LND


def calibrate(pool, **keywords):
    chosen = dict(permutations=19, runs=2) | keywords
    return personascan.calibrate(pool, LABELS, SAMPLES, **chosen)


def test_a_planted_place_is_found_and_its_half_nodes():
    found = calibrate(pool(3.0), nodes=1)
    assert found.keys == (0, 1)
    assert found.best == 1
    assert found.p[1] == found.p_family[1] == found.p_step_down[1] == 1 / 20
    assert found.null.shape == (2, 19)
    chosen = found.node_set()
    assert set(range(6)) <= set(chosen.high)
    halves = np.flatnonzero(chosen.halves(12))
    np.testing.assert_array_equal(halves, np.r_[chosen.high, 12 + chosen.low])
    np.testing.assert_array_equal(halves, np.flatnonzero(found.q() <= 0.1))
    q = found.q()
    assert q.shape == (24,)
    assert q[:6].max() < 0.1 < q[6:].min()  # the lower halves of the planted nodes too
    assert found.node_p_family()[:6].max() < 0.2 < found.node_p_family()[6:].min()
    assert "highest at 1 (mean score" in found.summary()
    assert "half-nodes with q <= 0.1" in found.summary()


def test_nodes_that_were_not_counted_are_an_error():
    found = calibrate(pool(3.0))
    for asked in (
        found.q, found.node_p_family, found.node_set, found.expected_false,
        lambda: found.frequency, lambda: found.null_frequency,
    ):  # fmt: skip
        with pytest.raises(
            personascan.InputError, match=r"no nodes were counted.*nodes=.* out, 1$"
        ):
            asked()
    assert "highest at 1" in found.summary()
    assert "nodes" not in found.summary()


@pytest.mark.parametrize(("tail", "high", "low"), [("two", 6, 6), ("right", 6, 0), ("left", 0, 6)])
def test_a_node_set_has_the_direction_that_its_tail_looks_at(tail, high, low):
    """Two-sided, both: the runs do not say which."""
    side = -1 if tail == "left" else 1
    chosen = calibrate(side * np.array(pool(3.0)), nodes=1, tail=tail).node_set()
    assert len(chosen.high[chosen.high < 6]) == high
    assert len(chosen.low[chosen.low < 6]) == low
    assert set(chosen.tails) == {{"two": "both"}.get(tail, tail)}


def test_pools_may_be_mappings_of_any_widths():
    """Keys are the places', and a place's numbers do not depend on its company."""
    layers = pool(1.0, nodes=12)
    mixed = {"narrow": layers[0][:, :5], "wide": layers[1]}
    found = calibrate(mixed, nodes="wide")
    assert found.keys == ("narrow", "wide")
    assert found.frequency.shape == (24,)
    alone = calibrate({"wide": layers[1]}, nodes="wide")
    np.testing.assert_array_equal(alone.statistic_PT[0], found.statistic_PT[1])
    np.testing.assert_array_equal(alone.frequency_TC, found.frequency_TC)
    assert alone.p[0] == found.p[1]
    stream = calibrate(layer for layer in layers)
    np.testing.assert_array_equal(stream.statistic_PT[1], found.statistic_PT[1])
    with pytest.raises(
        personascan.InputError, match="'deep' is no place of the pool: narrow; wide"
    ):
        calibrate(mixed, nodes="deep")


def test_the_observed_statistic_is_the_mean_over_runs_of_the_first_labelling():
    """The same function as for a permutation."""
    pool_LND = pool(1.0)
    found = calibrate(pool_LND, seed=3, nodes=1)
    again = calibrate(pool_LND, seed=3)
    np.testing.assert_array_equal(found.statistic_PT, again.statistic_PT)
    assert (found.null != calibrate(pool_LND, seed=4).null).any()
    labellings = draw_labellings(LABELS, SAMPLES, 19, seed=3)
    alone = personascan.scan_runs(pool_LND, *labellings.masks(2), starts=1)
    np.testing.assert_array_equal(alone.score[:, :2].mean(1), found.score)
    # Fewer runs are the first of more, so that scores and nodes see the same splits.
    many = labellings.masks(6)
    for fewer, more in zip(labellings.masks(2), many, strict=True):
        np.testing.assert_array_equal(more.reshape(20, 6, -1)[:, :2].reshape(40, -1), fewer)
    frequent = personascan.scan_runs(pool_LND[1], *many, starts=1)
    high, low = (side[0, :6].mean(0) for side in (frequent.high_LRD, frequent.low_LRD))
    np.testing.assert_allclose(found.frequency, np.r_[high, low], rtol=1e-6)


def test_p_values_count_the_permutations_that_reach_the_observed_one():
    statistic = np.array([[5.0, 1, 2, 6, 5], [9.0, 1, 2, 3, 4]])
    seen = set()
    for seed in range(40):
        draws = family.tie_draws(seed, ("a", "b"), 5)
        p, p_family = family.place_p(statistic, draws), family.family_p(statistic, draws)
        assert p[1] == p_family[1] == 1 / 5
        seen.add((float(p[0]), float(p_family[0])))
    assert {p for p, _ in seen} == {2 / 5, 3 / 5}  # the tie falls either way
    assert min(f for _, f in seen) >= 2 / 5


def test_places_with_other_nulls_weigh_alike_in_the_family():
    """A place whose null is a hundred times the other's hides it in the raw maximum alone."""
    rng = np.random.default_rng(0)
    statistic = np.stack([rng.normal(size=100), 100 + 100 * rng.normal(size=100)])
    statistic[0, 0] = 6.0
    draws = family.tie_draws(0, "ab", 100)
    assert family.family_p(statistic, draws)[0] > 0.5
    z = family.studentise(statistic)
    np.testing.assert_allclose(z.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(z.std(1), 1)
    assert family.family_p(z, draws)[0] == 0.01
    assert not family.studentise(np.full((2, 5), 3.0)).any()


def test_step_down_is_by_hand_and_never_above_the_single_step():
    """Westfall and Young's algorithm 2.8: each place against those not yet passed."""
    z = np.array([[5.0, 4, 1, 1], [3.0, 1, 2, 1], [2.5, 9, 0, 0]])
    draws = np.zeros_like(z)
    # Order 0, 1, 2: maxima over all [9, 2, 1] reach 5 once; over 1, 2 [9, 2, 1] once; over 2 once.
    np.testing.assert_allclose(family.step_down_p(z, draws), [2 / 4, 2 / 4, 2 / 4])
    z[2, 1] = 2.0
    np.testing.assert_allclose(family.step_down_p(z, draws), [1 / 4, 1 / 4, 1 / 4])
    np.testing.assert_allclose(family.family_p(z, draws), [1 / 4, 2 / 4, 2 / 4])
    rng = np.random.default_rng(1)
    for _ in range(20):
        z, draws = rng.normal(size=(6, 40)), rng.random((6, 40))
        assert (family.step_down_p(z, draws) <= family.family_p(z, draws)).all()


def test_the_least_p_over_alphas_ranks_each_alpha_by_itself():
    scores_APT = np.array([[[9.0, 1, 2, 3]], [[100.0, 400, 300, 200]]])
    found = family.min_alpha_statistic(scores_APT, np.random.default_rng(0))
    np.testing.assert_allclose(found, [[-1 / 4, -1 / 4, -2 / 4, -2 / 4]])
    with_both = calibrate(pool(3.0), statistic="min_alpha", alphas=[0.15, 0.4])
    assert with_both.p_family[1] <= 3 / 20


def test_q_is_expected_over_observed_made_monotone():
    frequency_TC = np.array([[1.0, 0.6, 0.2, 0.0], [0.0, 0.6, 0.2, 0.0], [0.6, 0.6, 0.0, 0.0]])
    assert nodes.expected_false(frequency_TC, 0.5) == 1.5
    np.testing.assert_allclose(nodes.q_values(frequency_TC), [0, 2 / 3, 2 / 3, 1])
    # Each labelling's own set, the others its null.
    sets = nodes.sets_under_labels(frequency_TC, 0.7)
    np.testing.assert_array_equal(sets[0], [True, True, True, False])
    np.testing.assert_array_equal(sets[1], nodes.q_values(frequency_TC[[1, 0, 2]]) <= 0.7)
    np.testing.assert_array_equal(nodes.as_nodes(sets, 2)[0], [True, True])


def test_the_family_wise_p_of_a_node_counts_permutations_of_the_highest_node():
    rng = np.random.default_rng(2)
    frequency_TC = rng.binomial(10, 0.2, size=(100, 30)) / 10
    frequency_TC[0, 4] = 1.0
    p = nodes.family_p(frequency_TC, runs=10)
    assert p[4] == 0.01
    z = (frequency_TC - frequency_TC.mean(0)) / (frequency_TC.std(0) + 0.1)
    for node in (0, 7):
        assert p[node] == (1 + sum(z[t].max() >= z[0, node] for t in range(1, 100))) / 100


@pytest.fixture(scope="module")
def without_signal():
    """A small part of scripts/validity.py."""
    return calibrate_problems(
        30, rows=60, nodes=12, samples=SAMPLES, permutations=19, runs=2, seed=0
    )


def test_calibration_of_noise_is_right(without_signal):
    """Uniform p at places of every kind, and 5% of families with anything found."""
    assert min(without_signal.uniform_p(np.random.default_rng(0)).values()) > 0.001
    assert without_signal.family_rate()[1] > 0.001
    assert without_signal.family_rate(without_signal.p_step_down)[1] > 0.001
    assert without_signal.node_family_rate()[1] > 0.001


def test_calibration_finds_what_the_raw_maximum_hides(without_signal):
    """The signal is in the place with the lowest null; its nodes are found, few others."""
    signal = Signal("iid", nodes=4, strength=2.0)
    found = calibrate_problems(
        6, rows=60, nodes=12, samples=SAMPLES, permutations=19, runs=2, seed=1, signal=signal
    )
    rates = found.found_at("iid")
    assert rates["studentised maximum"] >= 0.8
    assert rates["step-down"] >= rates["studentised maximum"] > rates["raw maximum"]
    false, power = found.false_discoveries()
    assert false < 0.2
    assert power > 0.5
    nothing, nan = without_signal.false_discoveries()
    assert nothing <= 0.3
    assert np.isnan(nan)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (dict(permutations=0), "at least one"),
        (dict(permutations=2.5), "whole number"),
        (dict(runs=0), "runs must be a whole number of at least 1"),
        (dict(statistic="median"), "unknown"),
        (dict(nodes=9), "9 is no place of the pool: 0; 1"),
        (dict(tail="up"), "tail 'up' is unknown"),
        (dict(alphas=[0.01]), "no p-value lies at the alphas searched"),
        (dict(seed=-1), "whole number"),
    ],
)
def test_bad_calibrations_are_one_clear_line(keywords, message):
    with pytest.raises(personascan.InputError, match=message):
        calibrate(pool(0.0), **keywords)
    with pytest.raises(personascan.InputError, match="sample of 30 of 30"):
        personascan.calibrate(pool(0.0), LABELS, personascan.SampleOptions(14, 8, 30))


def test_power_grows_with_the_signal_and_keeps_its_level_without():
    """Fisher's combination and fixed alphas need no compilation of their own in this test."""
    pattern = power.Pattern("block", rows=10, nodes=20, strengths=(0.0, 3.0))
    scans = [("bj, alpha = 0.1", dict(alphas=[0.1]))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(power, "SCANS", scans)
        patch.setattr(power, "separate_alphas", lambda *_: [ScanOptions(alphas=[0.1])])
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
