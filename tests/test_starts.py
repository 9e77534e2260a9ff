"""Starts in batches: what they reach, what they say about it, what they depend on."""

import numpy as np
import pytest
from test_scan import stacked

import personascan
from benchmarks.simulate import problem
from personascan.scan.options import ScanOptions

WIDTH = 90  # one width, so that all problems are runs of one pool and share a compilation


def small_problems():
    """Made by chance, after one where a row alone beats every broad set: a pool, and its masks."""
    rng = np.random.default_rng(11)
    kinds = ["null", "correlated", "sparse", "block"] * 2
    parts = [problem(rng, kind, int(rng.integers(20, 40)), WIDTH, 60) for kind in kinds]
    return stacked([loud_row(), *parts])


def loud_row():
    rng = np.random.default_rng(2)
    background, evaluation = rng.normal(size=(100, WIDTH)), rng.normal(size=(30, WIDTH))
    evaluation[:15, :40] += 0.5
    evaluation[20] *= 2.5
    return background, evaluation


@pytest.fixture(scope="module")
def together():
    return personascan.scan_runs(*small_problems(), tail="right")


@pytest.fixture(scope="module")
def alone():
    return personascan.group_scan(*loud_row(), tail="right")


@pytest.mark.slow
def test_small_problems_reach_what_two_hundred_random_starts_do(together):
    problems = small_problems()
    rng = np.random.default_rng(5)
    sets = rng.random((200, len(problems[0]))) < rng.uniform(0.05, 1, (200, 1))
    random = personascan.scan_runs(*problems, starts=sets, tail="right").score
    share = together.score / random
    assert share.mean() >= 0.998
    assert share.min() >= 0.97


@pytest.mark.slow
def test_a_run_does_the_same_alone_and_among_others(together, alone):
    made = ~np.isnan(together.start_scores[0, 0])
    np.testing.assert_allclose(together.start_scores[0, 0, made], alone.start_scores, rtol=1e-12)
    first = np.flatnonzero(together.rows[0, 0]) - 100
    np.testing.assert_array_equal(first, alone.rows)


@pytest.mark.slow
def test_one_row_that_beats_every_broad_set_is_found(alone):
    """Starts of every alpha can agree on a broad subset that one row alone beats."""
    rows = personascan.individual_scan(*loud_row(), tail="right").score
    assert alone.start_scores[0] < rows.max()
    assert alone.score >= rows.max() * (1 - 1e-9)


@pytest.mark.slow
def test_the_summary_names_starts_and_alphas(alone):
    found = alone
    assert not np.isnan(found.start_scores).any()
    assert len(found.start_scores) == len(found.start_alphas) > 10
    assert 1 <= found.alphas_at_best <= found.starts_at_best
    assert f"of {len(found.start_scores)} starts, from {found.alphas_at_best} alphas" in (
        found.summary()
    )


@pytest.mark.parametrize("starts", ["all", 0, True, np.ones((2, 3))])
def test_other_starts_are_refused(starts):
    with pytest.raises(personascan.InputError, match="starts"):
        ScanOptions(starts=starts)
