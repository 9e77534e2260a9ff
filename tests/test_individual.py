"""Individual scans in blocks: the same ranks, sizes and scores whatever the shape and the ties."""

import numpy as np
import pytest

import personascan
from personascan.scan import counts, individual, memory
from personascan.scan.alphas import floor_count


def relu_problem(background, rows, nodes, kind=np.float32):
    rng = np.random.default_rng(background + nodes)
    values = np.maximum(rng.normal(size=(background + rows, nodes)) - 0.4, 0).astype(kind)
    values[background:, : nodes // 5] += 1
    return values[:background], values[background:]


def direct(background, evaluation, alphas, tail):
    """(score, size, alpha) of every row, by the definition of Berk-Jones."""
    p = personascan.empirical_pvalues(background, evaluation, tail=tail).p_max
    n = len(background)
    counts = np.rint(p * (n + 1)).astype(int)
    sizes = np.stack([(counts <= floor_count(a, n)).sum(1) for a in alphas], 1)
    scores = sizes * np.log(1 / alphas)
    best = scores.argmax(1)
    rows = np.arange(len(best))
    return scores[rows, best], sizes[rows, best], alphas[best]


@pytest.mark.parametrize("tail", ["signed", "right", "left", "two"])
@pytest.mark.parametrize("background", [1, 62, 63, 64, 127, 300])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_scores_are_the_definition_with_many_ties(tail, background, kind):
    both = relu_problem(background, 9, 70, kind)
    alphas = np.array([0.05, 0.1, 0.3, 0.5, 0.9])
    found = personascan.individual_scan(*both, tail=tail, alphas=alphas, alpha_max=0.9)
    score, size, alpha = direct(*both, alphas, tail)
    some = score > 0
    np.testing.assert_allclose(found.score, score, rtol=1e-12)
    np.testing.assert_array_equal(found.size, np.where(some, size, 0))
    np.testing.assert_array_equal(found.alpha[some], alpha[some])
    if tail != "signed":
        assert [len(found.row(row).nodes) for row in range(9)] == found.size.tolist()


def test_blocks_of_any_width_give_the_same(monkeypatch):
    both = relu_problem(40, 130, 100)
    whole = personascan.individual_scan(*both)
    p_values = personascan.empirical_pvalues(*both, tail="signed")
    monkeypatch.setattr(counts, "CELLS_AT_ONCE", 1)
    monkeypatch.setattr(memory, "SCORES_AT_ONCE", 1)
    assert counts.block_width(100, 170) == 16
    parts = personascan.individual_scan(*both)
    for name in ("score", "alpha", "size", "high_rank_ND", "low_rank_ND", "best_rank_N"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    np.testing.assert_array_equal(
        personascan.empirical_pvalues(*both, tail="signed").p_max, p_values.p_max
    )


def test_rows_count_both_tails_where_a_node_is_significant_in_both():
    values = np.arange(9.0)[:, None]
    found = personascan.individual_scan(values, np.full((1, 1), 4.0), alphas=[0.7], alpha_max=0.9)
    assert found.size.tolist() == [2]


def test_what_does_not_fit_is_refused_before_work(monkeypatch):
    monkeypatch.setattr("personascan.memory.free_bytes", lambda: 2**20)
    monkeypatch.setattr(individual, "both_ranks", None)
    with pytest.raises(personascan.InputError, match="scan fewer rows or nodes at a time"):
        personascan.individual_scan(*relu_problem(5, 3, 20))
