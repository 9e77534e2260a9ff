"""The published scan's own numbers (tests/golden/README.md)."""

import pathlib

import numpy as np
import pytest

import personascan
from personascan.scan.scores import SCORES

GOLDEN = np.load(pathlib.Path(__file__).parent / "golden/deepscan.npz", allow_pickle=False)
# Two of one shape, which a scan is compiled for; the others after the rest.
SLOW = [pytest.param(case, marks=pytest.mark.slow) for case in ("null", "wide", "round")]
CASES, TAIL = ["gaussian", "ties", "null", "wide", "round"], {"1tail": "left", "2tail": "two"}


@pytest.mark.parametrize("case", ["gaussian", "ties", *SLOW])
@pytest.mark.parametrize("tail", TAIL)
@pytest.mark.parametrize("score", ["bj", "hc"])
def test_group_scores(case, tail, score):
    """The second start adds all nodes to all rows: one scan holds both published results."""
    found = personascan.group_scan(
        GOLDEN[f"{case}/background"],
        GOLDEN[f"{case}/evaluation"],
        score=score,
        tail=TAIL[tail],
        alphas="grid",
        starts=2,
        compat=True,
    )
    for restarts, reached in ((1, found.start_scores[0]), (2, found.score)):
        expected = float(GOLDEN[f"{case}/group_{score}_{tail}_restarts{restarts}/score"])
        assert reached == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("score", ["bj", "hc"])
def test_individual_scores(case, score):
    """The published one-tailed scores are those of its p_max: our ordinary left tail."""
    found = personascan.individual_scan(
        GOLDEN[f"{case}/background"], GOLDEN[f"{case}/evaluation"], score=score, tail="left"
    )
    key = f"{case}/individual_{score}_1tail"
    np.testing.assert_allclose(found.score, GOLDEN[f"{key}/score"], rtol=1e-9)
    np.testing.assert_allclose(found.alpha, GOLDEN[f"{key}/alpha"], rtol=1e-9)


@pytest.mark.parametrize("case", [c for c in CASES if c != "wide"])
def test_pvalue_ranges(case):
    arrays = GOLDEN[f"{case}/background"], GOLDEN[f"{case}/evaluation"]
    left = personascan.empirical_pvalues(*arrays, tail="left", compat=True)
    np.testing.assert_allclose(left.p_max, GOLDEN[f"{case}/pvalues_1tail"][..., 0], atol=1e-12)
    np.testing.assert_allclose(left.p_min, GOLDEN[f"{case}/pvalues_1tail"][..., 1], atol=1e-12)
    two = personascan.empirical_pvalues(*arrays, tail="two")
    np.testing.assert_allclose(two.p_min, GOLDEN[f"{case}/pvalues_2tail"][..., 0], atol=1e-12)
    np.testing.assert_allclose(two.p_max, GOLDEN[f"{case}/pvalues_2tail"][..., 1], atol=1e-12)


@pytest.mark.parametrize("score", ["bj", "hc"])
def test_score_formulas(score):
    found = SCORES[score](*(GOLDEN[f"scores/{x}"] for x in ("n_alpha", "n", "alpha")), xp=np)
    np.testing.assert_allclose(found, GOLDEN[f"scores/{score}"], rtol=1e-9)
