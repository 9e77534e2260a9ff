"""Which nodes differ: against scipy and plain loops, and the bound on problems of known truth."""

import numpy as np
import pytest
from scipy import stats

import personascan
from personascan.calibration.node_tests import at_least, step_down, template

ROWS, NODES = 40, 30
POSITIVE = np.arange(ROWS) % 2 == 0
PLANTED = 10


def problem(number, strength=0.0):
    """Correlated and heavy-tailed nodes, of which the first may differ."""
    rng = np.random.default_rng([6, number])
    rows_ND = rng.standard_t(4, size=(ROWS, NODES)) + rng.normal(size=(ROWS, 1))
    rows_ND[np.ix_(POSITIVE, np.arange(PLANTED))] += strength
    return rows_ND


@pytest.fixture(scope="module")
def located():
    return personascan.locate({"there": problem(0, 2.0)}, POSITIVE, permutations=199)


@pytest.fixture(scope="module")
def nodes(located):
    return located.nodes()


def test_effects_and_p_are_those_of_student(nodes):
    rows_ND = problem(0, 2.0)
    one, other = rows_ND[POSITIVE], rows_ND[~POSITIVE]
    np.testing.assert_allclose(nodes.p, stats.ttest_ind(one, other).pvalue, rtol=1e-4)
    pooled_D = np.sqrt((one.var(0, ddof=1) + other.var(0, ddof=1)) / 2)
    np.testing.assert_allclose(nodes.effect, (one.mean(0) - other.mean(0)) / pooled_D, rtol=1e-5)
    np.testing.assert_allclose(
        nodes.mean_difference, one.mean(0) - other.mean(0), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_array_equal(nodes.direction[:PLANTED], 1)


def test_step_down_compares_with_the_nodes_that_have_not_passed(located, nodes):
    labels_TN, rows_ND = located.labels.labels_TN, problem(0, 2.0)
    size_TD = np.abs([stats.ttest_ind(rows_ND[one], rows_ND[~one]).statistic for one in labels_TN])
    left, highest, expected_D = list(range(NODES)), 0.0, np.empty(NODES)
    for node in np.argsort(-size_TD[0]):
        reached = (size_TD[:, left].max(1) >= size_TD[0, node] * (1 - 1e-9)).mean()
        highest = max(highest, reached)
        expected_D[node] = highest
        left.remove(node)
    np.testing.assert_allclose(nodes.p_family, expected_D)
    np.testing.assert_allclose(step_down(size_TD), expected_D)


def test_q_is_the_false_share_expected_under_permutation(located, nodes):
    labels_TN, rows_ND = located.labels.labels_TN, problem(0, 2.0)
    size_TD = np.abs([stats.ttest_ind(rows_ND[one], rows_ND[~one]).statistic for one in labels_TN])
    for node in np.argsort(-size_TD[0])[:4]:
        least = min(
            (size_TD >= cut * (1 - 1e-9)).sum(1).mean() / (size_TD[0] >= cut * (1 - 1e-9)).sum()
            for cut in size_TD[0][size_TD[0] <= size_TD[0, node]]
        )
        assert nodes.q[node] == pytest.approx(least)


def test_the_template_holds_in_all_but_five_of_a_hundred_labellings():
    rng = np.random.default_rng(0)
    p_TD = rng.random((8000, NODES))
    t_K = template(p_TD, 0.05)
    broken = (np.sort(p_TD, axis=1) < t_K).any(1).mean()
    assert 0.04 <= broken <= 0.05
    k = np.arange(1, NODES + 1)
    assert (t_K >= 0.025 * k / NODES * 0.8).all()  # Simes' line, which the labellings move little


def test_a_template_of_large_p_alone_finds_nothing():
    """Where labels are spread evenly over what rows share, no p is small under any labelling."""
    rng = np.random.default_rng(1)
    p_TD = 1 - 1e-6 * rng.random((40, 500))
    t_K = template(p_TD, 0.05)
    assert at_least(p_TD[0], t_K) == at_least(p_TD[7], t_K) == 0
    positive_N = np.tile([True, False], 20)
    rows_ND = np.repeat(rng.normal(size=(20, 300)), 2, axis=0) + 1e-3 * rng.normal(size=(40, 300))
    located = personascan.locate(rows_ND, positive_N, within=np.repeat(np.arange(10), 4))
    assert located.p_family[0] > 0.05
    assert located.nodes().at_least() == 0


def test_a_template_of_minute_p_is_made_of_numbers():
    """Rows of few entities: p as small under other labellings, where no inverse has a number."""
    rng = np.random.default_rng(1)
    p_TD = rng.random((20, 576))
    p_TD[:, :40] = 10.0 ** rng.uniform(-40, -20, (20, 40))
    t_K = template(p_TD, 0.05)
    assert np.isfinite(t_K).all()
    assert (np.diff(t_K) >= 0).all()
    assert at_least(p_TD[0], t_K) <= 40
    entity = np.repeat(np.arange(8), 10)
    rows_ND = rng.normal(size=(8, 300))[entity] + 1e-6 * rng.normal(size=(80, 300))
    found = personascan.locate(rows_ND, np.isin(entity, [0, 3, 5, 6]), entities=entity)
    assert found.p_family[0] > 0.05
    assert found.nodes().at_least() == 0


def test_the_bound_counts_what_no_template_explains():
    template_D = np.array([0.01, 0.02, 0.03, 0.04])
    assert at_least(np.array([0.5, 0.6]), template_D) == 0
    assert at_least(np.array([0.001, 0.6, 0.002, 0.003]), template_D) == 3
    assert at_least(np.array([0.015, 0.016, 0.9]), template_D) == 1
    assert at_least(np.array([]), template_D) == 0


def test_the_bound_is_seldom_above_the_truth():
    """Over 150 problems, for the place and for a set chosen after a look; what is there is seen."""
    above, among_rest, found = 0, 0, []
    for number in range(150):
        rows_ND = problem(number, 1.5 if number % 2 else 0.0)
        nodes = personascan.locate(rows_ND, POSITIVE, permutations=99).nodes()
        truth = PLANTED if number % 2 else 0
        rest = np.argsort(nodes.p[PLANTED:])[:5] + PLANTED
        above += nodes.at_least() > truth
        among_rest += nodes.at_least(rest) > 0
        if number % 2:
            found.append(nodes.at_least(np.arange(PLANTED)))
    # 5% of 150 are 7.5; 15 and more have a probability below one in a hundred.
    assert above <= 14
    assert among_rest <= 14
    assert np.mean(found) > 2


def test_the_bound_of_a_set_is_no_more_than_of_a_larger_one(nodes):
    order = np.argsort(nodes.p)
    bounds = [nodes.at_least(order[:size]) for size in range(NODES + 1)]
    assert bounds == sorted(bounds)
    assert bounds[-1] == nodes.at_least()
    assert nodes.at_least(nodes.q <= 1) == nodes.at_least()


def test_the_readout_tells_other_rows():
    train, test = problem(1, 1.0), problem(2, 1.0)
    found = personascan.locate(train, POSITIVE, permutations=19).nodes()
    assert np.linalg.norm(found.readout) == pytest.approx(1)
    score_N = test @ found.readout
    assert stats.mannwhitneyu(score_N[POSITIVE], score_N[~POSITIVE]).pvalue < 0.01
    wide = np.concatenate([train, problem(3)], axis=1)
    z_ND = (wide - wide.mean(0)) / wide.std(0) / np.sqrt(ROWS)
    v_N = np.where(POSITIVE, 1, -1) / np.sqrt(ROWS)
    beta_D = np.linalg.solve(z_ND.T @ z_ND + 0.01 * 60 * np.eye(60), z_ND.T @ v_N) / wide.std(0)
    readout = personascan.locate(wide, POSITIVE, permutations=19).nodes().readout
    np.testing.assert_allclose(readout, beta_D / np.linalg.norm(beta_D), rtol=1e-3, atol=1e-6)


def test_a_set_of_nodes_shows_itself(nodes):
    assert repr(nodes).startswith("Nodes(30 nodes of one place: ")
