"""Properties of the group scan from deterministic starts, on problems that hypothesis makes up."""

import itertools

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import oracle
import pytest
from hypothesis import given, settings

import personascan

ROWS, NODES, BACKGROUND = 6, 10, 12  # one shape, so that one compilation serves every example
few = settings(max_examples=12, deadline=None, derandomize=True, database=None)
values = st.integers(-6, 6)  # with ties


def matrix(rows, nodes):
    return hnp.arrays(np.float32, (rows, nodes), elements=values.map(float))


problems = st.tuples(matrix(BACKGROUND, NODES), matrix(ROWS, NODES))
scores = st.sampled_from(["bj", "hc", "ks"])


def scan(background, evaluation, score="bj", tail="two", **keywords):
    return personascan.group_scan(
        background, evaluation, score=score, tail=tail, starts=2, **keywords
    )


@few
@given(problems, scores, st.randoms(use_true_random=False))
def test_permuting_rows_and_nodes_permutes_the_answer(problem, score, random):
    background, evaluation = problem
    rows, nodes = np.arange(ROWS), np.arange(NODES)
    random.shuffle(rows)
    random.shuffle(nodes)
    found = scan(background, evaluation, score)
    moved = scan(background[:, nodes], evaluation[rows][:, nodes], score)
    assert moved.score == found.score
    np.testing.assert_array_equal(np.sort(rows[moved.rows]), found.rows)
    np.testing.assert_array_equal(np.sort(nodes[moved.nodes]), found.nodes)


@few
@given(problems, scores, st.integers(0, NODES - 1))
def test_an_increasing_transform_of_a_node_changes_nothing(problem, score, node):
    background, evaluation = (part.copy() for part in problem)
    found = scan(background, evaluation, score)
    for part in (background, evaluation):
        part[:, node] = part[:, node] ** 3 * 2 + part[:, node]  # whole numbers: exact in float32
    changed = scan(background, evaluation, score)
    assert changed.score == found.score
    np.testing.assert_array_equal(changed.rows, found.rows)
    np.testing.assert_array_equal(changed.nodes, found.nodes)


@few
@given(problems)
def test_duplicating_every_node_doubles_the_score(problem):
    found = scan(*problem)
    twice = scan(*(np.concatenate([part, part], axis=1) for part in problem))
    assert twice.score == pytest.approx(2 * found.score, rel=1e-12)
    np.testing.assert_array_equal(twice.rows, found.rows)


@pytest.mark.slow
@few
@given(problems, st.sampled_from(["right", "left", "two"]))
def test_a_node_beyond_alpha_max_in_every_row_is_never_returned(problem, tail):
    found = scan(*problem, "hc", tail, alpha_max=0.3)
    p = oracle.pvalue_range(*problem, tail)[1]
    assert not set(found.nodes) & set(np.flatnonzero((p > 0.3 + 1e-12).all(0)))


@few
@given(problems, scores)
def test_the_subset_returned_is_a_maximum_of_both_steps(problem, score):
    """What the ascent ends with cannot be raised: its float64 score never fell below a step's."""
    found = scan(*problem, score)
    if not found.score:
        return
    p = oracle.pvalue_range(*problem, "two")[1]
    alphas = oracle.exact_alphas(p, 0.5)
    significant = [p <= a + 1e-12 for a in alphas]
    by_nodes = oracle.node_step(significant, found.rows, alphas, score)[0]
    by_rows = oracle.row_step(significant, found.nodes, alphas, score)[0]
    assert found.score >= max(by_nodes, by_rows) * (1 - 1e-6)


@few
@given(problems, hnp.arrays(bool, ROWS))
def test_the_score_never_falls_along_the_ascent(problem, rows):
    rows[0] = True
    found = personascan.group_scan(*problem, score="ks", tail="two", starts=rows[None])
    p = oracle.pvalue_range(*problem, "two")[1]
    alphas = oracle.exact_alphas(p, 0.5)
    path = [x[0] for x in oracle.path(p, np.flatnonzero(rows), alphas, "ks")]
    assert all(after >= before for before, after in itertools.pairwise(path))
    assert found.score >= path[0] * (1 - 1e-6)
