"""Conversations by their scores: which are kept, on which side, and what is refused."""

import pytest
from tiny_conversations import both, row, scored, written

import personascan


def test_rows_whose_score_is_at_odds_with_their_side_are_left_out(tmp_path, capsys):
    rows = scored(90, 60, 59.5) + scored(0, 40, 41, side="-")
    lines = written(tmp_path / "x.jsonl", rows)
    found = personascan.load_conversations(lines, keep_above=60, keep_below=40)
    assert [(c.id, c.score) for c in found] == [("+0", 90), ("+1", 60), ("-0", 0), ("-1", 40)]
    assert capsys.readouterr().err == (
        "note: 2 of 6 conversations are left out: 1 positive with a score below 60, 1 negative "
        "with a score above 40\n"
    )
    assert len(personascan.load_conversations(lines)) == 6
    assert len(personascan.load_conversations(lines, keep_above=60)) == 5


def test_a_score_decides_the_side_of_rows_without_one(tmp_path, capsys):
    rows = [row(None, id=f"r{s}", score=s) for s in (3, 2, 1, 0)]
    lines = written(tmp_path / "x.jsonl", rows)
    found = personascan.load_conversations(lines, keep_above=3, keep_below=1)
    assert [(c.id, c.positive) for c in found] == [("r3", True), ("r1", False), ("r0", False)]
    assert "1 of 4 conversations are left out: 1 with a score between 1 and 3" in (
        capsys.readouterr().err
    )


def test_partners_of_rows_that_scores_leave_out_are_left_out_too(tmp_path, capsys):
    rows = [
        row(side, f"{q}?", id=f"{side}{q}", question=f"{q}?", score=score)
        for q, side, score in [("a", "+", 90), ("a", "-", 5), ("b", "+", 20), ("b", "-", 5)]
    ]
    lines = written(tmp_path / "x.jsonl", rows)
    found = personascan.load_conversations(lines, keep_above=60, keep_below=40)
    assert [c.id for c in found] == ["+a", "-a"]
    assert "1 whose question or pair is left on one side" in capsys.readouterr().err


def test_scores_that_leave_no_question_on_both_sides_are_refused(tmp_path):
    """And so no group is lost without a word, or compared with another than in its file."""
    scores = [("a", "+", 90), ("a", "-", 50), ("b", "+", 20), ("b", "-", 5)]
    rows = [row(side, question=f"{q}?", persona="x", score=score) for q, side, score in scores]
    lines = written(tmp_path / "x.jsonl", rows)
    with pytest.raises(personascan.InputError, match="'x': no positive row is left whose question"):
        personascan.load_conversations(lines, keep_above=60, keep_below=40)


def test_sides_by_scores_are_paired_as_others_are(tmp_path, capsys):
    scores = [("a", 90), ("a", 5), ("b", 90), ("b", 80)]
    rows = [row(None, question=f"{q}?", id=f"{q}{s}", score=s) for q, s in scores]
    lines = written(tmp_path / "x.jsonl", rows)
    found = personascan.load_conversations(lines, keep_above=60, keep_below=40)
    assert [(c.id, c.positive) for c in found] == [("a90", True), ("a5", False)]
    assert "2 whose question or pair is left on one side" in capsys.readouterr().err
    lines = written(tmp_path / "y.jsonl", [*rows[:2], row(None, score=90)])
    with pytest.raises(personascan.InputError, match="has no question and no pair, and others"):
        personascan.load_conversations(lines, keep_above=60, keep_below=40)


@pytest.mark.parametrize(
    ("rows", "limits", "message"),
    [
        (scored(101), {}, r"x.jsonl, line 1: the score 101 is outside \[0, 100\]"),
        (scored(-1), {}, "the score -1 is outside"),
        (scored("high"), {}, "the score 'high' is not a number"),
        (scored(True), {}, "the score True is not a number"),
        ('{"score": NaN}', {}, r"line 1 is not valid JSON \(NaN is no number of JSON\)"),
        ('{"score": -Infinity}', {}, "-Infinity is no number"),
        (both(), {"keep_above": 60}, "line 1 has no score, which keep_above"),
        (scored(9, side=None), {"keep_above": 60}, "has a score and no side; give keep_above and"),
        (scored(9, side=None), {}, "has a score and no side"),
        (scored(9, side=None), {"keep_above": 5, "keep_below": 5}, "on both sides; use a higher"),
        (scored(9) + scored(9, side="-"), {"keep_above": 60}, "'x': no positive row reaches keep"),
        (scored(9) + scored(9, side="-"), {"keep_below": 5}, "'x': no negative .* the lowest is 9"),
        (scored(9, 8, side=None), {"keep_above": 60, "keep_below": 5}, "they are from 8 to 9"),
        (both(score=5), {"keep_above": 101}, r"keep_above = 101 is outside \[0, 100\]"),
        (both(score=5), {"keep_below": float("nan")}, "keep_below = nan is outside"),
        (both(score=5), {"keep_below": "5"}, "keep_below = '5' is outside"),
        (scored(90, 80, side=None), {"keep_above": 60, "keep_below": 5}, "no negative rows"),
    ],
)
def test_scores_that_decide_nothing_are_refused(tmp_path, rows, limits, message):
    with pytest.raises(personascan.InputError, match=message):
        personascan.load_conversations(written(tmp_path / "x.jsonl", rows), **limits)
