import functools
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


# One scan for each score and tail: the runs below, whose starts are all row sets of the tiny ones.
TINY, TIED, NOISY, NOISY_TIED, FAR, FAR_DOWN = range(6)
FEW, ROWS, NODES = 6, 12, 20
EVERY_SET = np.array(list(itertools.product([False, True], repeat=FEW)))[1:]
SOME_SETS = np.resize(np.random.default_rng(1).random((9, ROWS)) < 0.5, (len(EVERY_SET), ROWS))
AT_ONCE = [("bj", "right"), ("bj", "left"), ("hc", "two"), ("ks", "signed")]
GRID = [
    pytest.param(*pair, marks=[] if pair in AT_ONCE else pytest.mark.slow)
    for pair in itertools.product(SCORE_NAMES, TAILS)
]


def stacked(problems):
    """One pool of problems of one width, and the masks of their runs."""
    parts = [part for problem in problems for part in problem]
    number = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    background, evaluation = (
        number == 2 * np.arange(len(problems))[:, None] + side for side in (0, 1)
    )
    return np.concatenate(parts), background, evaluation


def grid_problems(tail):
    """Of the tiny ones all but eight columns of p-values are constant."""
    nodes = 4 if tail == "signed" else 8
    tiny = [planted(3, rows=FEW, background=11, nodes=nodes, digits=d) for d in (None, 0)]
    tiny = [[np.pad(part, ((0, 0), (0, NODES - nodes))) for part in both] for both in tiny]
    far = planted(13, shift=9.0)
    return [*tiny, planted(5), planted(5, digits=0), far, [-part for part in far]]


@functools.cache
def scanned(name, tail):
    problems = grid_problems(tail)
    pool, *masks = stacked(problems)
    tries = [EVERY_SET if len(rows) == FEW else SOME_SETS for _, rows in problems]
    starts = np.zeros((len(EVERY_SET), len(pool)), bool)
    for evaluated, sets in zip(masks[1], tries, strict=True):
        starts[:, evaluated] = sets
    return personascan.scan_runs(pool, *masks, score=name, tail=tail, starts=starts), masks[1]


def subset(name, tail, run):
    """(score, alpha, rows, columns of the p-values) that one run of the grid returned."""
    found, evaluated = scanned(name, tail)
    high, low = (np.flatnonzero(side[0, run]) for side in (found.high_LRD, found.low_LRD))
    columns = np.r_[high, NODES + low] if tail == "signed" else np.union1d(high, low)
    rows = np.flatnonzero(found.rows[0, run, evaluated[run]])
    return found.score[0, run], found.alpha[0, run], rows, columns


@pytest.mark.parametrize(("name", "tail"), GRID)
@pytest.mark.parametrize("run", [TINY, TIED])
def test_all_row_sets_as_starts_find_the_best_of_all_subsets(name, tail, run):
    p = oracle_pvalues(*grid_problems(tail)[run], tail)
    score, alpha, rows, columns = subset(name, tail, run)
    some = np.flatnonzero((p < 1).any(0))
    alphas = oracle.exact_alphas(p, 0.5)
    assert score == pytest.approx(oracle.best_of_all_subsets(p[:, some], alphas, name), rel=1e-6)
    # The subset returned has the score returned.
    n_alpha = (p[np.ix_(rows, columns)] <= alpha + 1e-12).sum()
    size = len(rows) * len(columns)
    assert score == pytest.approx(oracle.score(name, n_alpha, size, alpha), rel=1e-12)


@pytest.mark.parametrize(("name", "tail"), GRID)
@pytest.mark.parametrize("run", [NOISY, NOISY_TIED])
def test_every_start_climbs_as_the_oracle_does(name, tail, run):
    starts, scores = SOME_SETS[:9], scanned(name, tail)[0].start_scores[0, run]
    p = oracle_pvalues(*grid_problems(tail)[run], tail)
    alphas = oracle.exact_alphas(p, 0.5)
    expected = [oracle.ascend(p, np.flatnonzero(s), alphas, name) for s in starts]
    # Equal steps may break a tie differently and end elsewhere: all but one start must agree.
    same = np.isclose(scores[:9], [x[0] for x in expected], rtol=1e-6)
    assert same.sum() >= 8
    assert subset(name, tail, run)[0] == scores.max()


@pytest.mark.parametrize(("name", "tail"), GRID)
def test_planted_rows_and_nodes_are_found_in_their_tail(name, tail):
    there, elsewhere = (FAR_DOWN, FAR) if tail == "left" else (FAR, FAR_DOWN)
    score, _, rows, columns = subset(name, tail, there)
    np.testing.assert_array_equal(rows, np.arange(ROWS // 3))
    assert set(range(NODES // 3)) <= set(columns)
    if name == "bj" and tail in ("left", "right"):
        assert subset(name, tail, elsewhere)[0] < score / 3


@pytest.mark.parametrize(
    "alphas", ["grid", [0.1], pytest.param([0.04, 0.2, 0.33], marks=pytest.mark.slow)]
)
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


@pytest.fixture(scope="module")
def thirty():
    return personascan.group_scan(*planted(11, shift=0.5), starts=30, seed=4)


def test_more_starts_never_lower_the_score_and_each_is_reported(thirty):
    one = personascan.group_scan(*planted(11, shift=0.5), starts=1, seed=4)
    assert one.score <= thirty.score
    assert [len(scan.start_scores) for scan in (one, thirty)] == [1, 30]
    assert one.start_scores[0] == thirty.start_scores[0]
    assert "of 30 starts" in thirty.summary()


def test_the_same_seed_gives_the_same_bits(thirty):
    second, other = (
        personascan.group_scan(*planted(11, shift=0.5), starts=30, seed=s) for s in (4, 2)
    )
    np.testing.assert_array_equal(thirty.start_scores, second.start_scores)
    np.testing.assert_array_equal(thirty.start_scores[:2], other.start_scores[:2])
    assert (thirty.start_scores[2:] != other.start_scores[2:]).any()


def test_groups_hold_the_rows_to_one_label(thirty):
    background, evaluation = planted(14, shift=2.0)
    labels = np.array(list("aabbabbabaab"))
    found = personascan.group_scan(background, evaluation, groups=labels, starts=2)
    assert len(set(labels[found.rows])) == 1
    pool = np.concatenate([background, evaluation])
    label_N = np.r_[[""] * len(background), labels]
    masks = [np.stack([label_N == g for g in pair]) for pair in (("", ""), "ab")]
    alone = personascan.scan_runs(pool, *masks, starts=2)
    assert found.score == alone.score.max()
    whole = personascan.group_scan(background, evaluation, starts=30)
    assert len(whole.start_scores) == len(thirty.start_scores)  # one compilation
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
        best = found.row(row)
        columns = np.r_[best.high, 20 + best.low]
        np.testing.assert_array_equal(columns if tail == "signed" else best.nodes, nodes)
        assert (best.score, best.size) == (found.score[row], found.size[row])
        assert found.size[row] == len(nodes)


def test_no_significant_node_is_an_empty_subset():
    found = personascan.individual_scan(np.arange(9.0)[:, None], np.full((1, 1), 4.0))
    assert found.score[0] == 0
    assert np.isnan(found.alpha[0])
    assert found.size[0] == len(found.row(0).nodes) == 0


def test_smallest_alpha_is_reported():
    assert scanned("hc", "two")[0].at_smallest_alpha[0, FAR]
    problem = grid_problems("two")[FAR]
    bounded = personascan.group_scan(*problem, score="hc", starts=1, alpha_min=0.15)
    assert bounded.alpha >= 0.15


@pytest.mark.parametrize(
    ("keywords", "least"),
    [
        (dict(alphas=[0.01], tail="two"), "0.08"),
        pytest.param(dict(alphas=[0.01, 0.03], tail="right"), "0.04", marks=pytest.mark.slow),
        pytest.param(
            dict(alphas="grid", alpha_max=0.02, tail="left"), "0.04", marks=pytest.mark.slow
        ),
        (dict(alpha_max=0.05, tail="two"), "0.08"),
        (dict(alpha_min=0.33, alpha_max=0.35), "0.04"),
    ],
)
def test_alphas_that_no_p_value_reaches_are_said_with_the_least_that_is(keywords, least):
    background, evaluation = planted(16, shift=9.0)
    group_scan = functools.partial(personascan.group_scan, starts=1)
    for scan in (group_scan, personascan.individual_scan):
        found = scan(background, evaluation, **keywords)
        assert not np.any(found.score)
        assert f"smallest attainable is {least} " in found.note
        assert found.summary() == found.note
        assert scan(background, evaluation).note == ""
    pool = np.concatenate([background, evaluation])
    masks = (np.arange(len(pool)) < 24)[None], (np.arange(len(pool)) >= 24)[None]
    runs = personascan.scan_runs(pool, *masks, starts=1, **keywords)
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
