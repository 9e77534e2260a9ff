"""Rows in pairs: drawn whole, exchanged inside, kept together in halves, folds and resamples."""

import numpy as np
import pytest

import personascan
from personascan.analysis.claims import bootstrap_aurocs, compare_aurocs, sizes
from personascan.analysis.crossfit import can_hold_out, crossfit_place, folds_of
from personascan.calibration.label_exchange import comparison_exchange
from personascan.sources.arrays import open_rows
from personascan.sources.base import Row
from personascan.study.comparisons import Comparison, LeftOut, draw_pool
from personascan.study.portions import HALVES, portion_rows
from personascan.study.stages import where

OWN = Comparison(2, "p", (("p", "positive"),), (("p", "negative"),))
PAIRS = 24


def paired(count=PAIRS, each=1):
    """Both sides of so many pairs, with as many rows each, in no order."""
    rows = [
        Row(f"{pair}-{side}-{k}", side, pair=f"question {pair}")
        for pair in range(count)
        for side in (True, False)
        for k in range(each)
    ]
    return {"p": [rows[i] for i in np.random.default_rng(0).permutation(len(rows))]}


def questions(seed: int, shift: float, nodes=8):
    """Rows that differ by their question first and by their side a little."""
    groups = paired()
    rng = np.random.default_rng(seed)
    base = {f"question {pair}": 5 * rng.normal(size=nodes) for pair in range(PAIRS)}
    rows_ND = np.array([base[e.pair] + shift * e.positive for e in groups["p"]])
    return groups, (rows_ND + rng.normal(size=rows_ND.shape)).astype(np.float32)


def test_pairs_are_drawn_whole_and_numbered():
    groups = paired()
    pool = draw_pool(groups, OWN, 10, seed=0)
    assert pool.sizes == (10, 10)
    assert pool.left_out == LeftOut((0, 0), (14, 14))
    both = [np.sort(pool.pairs[side]) for side in (pool.positive_N, ~pool.positive_N)]
    np.testing.assert_array_equal(both[0], both[1])
    assert pool.clusters is None
    assert pool.together is pool.pairs
    few = draw_pool(groups, OWN, 9, seed=0)
    assert set(few.ids) < set(pool.ids)  # which pairs does not change when more are taken
    several = draw_pool(paired(6, each=3), OWN, 10, seed=0)
    assert several.sizes == (9, 9)


def test_pairs_of_one_side_only_are_no_pairs():
    groups = {
        "p": [Row(f"p{i}", True, pair=f"q{i}") for i in range(4)],
        "n": [Row(f"n{i}", False, pair=f"other {i}") for i in range(4)],
    }
    pool = draw_pool(groups, Comparison(2, "p", (("p", "positive"),), (("n", "negative"),)), 9, 0)
    assert pool.pairs is None
    assert pool.together is None


@pytest.mark.parametrize(
    ("change", "limit", "message"),
    [
        (lambda rows: rows[1:], 99, "has rows on one side alone .1 such pairs"),
        (lambda rows: [*rows, Row("lone", True)], 99, "row lone has no pair, and others have"),
        (lambda rows: paired(each=3)["p"], 2, "no pair of rows fits into limit = 2"),
    ],
)
def test_pairs_that_cannot_be_are_refused(change, limit, message):
    groups = {"p": change(paired()["p"])}
    with pytest.raises(personascan.InputError, match=message):
        draw_pool(groups, OWN, limit, seed=0)


def test_pairs_stay_together_in_halves_and_folds():
    pool = draw_pool(paired(), OWN, 99, seed=0)
    halves = [portion_rows(pool, half, 3) for half in HALVES]
    assert not set(pool.pairs[halves[0]]) & set(pool.pairs[halves[1]])
    assert [pool.positive_N[half].sum() for half in halves] == [12, 12]
    fold_N = folds_of(pool.positive_N, 4, 0, pool.pairs)
    assert all(len(set(fold_N[pool.pairs == pair])) == 1 for pair in range(PAIRS))
    assert can_hold_out(pool.positive_N, 4, 0, pairs=pool.pairs)


def test_labels_are_exchanged_inside_pairs_and_within_larger_groups():
    pool = draw_pool(paired(), OWN, 99, seed=0)
    found = where.exchange_in(where.chosen_rows(pool, np.arange(2 * PAIRS)))
    assert (found.kind, found.distinct) == ("pairs", 2**PAIRS)
    pool = draw_pool(paired(4, each=2), OWN, 99, seed=0)
    found = comparison_exchange(pool.positive_N, pairs_N=pool.pairs)
    assert (found.kind, found.distinct) == ("rows within groups", 6**4)


def p_of(rows_ND, pool, paired: bool) -> float:
    part = where.chosen_rows(pool, np.arange(len(pool.ids)))
    if not paired:
        part = where.LabelledRows(part.rows, part.positive_N, None)
    labels = where.labellings_of(part, 99, seed=0)
    values_T = where.place_statistics("a place", rows_ND, labels, ("direction",))["direction"]
    return float((values_T >= values_T[0]).mean())


def test_what_questions_hide_is_found_inside_pairs_and_nothing_where_nothing_is():
    groups, rows_ND = questions(0, 1.5)
    pool = draw_pool(groups, OWN, 99, seed=0)
    rows = pool.members[0][1]
    assert p_of(rows_ND[rows], pool, paired=True) == 0.01
    assert p_of(rows_ND[rows], pool, paired=False) > 0.05
    few = []
    for seed in range(60):
        groups, rows_ND = questions(seed, 0.0)
        few.append(p_of(rows_ND[rows], pool, paired=True))
    assert 0.25 < np.mean(np.array(few) <= 0.5) < 0.75
    assert np.mean(np.array(few) <= 0.05) < 0.15


def test_units_know_pairs_and_those_without_keep_their_keys():
    pool = draw_pool(paired(), OWN, 99, seed=0)
    part = where.chosen_rows(pool, np.arange(2 * PAIRS))
    assert set(part.inputs()) == {"part", "pairs"}
    assert set(where.LabelledRows(part.rows, part.positive_N, None).inputs()) == {"part"}


def test_held_out_rows_are_scored_without_their_partner():
    groups, rows_ND = questions(1, 2.0)
    pool = draw_pool(groups, OWN, 99, seed=0)
    found = crossfit_place(rows_ND[pool.members[0][1]], pool.positive_N, 4, 39, 0, pairs=pool.pairs)
    assert found.z_K.min() > 3


def test_pairs_are_resampled_together():
    rng = np.random.default_rng(0)
    pair_N = np.tile(np.arange(40), 2)
    positive_N = np.arange(80) < 40
    score_N = np.tile(5 * rng.normal(size=40), 2) + positive_N + 0.1 * rng.normal(size=80)
    assert sizes(positive_N, pair_N) == (40, 40)
    asked = dict(resamples=400, confidence=0.95, clusters_N=pair_N)
    drawn = bootstrap_aurocs([score_N], positive_N, 400, np.random.default_rng(0), pair_N)
    free = bootstrap_aurocs([score_N], positive_N, 400, np.random.default_rng(0))
    assert drawn.std() < 0.6 * free.std()  # a question's rows go up and down with one another
    claim = compare_aurocs(
        score_N, rng.normal(size=80), positive_N, rng=np.random.default_rng(0), **asked
    )
    assert claim.low < claim.difference < claim.high


def test_rows_of_arrays_bring_pairs(tmp_path):
    positive = np.arange(8) < 4
    places = {"layer": np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)}
    pairs = [f"q{i % 4}" for i in range(8)]
    plain = personascan.write_rows(tmp_path / "plain", places, positive)
    assert {e.pair for e in open_rows(plain).groups["positive"]} == {""}
    given = personascan.write_rows(tmp_path / "paired", places, positive, pairs=pairs)
    assert [e.pair for e in open_rows(given).groups["positive"]] == pairs
    with pytest.raises(personascan.InputError, match="give entities or pairs"):
        personascan.write_rows(tmp_path / "both", places, positive, pairs=pairs, entities=pairs)
    with pytest.raises(personascan.InputError, match="pairs has no entry for row 2"):
        personascan.write_rows(
            tmp_path / "none", places, positive, pairs=[*pairs[:2], None, *pairs[3:]]
        )


def test_statements_name_pairs_or_entities(tmp_path):
    header = "statement,direction,label_confidence,persona_dim,pair,entity\n"
    file = tmp_path / "some.csv"
    file.write_text(header + "I like it,positive,1,p,q1,\nI do not,negative,1,p,q1,\n")
    assert [s.pair for s in personascan.load_statements(file)] == ["q1", "q1"]
    file.write_text(header + "I like it,positive,1,p,q1,tea\n")
    with pytest.raises(personascan.InputError, match="has an entity and a pair"):
        personascan.load_statements(file)
