"""Overlaps of node sets, and what chance gives."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest, hypergeom

from benchmarks.sharing import Problem, sharing
from personascan.analysis.chance import can_halve, halving_labels, halving_sizes, sets_of_size
from personascan.analysis.overlaps import chance_interval, exclusive_counts, overlaps

SIZE = Problem(rows=60, nodes=24, permutations=39, strength=2.0)


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


def test_the_interval_of_chance_holds_95_percent_of_all_pairs_of_sets():
    """Every set of 4 of 12 nodes beside a fixed set of 5."""
    shared = np.array([len(set(s) & set(range(5))) for s in itertools.combinations(range(12), 4)])
    low, high = chance_interval(5, 4, 12)
    assert (shared < low).mean() <= 0.025 <= (shared <= low).mean()
    assert (shared > high).mean() <= 0.025 <= (shared >= high).mean()


def test_overlaps_are_set_beside_sets_of_their_sizes():
    """Of split t, a's most frequent nodes are 0 to 3 and b's t to t + 5."""
    one, other = np.arange(20) < 4, (np.arange(20) >= 1) & (np.arange(20) < 7)
    node_D, t_T = np.arange(20), np.arange(39)[:, None]
    chance = {
        "a": np.where(node_D < 4, 1.0, 0.9) * np.ones((39, 1)),
        "b": np.where((node_D >= t_T) & (node_D < t_T + 6), 0.2, 0.1),
    }
    chance["b"][15:] = np.where(node_D >= 14, 0.2, 0.1)
    (found,) = overlaps({"a": one, "b": other}, chance)
    assert found.observed == 3
    shared_T = np.r_[4, 3, 2, 1, np.zeros(35)]
    assert found.chance_mean == pytest.approx(shared_T.mean())
    assert found.p == pytest.approx(3 / 40)
    assert (found.chance_low, found.chance_high) == (0, 4)
    expected = hypergeom(20, 4, 6).pmf(np.arange(3, 5)).sum()
    assert found.p_hypergeometric == pytest.approx(expected)
    alone = overlaps({"a": one, "b": other})[0]
    assert np.isnan([alone.p, alone.chance_mean]).all()
    assert (alone.chance_low, alone.chance_high) == tuple(chance_interval(4, 6, 20))


def test_nodes_selected_equally_often_are_taken_at_random():
    frequency_TD = np.zeros((2000, 5))
    frequency_TD[:, 3] = 0.5
    chosen_TD = sets_of_size(frequency_TD, 3, 0)
    assert (chosen_TD.sum(1) == 3).all()
    assert chosen_TD[:, 3].all()
    for node in (0, 1, 2, 4):
        assert binomtest(int(chosen_TD[:, node].sum()), 2000, 0.5).pvalue > 0.001
    assert not sets_of_size(frequency_TD, 0, 0).any()


def test_without_a_node_nothing_is_shared_and_nothing_is_unusual():
    chance = {name: np.random.default_rng(0).random((9, 6)) for name in "ab"}
    (found,) = overlaps({"a": np.zeros(6, bool), "b": np.ones(6, bool)}, chance)
    assert (found.observed, found.chance_mean, found.p) == (0, 0, 1)


@pytest.mark.parametrize("clusters", [None, np.repeat(np.arange(10), 3)])
def test_halves_of_h0_are_disjoint_and_clusters_stay_whole(clusters):
    half_N = halving_labels(30, 5, clusters)
    assert 12 <= half_N.sum() <= 18
    if clusters is not None:
        for cluster in np.unique(clusters):
            assert len(set(half_N[clusters == cluster])) == 1
    h0_ND = np.random.default_rng(1).normal(size=(30, 5)).astype(np.float32)
    size_TD = halving_sizes(h0_ND, half_N, 40, 5, clusters)
    assert size_TD.shape == (40, 5)
    assert ((size_TD >= 0) & (size_TD <= 1)).all()
    np.testing.assert_array_equal(halving_sizes(h0_ND, half_N, 40, 5, clusters), size_TD)


def test_too_few_rows_of_h0_are_not_split():
    assert not can_halve(np.arange(4) < 2, 19)
    assert not can_halve(np.arange(3) < 1, 1)
    assert can_halve(np.arange(12) < 6, 99)


@pytest.mark.slow
def test_h1_far_off_does_not_make_chance_overlaps_larger():
    """Chance comes from H0 alone: the same whatever H1 is."""
    ways = [sharing(3, "same", replace(SIZE, strength=s), seed=4) for s in (2.0, 6.0)]
    sizes = [[o.expected for o in found.found] for found in ways]
    assert np.mean(sizes[0]) < np.mean(sizes[1])  # more nodes are found
    for found in ways:
        for overlap in found.found:
            assert overlap.chance_mean < 1.5 * overlap.expected


@pytest.mark.slow
def test_directions_without_anything_in_common_are_seldom_said_to_share_nodes():
    """A small part of scripts/validity.py."""
    apart = sharing(30, "as noise", SIZE, seed=0)
    assert len(apart.found) >= 25
    assert apart.excess_p() > 0.001
    same = sharing(15, "same", SIZE, seed=1)
    assert same.excess_p() < 0.001
