"""The node scan against every subset of nodes, and as a statistic of labelled rows."""

import itertools

import numpy as np
import pytest

import personascan
from personascan.scan.node_scan import calibrated_scores, labelled_scores, pooled_p
from personascan.scan.options import ScanOptions


def small(seed, ties=False):
    rng = np.random.default_rng(seed)
    background, evaluation = rng.normal(size=(12, 4)), rng.normal(size=(6, 4))
    evaluation[:, :2] += 1.0
    evaluation[:, 3] *= 2
    return (background.round(0), evaluation.round(0)) if ties else (background, evaluation)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("score", ["bj", "hc", "ks"])
@pytest.mark.parametrize("tail", ["signed", "right", "left", "two"])
def test_no_set_of_nodes_at_any_alpha_scores_higher(score, tail, ties):
    background, evaluation = small(1, ties)
    found = personascan.node_scan(background, evaluation, score=score, tail=tail)
    p_MC = personascan.empirical_pvalues(background, evaluation, tail=tail).p_max
    phi, columns, best = ScanOptions(score=score, tail=tail).phi, p_MC.shape[1], 0.0
    for alpha in np.unique(p_MC[p_MC <= 0.5]):
        for size in range(1, columns + 1):
            for chosen in itertools.combinations(range(columns), size):
                hits = float((p_MC[:, chosen] <= alpha).sum())
                best = max(best, float(phi(hits, float(size * len(p_MC)), alpha, xp=np)))
    assert found.score == pytest.approx(best, rel=1e-12)
    halves = [*found.high, *(4 + found.low)] if tail == "signed" else found.nodes
    count = (p_MC[:, np.asarray(halves, int)] <= found.alpha + 1e-12).sum()
    assert (count, len(halves) * 6) == (found.n_alpha, found.size)
    assert found.score == pytest.approx(
        float(phi(float(found.n_alpha), float(found.size), found.alpha, xp=np))
    )


def test_it_is_the_group_scan_of_all_rows_where_these_are_all_anomalous():
    rng = np.random.default_rng(0)
    background, evaluation = rng.normal(size=(40, 12)), rng.normal(size=(10, 12))
    evaluation[:, :5] += 2.5
    group = personascan.group_scan(background, evaluation, starts=np.ones((1, 10), bool))
    nodes = personascan.node_scan(background, evaluation)
    if len(group.rows) == 10:
        assert nodes.score == pytest.approx(group.score)
    assert set(nodes.high) >= {0, 1, 2, 3, 4}


def test_nothing_scores_where_nothing_is_extreme():
    found = personascan.node_scan(np.arange(20.0)[:, None], np.full((5, 1), 9.5), alpha_max=0.2)
    assert (found.score, found.nodes.size) == (0.0, 0)
    assert np.isnan(found.alpha)


def test_pooled_p_count_every_row_and_take_ties_whole():
    place_ND = np.array([[1.0], [2.0], [2.0], [5.0]])
    np.testing.assert_allclose(pooled_p(place_ND, "right")[:, 0], [1, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(pooled_p(place_ND, "left")[:, 0], [0.25, 0.75, 0.75, 1])
    assert pooled_p(place_ND, "signed").shape == (4, 2)


def test_scores_of_labellings_are_those_of_each_alone():
    rng = np.random.default_rng(2)
    place_ND = rng.normal(size=(20, 5))
    labels_TN = rng.permuted(np.tile(np.arange(20) < 8, (6, 1)), axis=1)
    together_AT = labelled_scores(place_ND, labels_TN)
    for number, labels_N in enumerate(labels_TN):
        alone_A1 = labelled_scores(place_ND, labels_N[None])
        np.testing.assert_array_equal(alone_A1[:, 0], together_AT[:, number])
    assert (calibrated_scores(together_AT) >= 0).all()


def test_spread_in_few_nodes_is_found_by_the_node_scan_and_not_by_means():
    positive_N, hits = np.arange(60) % 2 == 0, dict.fromkeys(("node scan", "nodes", "direction"), 0)
    for problem in range(10):
        pool = np.random.default_rng([3, problem]).normal(size=(2, 60, 20))
        pool[1][np.ix_(positive_N, range(4))] *= 2.5
        found = personascan.locate(pool, positive_N, statistic="node scan", permutations=99)
        for name in hits:
            hits[name] += found.by(name).p_family[1] <= 0.05
    assert hits["node scan"] >= 8
    assert hits["direction"] <= 4


def test_the_node_scan_finds_nothing_where_nothing_is():
    positive_N, below = np.arange(30) % 2 == 0, 0
    for problem in range(80):
        pool = np.random.default_rng([5, problem]).normal(size=(2, 30, 6))
        found = personascan.locate(pool, positive_N, statistic="node scan", permutations=39)
        below += found.p_family.min() <= 0.05
    assert below <= 11  # 4 expected; 11 and more in one of a thousand
