"""Statements in the forms that Python holds: lists, dicts, tables; directions in many words."""

import dataclasses
import json

import pandas
import pytest

import personascan
from personascan.sources.language.statement_columns import parse_columns

POSITIVE, NEGATIVE = ["All will be well.", "Rain ends."], ["Nothing works.", "It will rain."]
TEXTS = [*POSITIVE, *NEGATIVE]


@pytest.mark.parametrize(
    "words",
    [
        ("positive", "negative"), ("+", "-"), (1, 0), ("1", "0"), (True, False), ("True", "FALSE"),
        (" Yes", " No"), (1.0, 0.0), ("+1", "-1"), (1, -1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("column", ["direction", "label", "positive"])
def test_a_direction_is_written_in_many_ways(words, column):
    rows = [{"text": text, column: words[i // 2]} for i, text in enumerate(TEXTS)]
    for source in (rows, pandas.DataFrame(rows)):
        statements = personascan.load_statements(source)
        assert [s.text for s in statements] == TEXTS
        assert [s.positive for s in statements] == [True, True, False, False]
        assert {(s.persona, s.confidence) for s in statements} == {("persona", 1.0)}


def test_statements_may_be_lists_by_direction_files_and_tables_alike(tmp_path):
    lists = personascan.load_statements({"positive": POSITIVE, "negative": NEGATIVE})
    rows = [{"Text": t, "Label": int(t in POSITIVE), "persona": "mood"} for t in TEXTS]
    frame = pandas.DataFrame(rows)
    frame.to_csv(tmp_path / "mood.csv", index=False)
    frame.to_csv(tmp_path / "mood.tsv", index=False, sep="\t")
    frame.drop(columns="persona").to_csv(tmp_path / "mood2.csv", index=False)
    lines = "\n".join(json.dumps({k.lower(): v for k, v in row.items()}) for row in rows)
    (tmp_path / "lines.jsonl").write_text(lines)
    sources = [rows, frame, *(tmp_path / f"{n}" for n in ("mood.csv", "mood.tsv", "lines.jsonl"))]
    of_sources = [personascan.load_statements(source) for source in sources]
    assert all(statements == of_sources[0] for statements in of_sources)
    assert [(s.text, s.positive) for s in lists] == [(s.text, s.positive) for s in of_sources[0]]
    assert {s.persona for s in of_sources[0]} == {"mood"}
    named_after_file = personascan.load_statements(tmp_path / "mood2.csv")
    assert {s.persona for s in named_after_file} == {"mood2"}


def test_a_persona_that_no_row_names_is_the_one_asked_for(tmp_path):
    rows = [{"text": t, "label": int(t in POSITIVE)} for t in TEXTS]
    pandas.DataFrame(rows).to_csv(tmp_path / "rows.csv", index=False)
    for source in (rows, {"positive": POSITIVE, "negative": NEGATIVE}, tmp_path / "rows.csv"):
        assert {s.persona for s in personascan.load_statements(source, persona="hope")} == {"hope"}
    for name in ("calm", "cold"):
        lines = "\n".join(json.dumps(row | {"text": f"{name}: {row['text']}"}) for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    with pytest.raises(personascan.InputError, match=r"persona 'hope' is not in .* has calm, cold"):
        personascan.load_statements(tmp_path, persona="hope")
    kept = personascan.load_statements(tmp_path, persona="cold")
    assert {s.text[:4] for s in kept} == {"cold"}
    with pytest.raises(personascan.InputError, match=r"'hope' is not in .* it has mood"):
        personascan.load_statements([row | {"persona": "mood"} for row in rows], persona="hope")


def test_a_table_may_have_a_column_of_texts_for_each_side():
    lists = personascan.load_statements({"positive": POSITIVE, "negative": [*NEGATIVE, "No."]})
    columns = {"positive": [*POSITIVE, None], "negative": [*NEGATIVE, "No."]}
    assert personascan.load_statements(pandas.DataFrame(columns)) == lists
    own = pandas.DataFrame({"Shy": columns["positive"], "bold": columns["negative"]})
    marked = personascan.load_statements(own, positive="shy")
    assert [dataclasses.replace(one, marked="") for one in marked] == lists
    with pytest.raises(personascan.InputError, match="the field 'statement' is missing"):
        personascan.load_statements(own)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([{"text": "x", "label": 2}], "statement 1: the direction is 2; use positive or negative"),
        ([{"text": "x"}], "statement 1: the field 'direction' is missing"),
        (["x"], "statement 1 is 'x'; give dicts"),
        ({"positive": "abc"}, "the statements of 'positive' must be a list"),
        (
            {"up": ["a"]},
            "the keys are 'up'; use .*positive.*, or name the positive side's own word",
        ),
        (
            [{"text": "x", "side": "up"}],
            "'direction' is missing; it has text = 'x', side = 'up', and needs .*positive or",
        ),
        ([{"text": "x", "label": 1, "direction": "+"}], "direction twice, as direction and label"),
        (
            [{"text": "x", "label": 1, "persona": "k"}, {"text": "y", "label": 0}],
            "statement 2 has no persona, unlike statement 1",
        ),
        (
            [{"text": "x", "label": 1}, {"text": "y", "label": 0, "confidence": 0.9}],
            "statement 2 has a confidence, unlike statement 1",
        ),
        ([], "there are no statements"),
        (3, "statements must be a list, got 3"),
        (pandas.DataFrame({"text": ["x", None], "label": [1, 0]}), "'statement' is missing"),
        ([{"text": "x", "label": 1, "id": "a"}, {"text": "y", "label": 0, "id": "a"}], "twice"),
    ],
)
def test_statements_of_python_that_are_none_are_refused(source, message):
    with pytest.raises(personascan.InputError, match=message):
        personascan.load_statements(source)


def test_the_word_of_the_positive_side_may_be_named(tmp_path):
    rows = [{"text": t, "label": "Hopeful" if t in POSITIVE else "gloomy"} for t in TEXTS]
    pandas.DataFrame(rows).to_csv(tmp_path / "mood.csv", index=False)
    (tmp_path / "mood.jsonl").write_text("\n".join(map(json.dumps, rows)))
    lists = {"gloomy": NEGATIVE, "hopeful": POSITIVE}
    for source in (rows, lists, tmp_path / "mood.csv", tmp_path / "mood.jsonl"):
        statements = personascan.load_statements(source, positive="hopeful")
        assert {s.text for s in statements if s.positive} == set(POSITIVE)
        assert {s.text for s in statements if not s.positive} == set(NEGATIVE)
        with pytest.raises(personascan.InputError, match="positive=WORD"):
            personascan.load_statements(source)
    numbers = [{"text": "a", "label": 2}, {"text": "b", "label": 1}]
    assert [s.positive for s in personascan.load_statements(numbers, positive="2")] == [True, False]


def test_words_that_do_not_name_two_sides_are_refused():
    rows = [{"text": t, "label": w} for t, w in zip("abc", ("up", "down", "level"), strict=True)]
    with pytest.raises(personascan.InputError, match=r"3: the direction is 'level', a third word"):
        personascan.load_statements(rows, positive="up")
    with pytest.raises(personascan.InputError, match=r"no direction in .* is 'high'; all are 'up'"):
        personascan.load_statements(rows[:1], positive="high")
    with pytest.raises(personascan.InputError, match="the keys are 'up', 'down'"):
        personascan.load_statements({"up": ["a"], "down": ["b"]}, positive="high")


def test_statements_that_are_left_out_are_counted(capsys):
    rows = [
        {"text": f"text {i}", "label": i % 2, "confidence": 0.9 if i < 16 else 0.5}
        for i in range(20)
    ]
    assert len(personascan.load_statements(rows, limit=5)) == 10
    note = "note: 10 of 20 statements are left out: 4 with a label_confidence below 0.85, 6 behind"
    assert note in capsys.readouterr().err
    assert len(personascan.load_statements(rows[:16])) == 16
    assert not capsys.readouterr().err


def test_columns_may_have_names_of_their_own(tmp_path):
    rows = [
        {"Sentence": t, "Temper": "Shy" if t in POSITIVE else "bold", "nr": f"n{i}", "label": "?"}
        for i, t in enumerate(TEXTS)
    ]
    pandas.DataFrame(rows).to_csv(tmp_path / "mood.csv", index=False)
    (tmp_path / "mood.jsonl").write_text("\n".join(map(json.dumps, rows)))
    columns = {"text": "sentence", "direction": "Temper", "id": "nr"}
    for source in (rows, pandas.DataFrame(rows), tmp_path / "mood.csv", tmp_path / "mood.jsonl"):
        found = personascan.load_statements(source, columns=columns, positive="shy")
        assert [(s.id, s.text) for s in found] == [(f"n{i}", t) for i, t in enumerate(TEXTS)]
        assert [s.positive for s in found] == [True, True, False, False]
        assert [s.marked for s in found] == ["Shy", "Shy", "bold", "bold"]
    lists = {"positive": POSITIVE, "negative": NEGATIVE}
    assert {s.marked for s in personascan.load_statements(lists)} == {""}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"entity": "sentence"}, "no row of the given statements has the column 'sentence'"),
        ({"words": "text"}, "columns: 'words' = 'text'; name the column of one of text, direction"),
        ({"text": ""}, "columns: 'text' = ''"),
        ({"text": "a", "id": "A"}, "names a column twice"),
        ({"id": "label"}, "the field 'direction' is missing"),
    ],
)
def test_columns_that_are_none_are_refused(columns, message):
    rows = [{"text": t, "label": i % 2} for i, t in enumerate(TEXTS)]
    with pytest.raises(personascan.InputError, match=message):
        personascan.load_statements(rows, columns=columns)


@pytest.mark.parametrize("words", [("text",), ("text=a", "text=b")])
def test_columns_of_a_flag_are_fields_with_names(words):
    assert parse_columns(["text=a b", "id = c"]) == {"text": "a b", "id": " c"}
    with pytest.raises(personascan.InputError, match="write FIELD=NAME, each field once"):
        parse_columns(words)


def test_a_study_keeps_columns_only_where_they_are_named():
    config = {"models": ("m",), "statements": "s", "out": "o"}
    assert "columns" not in personascan.StudyConfig.from_dict(config).to_dict()
    named = personascan.StudyConfig.from_dict(config | {"columns": ("text=sentence",)})
    assert named.to_dict()["columns"] == ["text=sentence"]
    with pytest.raises(personascan.InputError, match="name the column of one of text, dir"):
        personascan.StudyConfig.from_dict(config | {"columns": ("words=sentence",)})
