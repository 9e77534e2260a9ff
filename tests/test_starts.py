"""Starts in batches: what they reach, what they say about it, what they depend on."""

import numpy as np
import pytest
from test_scan import planted

import personascan
from personascan.benchmarks.simulate import problem
from personascan.scan.options import ScanOptions

WIDTH = 90  # one width, so that all problems are runs of one pool and share a compilation


def small_problems(kinds, seed=11):
    """A pool, and the masks of runs that each have their own background and rows."""
    rng = np.random.default_rng(seed)
    parts = [problem(rng, kind, int(rng.integers(20, 40)), WIDTH, 60) for kind in kinds]
    sizes = [(len(background), len(evaluation)) for background, evaluation in parts]
    ends = np.cumsum(np.ravel(sizes))
    masks = np.zeros((2, len(kinds), ends[-1]), bool)
    for run in range(len(kinds)):
        first = ends[2 * run - 1] if run else 0
        masks[0, run, first : ends[2 * run]] = True
        masks[1, run, ends[2 * run] : ends[2 * run + 1]] = True
    return np.concatenate([part for pair in parts for part in pair]), *masks


def test_small_problems_reach_what_two_hundred_random_starts_do():
    problems = small_problems(["null", "correlated", "sparse", "block"] * 2)
    rng = np.random.default_rng(5)
    sets = rng.random((200, len(problems[0]))) < rng.uniform(0.05, 1, (200, 1))
    random = personascan.scan_runs(*problems, starts=sets, tail="right").score
    ours = personascan.scan_runs(*problems, tail="right")
    share = ours.score / random
    assert share.mean() >= 0.998
    assert share.min() >= 0.97


def test_a_run_does_the_same_alone_and_among_others():
    pool, background, evaluation = small_problems(["sparse", "null", "dense"])
    together = personascan.scan_runs(pool, background, evaluation, seed=4)
    alone = personascan.scan_runs(pool, background[:1], evaluation[:1], seed=4)
    made = ~np.isnan(together.start_scores[0, 0])
    np.testing.assert_allclose(
        together.start_scores[0, 0, made],
        alone.start_scores[0, 0, ~np.isnan(alone.start_scores[0, 0])],
        rtol=1e-12,
    )
    np.testing.assert_array_equal(together.rows[0, 0], alone.rows[0, 0])


def test_one_row_that_beats_every_broad_set_is_found():
    """Starts of every alpha can agree on a broad subset that one row alone beats."""
    rng = np.random.default_rng(2)
    background, evaluation = rng.normal(size=(100, 400)), rng.normal(size=(30, 400))
    evaluation[:15, :40] += 0.5
    evaluation[20] *= 2.5
    found = personascan.group_scan(background, evaluation)
    alone = personascan.individual_scan(background, evaluation)
    assert found.score >= alone.score.max() * (1 - 1e-9)


def test_the_summary_names_starts_and_alphas():
    found = personascan.group_scan(*planted(3))
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
