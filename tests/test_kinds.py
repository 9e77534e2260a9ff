"""Rows of one side in the order of their first component on found nodes."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from personascan.analysis.kinds import kinds

ROWS, NODES = 80, 60


def two_kinds(seed: int, apart: float):
    """Rows of one side, of two kinds that differ in half of the found nodes."""
    rng = np.random.default_rng(seed)
    kind_N = rng.permutation(np.arange(ROWS) < ROWS // 2)
    rows_ND = rng.normal(size=(ROWS, NODES))
    rows_ND[np.ix_(kind_N, np.arange(20))] += apart
    return rows_ND, kind_N


def halves():
    return np.arange(0, ROWS, 2), np.arange(1, ROWS, 2)


def test_two_kinds_are_told_from_one_another_by_the_component_of_other_rows():
    rows_ND, kind_N = two_kinds(0, 3.0)
    one, other = halves()
    found = kinds(rows_ND, np.arange(40), one, other, other)
    auroc = roc_auc_score(kind_N[other], found.score_N)
    assert max(auroc, 1 - auroc) == 1.0
    assert found.agreement > 0.9
    assert found.share > 0.2


def test_of_one_kind_other_rows_give_another_order():
    agreements = []
    for seed in range(30):
        rows_ND, _ = two_kinds(seed, 0.0)
        one, other = halves()
        agreements.append(kinds(rows_ND, np.arange(40), one, other, other).agreement)
    assert np.mean(agreements) < 0.35


def test_the_order_does_not_hang_on_units_and_nodes_that_were_not_found():
    rows_ND, _ = two_kinds(1, 2.0)
    one, other = halves()
    found = kinds(rows_ND, np.arange(30), one, other, other)
    moved_ND = 5.0 + rows_ND * np.random.default_rng(0).uniform(0.1, 9, NODES)
    moved_ND[:, 30:] = 0
    again = kinds(moved_ND, np.arange(NODES) < 30, one, other, other)
    assert again.score_N == pytest.approx(found.score_N)
    assert (again.share, again.agreement) == pytest.approx((found.share, found.agreement))


@pytest.mark.parametrize(("nodes", "fit"), [([3], 40), ([], 40), (range(9), 2)])
def test_too_few_nodes_or_rows_have_no_kinds(nodes, fit):
    rows_ND, _ = two_kinds(2, 2.0)
    one, other = halves()
    found = kinds(rows_ND, np.array(list(nodes), int), one[:fit], other, other)
    assert np.isnan([found.share, found.agreement, *found.score_N]).all()


def test_constant_rows_have_no_kinds():
    one, other = halves()
    found = kinds(np.ones((ROWS, NODES)), np.arange(9), one, other, other)
    assert np.isnan([found.share, found.agreement]).all()
