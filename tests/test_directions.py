"""Node sets and directions, against plain formulas and known draws."""

import numpy as np
import pytest
from scipy.stats import chisquare, ttest_ind
from tiny_statistics import NODES, POSITIVE, ROWS, WIDTH, found_set, rows, statistics

import personascan
from personascan.interventions.directions import (
    PlaceStatistics,
    head_set,
    largest_set,
    matched_set,
    most_frequent,
    random_direction,
    random_set,
    scale_to_norm,
    signed_set,
)


def test_a_ground_is_plain_formulas():
    place, there = rows().astype(np.float64), statistics()
    h1, h0 = place[POSITIVE], place[~POSITIVE]
    np.testing.assert_array_equal(there.background_BD, h0)
    np.testing.assert_array_equal(there.positive_ND, h1)
    np.testing.assert_allclose(there.mean_D, h0.sum(0) / 40)
    np.testing.assert_allclose(there.deviation_D, np.sqrt(((h0 - h0.mean(0)) ** 2).mean(0)))
    np.testing.assert_allclose(there.difference_D, h1.mean(0) - h0.mean(0), rtol=1e-12)
    assert (there.sign_D == np.where(h1.mean(0) > h0.mean(0), 1, -1)).all()
    np.testing.assert_array_equal(there.signed_nodes([5, 9])[[5, 9]], there.sign_D[[5, 9]])
    assert np.count_nonzero(there.signed_nodes([5, 9])) == 2
    np.testing.assert_array_equal(there.push(found_set()), found_set() * there.deviation_D)


def test_cohens_d_is_students_t_over_the_sizes():
    place = rows().astype(np.float64)
    t = ttest_ind(place[POSITIVE], place[~POSITIVE]).statistic
    np.testing.assert_allclose(statistics().cohen_D, t * np.sqrt(1 / 20 + 1 / 40), rtol=1e-9)


def test_constant_nodes_are_nowhere_apart():
    place = rows().astype(np.float64)
    place[:, 0] = 0.1  # no float: its mean is rounded
    place[:, 1] = 0.0
    place[~POSITIVE, 2] = 0.1  # varies in H1 alone
    there = PlaceStatistics(place, POSITIVE)
    assert (there.cohen_D[:2] == 0).all()
    assert (there.deviation_D[:3] == 0).all()
    assert np.isfinite(there.cohen_D).all()
    assert there.cohen_D[2] != 0
    assert set(np.flatnonzero(largest_set(NODES - 2, there.cohen_D, there))) == {*range(2, NODES)}


def test_halves_and_nodes_become_signed_nodes():
    there = statistics()
    columns = np.zeros(2 * NODES, bool)
    columns[[3, 20]] = True  # upper halves
    columns[NODES + np.array([10, 21])] = True  # lower ones
    expected = np.zeros(NODES)
    expected[[3, 20]], expected[[10, 21]] = 1, -1
    np.testing.assert_array_equal(signed_set(columns, NODES, there), expected)
    columns[[17, 30, NODES + 17, NODES + 30]] = True  # both: as the means differ
    expected[[17, 30]] = 1, -1
    np.testing.assert_array_equal(signed_set(columns, NODES, there), expected)
    whole = signed_set(np.isin(np.arange(NODES), [17, 30, 10]), NODES, there)
    assert dict(zip(np.flatnonzero(whole), whole[whole != 0], strict=True)) == {
        10: -1, 17: 1, 30: -1,
    }  # fmt: skip
    assert not signed_set(np.zeros(2 * NODES, bool), NODES, there).any()


def test_the_most_frequent_columns_and_of_equals_the_first():
    columns = np.array([1, 1, 0, 1, 1, 1], bool)
    frequency = np.array([0.2, 0.9, 1.0, 0.5, 0.5, 0.5])
    chosen = {
        most: np.flatnonzero(most_frequent(columns, frequency, most)).tolist()
        for most in (0, 1, 2, 3, 5, 9)
    }
    assert chosen == {
        0: [0, 1, 3, 4, 5], 1: [1], 2: [1, 3], 3: [1, 3, 4],
        5: [0, 1, 3, 4, 5], 9: [0, 1, 3, 4, 5],
    }  # fmt: skip
    assert not most_frequent(np.zeros(6, bool), frequency, 2).any()


def test_random_sets_hold_every_node_alike():
    there, rng, draws, size = statistics(), np.random.default_rng(3), 1500, 8
    sets = np.array([random_set(size, there, rng) for _ in range(draws)])
    assert (np.count_nonzero(sets, axis=1) == size).all()
    assert (sets[:, there.sign_D > 0] >= 0).all()
    assert (sets[:, there.sign_D < 0] <= 0).all()
    assert chisquare(np.count_nonzero(sets, axis=0)).pvalue > 0.001


def wide_ground(nodes=400):
    rng = np.random.default_rng(1)
    place = rng.normal(size=(ROWS, nodes)) * rng.permutation(np.geomspace(0.01, 100, nodes))
    return PlaceStatistics(place, POSITIVE)


def test_sets_of_like_variance_are_other_nodes_nearby():
    there, rng = wide_ground(), np.random.default_rng(2)
    rank, log = there.deviation_D.argsort().argsort(), np.log(there.deviation_D)
    members = rng.choice(400, 12, replace=False)
    signed, apart, random_apart = there.signed_nodes(members), [], []
    for _ in range(30):
        like = matched_set(signed, there, rng)
        nodes = np.flatnonzero(like)
        assert nodes.size == 12
        assert not set(nodes) & set(members)
        assert (like[nodes] == there.sign_D[nodes]).all()
        # Partners can cross; in order, each is at most as far away as the reach, and the members
        # and their partners that stand between.
        assert np.abs(np.sort(rank[nodes]) - np.sort(rank[members])).max() <= 8 + 2 * 12
        apart.append(np.abs(np.sort(log[nodes]) - np.sort(log[members])).mean())
        other = np.flatnonzero(random_set(12, there, rng))
        random_apart.append(np.abs(np.sort(log[other]) - np.sort(log[members])).mean())
    assert np.mean(apart) < 0.15 < 0.6 < np.mean(random_apart)


def test_partners_of_one_node_are_within_reach_and_drawn_alike():
    there, rng = wide_ground(), np.random.default_rng(4)
    rank = there.deviation_D.argsort().argsort()
    middle, lowest = rank.tolist().index(200), rank.tolist().index(0)
    drawn = [
        rank[np.flatnonzero(matched_set(there.signed_nodes([middle]), there, rng))[0]] - 200
        for _ in range(800)
    ]
    offsets, counts = np.unique(drawn, return_counts=True)
    assert offsets.tolist() == [*range(-8, 0), *range(1, 9)]  # 2% of 400 to each side
    assert chisquare(counts).pvalue > 0.001
    edge = {
        rank[np.flatnonzero(matched_set(there.signed_nodes([lowest]), there, rng))[0]]
        for _ in range(200)
    }
    assert edge == set(range(1, 9))


@pytest.mark.parametrize("size", [1, 24, 25, 40, 48])
def test_where_nodes_run_out_the_set_itself_fills_up(size):
    there, rng = statistics(), np.random.default_rng(size)
    members = rng.choice(NODES, size, replace=False)
    nodes = np.flatnonzero(matched_set(there.signed_nodes(members), there, rng))
    assert nodes.size == size  # none twice
    others = set(range(NODES)) - set(members)
    assert len(set(nodes) & others) == min(size, len(others))


@pytest.mark.parametrize(("size", "count"), [(1, 1), (8, 1), (9, 2), (24, 3), (48, 6)])
def test_the_heads_that_are_apart_are_whole(size, count):
    place = np.random.default_rng(8).normal(size=(ROWS, NODES))
    strength = np.repeat([0, 5, 0, 9, 7, 0], WIDTH)
    strength[::2] *= -1  # both ways: a mean of signed values would cancel
    there = PlaceStatistics(place + POSITIVE[:, None] * strength, POSITIVE)
    chosen = np.flatnonzero(head_set(size, there, WIDTH).reshape(-1, WIDTH).any(1))
    assert np.count_nonzero(head_set(size, there, WIDTH)) == count * WIDTH
    assert chosen.size == count
    assert set([3, 4, 1][:count]) <= set(chosen)


def test_a_direction_has_the_length_that_was_asked():
    direction = np.array([3.0, -4.0])
    np.testing.assert_allclose(scale_to_norm(direction, 10), [6, -8])
    rng = np.random.default_rng(0)
    drawn = np.array([random_direction(2.5, 3, rng) for _ in range(2000)])
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 2.5)
    # On a sphere in three dimensions every coordinate is uniform.
    counts = np.histogram(drawn[:, 1], 10, (-2.5, 2.5))[0]
    assert chisquare(counts).pvalue > 0.001
    for bad in (np.zeros(2), np.array([1, np.nan]), np.array([1, np.inf])):
        with pytest.raises(personascan.InputError, match="a direction has no length"):
            scale_to_norm(bad, 1.0)


def test_the_ridge_direction_is_that_of_locate_and_tells_other_rows():
    import personascan

    rng = np.random.default_rng(3)
    rows_ND = rng.normal(size=(60, 12)) @ rng.normal(size=(12, 12))
    positive_N = np.arange(60) % 2 == 0
    rows_ND[positive_N, :4] += 1.5
    statistics = PlaceStatistics(rows_ND[:40], positive_N[:40])
    expected = personascan.locate(rows_ND[:40], positive_N[:40], permutations=19).nodes().readout
    np.testing.assert_allclose(statistics.readout_D, expected, rtol=1e-3, atol=1e-5)
    told_N = rows_ND[40:] @ statistics.readout_D
    assert told_N[positive_N[40:]].mean() > told_N[~positive_N[40:]].mean() + told_N.std()
