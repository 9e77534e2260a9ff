import numpy as np
import oracle
import pytest

import personascan
from personascan.scan.alphas import floor_count
from personascan.scan.options import ScanOptions
from personascan.scan.ranks import rank_tables


def problem(seed, rows=9, background=13, nodes=7, ties=False):
    rng = np.random.default_rng(seed)
    b, e = rng.normal(size=(background, nodes)), rng.normal(size=(rows, nodes)) + 0.3
    if ties:
        b, e = b.round(0), e.round(0)
    return b.astype(np.float32), e.astype(np.float32)


@pytest.mark.parametrize("tail", ["right", "left", "two"])
@pytest.mark.parametrize("ties", [False, True])
def test_range_is_the_definition(tail, ties):
    background, evaluation = problem(1, ties=ties)
    found = personascan.empirical_pvalues(background, evaluation, tail=tail)
    p_min, p_max = oracle.pvalue_range(background, evaluation, tail)
    np.testing.assert_allclose(found.p_min, p_min, rtol=0, atol=1e-15)
    np.testing.assert_allclose(found.p_max, p_max, rtol=0, atol=1e-15)


def test_a_constant_node_and_a_one_row_background_are_never_significant():
    found = personascan.empirical_pvalues(np.zeros((1, 2)), np.zeros((3, 2)))
    np.testing.assert_array_equal(found.p_max, 1.0)
    scan = personascan.group_scan(np.zeros((1, 2)), np.zeros((3, 2)), starts=3)
    assert scan.score == 0
    assert len(scan.rows) == len(scan.nodes) == 0
    assert np.isnan(scan.alpha)


def test_p_max_is_valid_under_exchangeability():
    rng = np.random.default_rng(0)
    p = personascan.empirical_pvalues(rng.normal(size=(19, 4000)), rng.normal(size=(1, 4000))).p_max
    for alpha in (0.1, 0.2, 0.5):
        # Exact level: 4000 independent nodes, three binomial deviations.
        assert abs((p <= alpha + 1e-12).mean() - alpha) < 3 * np.sqrt(alpha * (1 - alpha) / 4000)


def test_floor_rank_survives_rounded_alphas():
    for n in (49, 99, 250):
        k = np.arange(1, n + 1)
        np.testing.assert_array_equal(floor_count(k / (n + 1), n), k)
    grid = np.linspace(0.01, 0.5, 50)
    np.testing.assert_array_equal(floor_count(grid, 99), np.arange(1, 51))


@pytest.mark.parametrize(
    ("tail", "expected"), [("right", 10), ("left", 10), ("signed", 10), ("two", 5)]
)
def test_exact_alphas_are_the_attainable_ones(tail, expected):
    alphas = rank_tables(np.array([19]), ScanOptions(tail=tail)).alphas_RA[0]
    assert len(alphas) == expected
    background, evaluation = problem(2, background=19, rows=200)
    p = personascan.empirical_pvalues(background, evaluation, tail=tail).p_max
    np.testing.assert_allclose(alphas, np.unique(p[p <= 0.5]))
    bounded = rank_tables(np.array([19]), ScanOptions(tail=tail, alpha_min=0.2))
    np.testing.assert_allclose(bounded.alphas_RA[0].min(), 0.2)


def test_other_float_types_are_taken():
    background, evaluation = problem(3, ties=True)
    expected = personascan.empirical_pvalues(background, evaluation).p_max
    for dtype in (np.float64, np.float16, int):
        found = personascan.empirical_pvalues(background.astype(dtype), evaluation.astype(dtype))
        np.testing.assert_array_equal(found.p_max, expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_values_are_named_by_place(bad):
    background, evaluation = problem(4)
    evaluation[5, 3] = bad
    with pytest.raises(personascan.InputError, match=r"evaluation .* row 5, node 3"):
        personascan.empirical_pvalues(background, evaluation)


def test_bad_shapes_are_refused():
    background, evaluation = problem(5)
    with pytest.raises(personascan.InputError, match="7 nodes but evaluation has 6"):
        personascan.empirical_pvalues(background, evaluation[:, :6])
    with pytest.raises(personascan.InputError, match=r"must be \[rows, nodes\]"):
        personascan.empirical_pvalues(background[0], evaluation)
    with pytest.raises(personascan.InputError, match="empty"):
        personascan.empirical_pvalues(background[:0], evaluation)
    with pytest.raises(personascan.InputError, match="real numbers"):
        personascan.empirical_pvalues(background.astype(str), evaluation)
    for odd in (
        np.ma.masked_array(background, background > 0),
        [[1.0], [1.0, 2.0]],
        np.zeros(3, [("a", "f4")]),
        np.zeros((3, 2), "V2"),
        background.astype(complex),
    ):
        with pytest.raises(personascan.InputError, match="background"):
            personascan.empirical_pvalues(odd, evaluation)
    with pytest.raises(personascan.InputError, match="tail 'both'"):
        personascan.empirical_pvalues(background, evaluation, tail="both")
