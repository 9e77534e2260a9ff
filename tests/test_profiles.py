from types import SimpleNamespace

import numpy as np
import pytest

from personascan.analysis.profiles import Profile, last_third
from personascan.places import Place, depths, lines_of
from personascan.report.sections.separation import best_line
from personascan.study.frames import TABLES
from personascan.study.stages.profile import table_rows as profile_rows

POSITIVE = np.arange(200) % 2 == 0
DEPTHS = np.linspace(0, 1, 10)


def scores(shift_P, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(len(shift_P), 200)) + np.outer(shift_P, POSITIVE)


def test_signal_at_the_end_lies_in_the_last_third():
    late = last_third(scores([0] * 7 + [2] * 3), POSITIVE, DEPTHS, resamples=200, seed=0)
    assert late.even == 0.4
    assert late.share > 0.8
    assert late.low <= late.share <= late.high
    assert late.late
    early = last_third(scores([2] * 3 + [0] * 7), POSITIVE, DEPTHS, resamples=200, seed=0)
    assert early.high < 0.4
    assert not early.late


def test_the_share_is_that_of_the_aurocs():
    from sklearn.metrics import roc_auc_score

    score_PN = scores(np.linspace(0.2, 1.5, 10), seed=3)
    found = last_third(score_PN, POSITIVE, DEPTHS, resamples=50, seed=1)
    signal = np.array([max(0, 2 * roc_auc_score(POSITIVE, s) - 1) for s in score_PN])
    assert found.share == pytest.approx(signal[DEPTHS >= 2 / 3].sum() / signal.sum())


def test_an_even_spread_is_covered_by_its_interval():
    """In about 95% of problems: 40 of them, none of binomial chances below 1%."""
    covered = [
        p.low <= 0.4 <= p.high
        for seed in range(40)
        for p in [last_third(scores([1.0] * 10, seed), POSITIVE, DEPTHS, resamples=200, seed=seed)]
    ]
    assert sum(covered) >= 33


def test_rows_without_a_score_and_lines_without_signal():
    score_PN = scores([1.0] * 10)
    score_PN[:, 7] = np.nan
    kept = np.arange(200) != 7
    whole = last_third(score_PN[:, kept], POSITIVE[kept], DEPTHS, resamples=50, seed=0)
    assert last_third(score_PN, POSITIVE, DEPTHS, resamples=50, seed=0) == whole
    constant = last_third(np.zeros((10, 200)), POSITIVE, DEPTHS, resamples=50, seed=0)
    assert np.isnan(constant.share)
    assert not constant.late


def test_lines_and_depths():
    places = [Place(s, i, "last") for s in ("resid_post", "attn_out") for i in range(3)]
    places += [Place("final_norm", 0, "last")]
    lines = lines_of(places)
    assert list(lines) == [("resid_post", "last"), ("attn_out", "last")]
    assert [p.name for p in lines["resid_post", "last"]][-1] == "final_norm"
    found = depths(places, 3)
    assert [found[p] for p in lines["resid_post", "last"]] == [0, 0.5, 1, 1]
    named = [Place(f"conv{i}", i, "", "network") for i in range(3)]
    alone = Place("error", 0, "", "reconstruction")
    assert depths([*named, alone], 4) == dict(zip([*named, alone], [0, 0.5, 1, 1], strict=True))


def test_a_line_without_a_probe_has_no_best_one():
    """NaN where a comparison is constant, in one place or in all, and never 0."""
    places = [Place("resid_post", i, "last") for i in range(3)]
    aurocs = {"some": [np.nan, 0.4, 0.3], "none": [np.nan] * 3}
    part = SimpleNamespace(
        places=places, calibrations={},
        profiles={n: {("resid_post", "last"): Profile(*[np.nan] * 4)} for n in aurocs},
        separation={
            n: {q: SimpleNamespace(mean={"probe_auroc": own[q.layer]}) for q in places}
            for n, own in aurocs.items()
        },
    )  # fmt: skip
    header = TABLES["profiles"].columns
    some, none = (dict(zip(header, row, strict=True)) for row in profile_rows(part))
    assert (some["best_probe"], some["probe_auroc"]) == (places[1].name, 0.4)
    assert none["best_probe"] == ""
    assert np.isnan(none["probe_auroc"])
    assert best_line(part)[0] == ("resid_post", "last")
