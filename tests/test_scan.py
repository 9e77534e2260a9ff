import itertools

import numpy as np
import oracle
import pytest

import personascan
from personascan.scan.scores import SCORES

SCORE_NAMES, TAILS = ["bj", "hc", "ks"], ["right", "left", "two", "signed"]


def planted(seed, rows=12, background=24, nodes=20, shift=1.5, digits=None):
    """Noise with the first third of rows and nodes shifted; `digits` rounds values into ties."""
    rng = np.random.default_rng(seed)
    b, e = rng.normal(size=(background, nodes)), rng.normal(size=(rows, nodes))
    e[: rows // 3, : nodes // 3] += shift
    if digits is not None:
        b, e = b.round(digits), e.round(digits)
    return b.astype(np.float32), e.astype(np.float32)


def oracle_pvalues(background, evaluation, tail):
    return oracle.pvalue_range(background, evaluation, tail)[1]


@pytest.mark.parametrize("name", SCORE_NAMES)
def test_scores_match_the_formulas(name):
    rng = np.random.default_rng(0)
    n = rng.integers(1, 5000, 200)
    n_alpha = rng.integers(0, n + 1)
    n_alpha[:5] = n[:5]
    alpha = rng.uniform(0.001, 0.9, 200)
    expected = [oracle.score(name, *x) for x in zip(n_alpha, n, alpha, strict=True)]
    np.testing.assert_allclose(SCORES[name](n_alpha, n, alpha, xp=np), expected, rtol=1e-12)
    assert SCORES[name](0, 0, 0.1, xp=np) == 0


@pytest.mark.parametrize("name", SCORE_NAMES)
@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("digits", [None, 0])
def test_all_row_sets_as_starts_find_the_best_of_all_subsets(name, tail, digits):
    nodes = 4 if tail == "signed" else 8  # eight columns in either case
    background, evaluation = planted(3, rows=6, background=11, nodes=nodes, digits=digits)
    starts = np.array(list(itertools.product([False, True], repeat=6)))[1:]
    found = personascan.group_scan(background, evaluation, score=name, tail=tail, starts=starts)
    p = oracle_pvalues(background, evaluation, tail)
    alphas = oracle.exact_alphas(p, 0.5)
    assert found.score == pytest.approx(oracle.best_of_all_subsets(p, alphas, name), rel=1e-6)
    # The subset returned has the score returned.
    columns = oracle.columns(found, nodes, tail)
    n_alpha = (p[np.ix_(found.rows, columns)] <= found.alpha + 1e-12).sum()
    size = len(found.rows) * len(columns)
    assert found.score == pytest.approx(oracle.score(name, n_alpha, size, found.alpha), rel=1e-12)


@pytest.mark.parametrize("name", SCORE_NAMES)
@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("digits", [None, 0])
def test_every_start_climbs_as_the_oracle_does(name, tail, digits):
    background, evaluation = planted(5, digits=digits)
    starts = np.random.default_rng(1).random((9, 12)) < 0.5
    found = personascan.group_scan(background, evaluation, score=name, tail=tail, starts=starts)
    p = oracle_pvalues(background, evaluation, tail)
    alphas = oracle.exact_alphas(p, 0.5)
    expected = [oracle.ascend(p, np.flatnonzero(s), alphas, name) for s in starts]
    # Equal steps may break a tie differently and end elsewhere: all but one start must agree.
    same = np.isclose(found.start_scores, [x[0] for x in expected], rtol=1e-6)
    assert same.sum() >= 8
    assert found.score == found.start_scores.max()


@pytest.mark.parametrize("alphas", ["grid", [0.1], [0.04, 0.2, 0.33]])
def test_given_alphas(alphas):
    background, evaluation = planted(7, background=24)
    found = personascan.group_scan(background, evaluation, alphas=alphas, starts=1)
    values = np.linspace(0.01, 0.5, 50) if isinstance(alphas, str) else np.array(alphas)
    p = oracle_pvalues(background, evaluation, "signed")
    expected = oracle.ascend(p, range(len(evaluation)), values, "bj")
    assert found.score == pytest.approx(expected[0], rel=1e-9)
    assert found.alpha == pytest.approx(expected[1])
    np.testing.assert_array_equal(found.rows, expected[2])
    np.testing.assert_array_equal(oracle.columns(found, 20, "signed"), expected[3])


def test_more_starts_never_lower_the_score_and_each_is_reported():
    background, evaluation = planted(11, shift=0.5)
    scans = [personascan.group_scan(background, evaluation, starts=s, seed=4) for s in (1, 2, 30)]
    scores = [s.score for s in scans]
    assert scores == sorted(scores)
    assert [len(s.start_scores) for s in scans] == [1, 2, 30]
    assert scans[0].start_scores[0] == scans[2].start_scores[0]
    assert "of 30 starts" in scans[2].summary()


def test_the_same_seed_gives_the_same_bits():
    background, evaluation = planted(12, shift=0.5)
    first, second, other = (
        personascan.group_scan(background, evaluation, starts=20, seed=s) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.start_scores, second.start_scores)
    assert (first.start_scores[2:] != other.start_scores[2:]).any()


@pytest.mark.parametrize("tail", TAILS)
def test_planted_rows_and_nodes_are_found_in_their_tail(tail):
    background, evaluation = planted(13, rows=30, background=60, nodes=60, shift=4.0)
    if tail == "left":
        evaluation = -evaluation
    found = personascan.group_scan(background, evaluation, tail=tail, starts=10)
    np.testing.assert_array_equal(found.rows, np.arange(10))
    assert set(range(20)) <= set(found.nodes)
    other = {"right": "left", "left": "right"}.get(tail)
    if other:
        missed = personascan.group_scan(background, evaluation, tail=other, starts=10)
        assert missed.score < found.score / 3


def test_groups_hold_the_rows_to_one_label():
    background, evaluation = planted(14, rows=9, nodes=15, shift=2.0)
    labels = np.array(list("aabbabbab"))
    found = personascan.group_scan(background, evaluation, groups=labels, starts=6)
    assert len(set(labels[found.rows])) == 1
    alone = [
        personascan.group_scan(background, evaluation[labels == g], starts=1).score for g in "ab"
    ]
    assert found.score >= max(alone) * (1 - 1e-9)
    whole = personascan.group_scan(background, evaluation, starts=6)
    assert found.score <= whole.score * (1 + 1e-9)


@pytest.mark.parametrize("name", SCORE_NAMES)
@pytest.mark.parametrize("tail", TAILS)
def test_individual_scan_is_exact(name, tail):
    background, evaluation = planted(15, digits=1)
    found = personascan.individual_scan(background, evaluation, score=name, tail=tail)
    p = oracle_pvalues(background, evaluation, tail)
    alphas = oracle.exact_alphas(p, 0.5)
    for row in range(len(evaluation)):
        score, alpha, nodes = oracle.best_for_row(p[row], alphas, name)
        assert found.score[row] == pytest.approx(score, rel=1e-12)
        assert found.alpha[row] == pytest.approx(alpha, nan_ok=True)
        columns = np.r_[found.high(row), 20 + found.low(row)]
        np.testing.assert_array_equal(columns if tail == "signed" else found.nodes(row), nodes)
        assert found.size[row] == len(nodes)


def test_no_significant_node_is_an_empty_subset():
    found = personascan.individual_scan(np.arange(9.0)[:, None], np.full((1, 1), 4.0))
    assert found.score[0] == 0
    assert np.isnan(found.alpha[0])
    assert found.size[0] == len(found.nodes(0)) == 0


def test_smallest_alpha_is_reported():
    background, evaluation = planted(16, background=30, shift=9.0)
    assert personascan.group_scan(background, evaluation, score="hc", starts=4).at_smallest_alpha
    bounded = personascan.group_scan(background, evaluation, score="hc", starts=4, alpha_min=0.15)
    assert bounded.alpha >= 0.15


@pytest.mark.parametrize(
    ("keywords", "least"),
    [
        (dict(alphas=[0.01], tail="two"), "0.06452"),
        (dict(alphas=[0.01, 0.03], tail="right"), "0.03226"),
        (dict(alphas="grid", alpha_max=0.02, tail="left"), "0.03226"),
        (dict(alpha_max=0.05, tail="two"), "0.06452"),
        (dict(alpha_min=0.33, alpha_max=0.35), "0.03226"),
    ],
)
def test_alphas_that_no_p_value_reaches_are_said_with_the_least_that_is(keywords, least):
    background, evaluation = planted(16, background=30, shift=9.0)
    for scan in (personascan.group_scan, personascan.individual_scan):
        found = scan(background, evaluation, **keywords)
        assert not np.any(found.score)
        assert f"smallest attainable is {least}" in found.note
        assert found.summary() == found.note
        assert scan(background, evaluation).note == ""
    pool = np.concatenate([background, evaluation])
    masks = (np.arange(len(pool)) < 30)[None], (np.arange(len(pool)) >= 30)[None]
    runs = personascan.scan_runs(pool, *masks, **keywords)
    assert runs.layer(0).note == runs.summary() == found.note


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (dict(alpha_max=1.0), r"alpha_max = 1.0 is outside \(0, 1\)"),
        (dict(alpha_max=0.0), "outside"),
        (dict(alpha_min=0.6), "exceeds"),
        (dict(alpha_min=-0.1), "outside"),
        (dict(alphas=[0.1, 1.2]), "inside"),
        (dict(alphas=[0.2, 0.1]), "ascending"),
        (dict(alphas=[]), "inside"),
        (dict(alphas="some"), "unknown"),
        (dict(score="kl"), "score 'kl' is unknown"),
        (dict(starts=0), "at least one start"),
        (dict(starts=np.ones((2, 5), bool)), "one column for each row"),
        (dict(starts=np.ones((2, 12))), "bool"),
        (dict(compat=True), 'alphas="grid"'),
        (dict(compat=True, alphas="grid", tail="right"), 'or tail="two"'),
        (dict(groups=[1, 2]), "one label"),
        (dict(groups=3), "sequence of labels"),
        (dict(alphas=[0.7]), "must lie within"),
        (dict(alphas=["a"]), "sequence of numbers"),
        (dict(alpha_max="0.3"), "must be a number"),
        (dict(starts=True), "bool array"),
        (dict(starts=[[True], [True, False]]), "bool array"),
        (dict(starts=np.zeros((2, 12), bool)), "no row that is scanned"),
        (dict(seed=2**32), "whole number from 0"),
        (dict(seed=1.5), "whole number from 0"),
        (dict(score=["bj"]), "is unknown"),
    ],
)
def test_bad_arguments_are_one_clear_line(keywords, message):
    background, evaluation = planted(17)
    with pytest.raises(personascan.InputError, match=message) as caught:
        personascan.group_scan(background, evaluation, **keywords)
    assert "\n" not in str(caught.value)
