"""Ties counted in part, against the definition and against every subset."""

import itertools

import numpy as np
import oracle
import pytest
from test_scan import planted

import personascan

TAILS = ["right", "left", "two", "signed"]


def share(lo, hi, alpha, tail):
    """The significant share of one p-value range, by its definition as a length."""
    if tail != "two":
        return max(0.0, min(hi, alpha) - lo) / (hi - lo)
    low_end = max(0.0, min(hi, alpha / 2) - lo)
    high_end = max(0.0, hi - max(lo, 1 - alpha / 2))
    return (low_end + high_end) / (hi - lo)


def shares(background, evaluation, alpha, tail):
    lo, hi = oracle.pvalue_range(background, evaluation, "right" if tail == "two" else tail)
    return np.vectorize(lambda a, b: share(a, b, alpha, tail))(lo, hi)


def attained(n, tail):
    step = 2 if tail == "two" else 1
    return [*(k / (n + 1) for k in range(step, n + 1, step) if k / (n + 1) <= 0.5), 0.5]


@pytest.mark.parametrize("name", ["bj", "hc", "ks"])
@pytest.mark.parametrize("tail", TAILS)
def test_all_row_sets_as_starts_find_the_best_of_all_subsets(name, tail):
    nodes = 3 if tail == "signed" else 6
    background, evaluation = planted(3, rows=5, background=11, nodes=nodes, digits=0)
    starts = np.array(list(itertools.product([False, True], repeat=5)))[1:]
    found = personascan.group_scan(
        background, evaluation, score=name, tail=tail, starts=starts, ties="fractional"
    )
    columns = oracle.columns(found, nodes, tail)
    best = 0.0
    for alpha in attained(11, tail):
        share_MD = shares(background, evaluation, alpha, tail)
        for rows in starts:
            for chosen in itertools.product([False, True], repeat=6):
                part = share_MD[np.ix_(rows, np.array(chosen))]
                best = max(best, oracle.score(name, part.sum(), part.size, alpha))
    assert found.score == pytest.approx(best, rel=1e-9)
    part = shares(background, evaluation, found.alpha, tail)[np.ix_(found.rows, columns)]
    assert found.score == pytest.approx(oracle.score(name, part.sum(), part.size, found.alpha))
    if tail in ("right", "left"):
        assert set(found.tails) == {tail}


def test_without_ties_a_one_sided_exact_scan_loses_only_the_last_step():
    """Whole p-values test p_max, so that at an attained alpha both count the same elements."""
    background, evaluation = planted(4, shift=2.0)
    whole = personascan.group_scan(background, evaluation, tail="right", starts=1)
    part = personascan.group_scan(
        background, evaluation, tail="right", starts=1, ties="fractional", alphas=[whole.alpha]
    )
    fixed = personascan.group_scan(
        background, evaluation, tail="right", starts=1, alphas=[whole.alpha]
    )
    assert part.score == pytest.approx(fixed.score, rel=1e-9)


def test_groups_conditions_and_runs():
    background, evaluation = planted(5, rows=9, background=25, nodes=8, digits=0, shift=2.0)
    labels = list("aabbabbab")
    found = personascan.group_scan(
        background, evaluation, groups=labels, ties="fractional", starts=4
    )
    assert len({labels[row] for row in found.rows}) == 1
    conditional = personascan.group_scan(
        background, evaluation, background_groups=(list("abbab" * 5), labels), ties="fractional"
    )
    assert conditional.score > 0
    again = personascan.group_scan(
        background, evaluation, groups=labels, ties="fractional", starts=4
    )
    np.testing.assert_array_equal(again.start_scores, found.start_scores)
    with pytest.raises(personascan.InputError, match="fractional"):
        personascan.group_scan(background, evaluation, ties="half")
    with pytest.raises(personascan.InputError, match="compat tests whole"):
        personascan.group_scan(
            background, evaluation, ties="fractional", compat=True, alphas="grid"
        )
