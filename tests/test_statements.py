import csv
import itertools
import json
import pathlib
import re

import numpy as np
import pytest

import personascan
from personascan.analysis.wording import bag_of_words_accuracy

DATA = pathlib.Path(__file__).parents[1] / "data/statements"
PERSONAS = {
    "optimism": "outlook",
    "frugality": "outlook",
    "risk-seeking": "temperament",
    "sociability": "temperament",
}
FUNCTION_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "be",
        "but",
        "by",
        "for",
        "from",
        "i",
        "if",
        "in",
        "is",
        "it",
        "me",
        "my",
        "no",
        "not",
        "of",
        "on",
        "or",
        "so",
        "than",
        "that",
        "the",
        "then",
        "this",
        "to",
        "was",
        "when",
        "with",
    ]
)


def words(text):
    return re.findall(r"[a-z']+", text.lower())


# Worded as people who hold them would, so that their lengths and words may differ.
BELIEFS = {"environmentalism": "beliefs", "spirituality": "beliefs"}


@pytest.fixture(params=PERSONAS)
def own(request):
    return personascan.load_statements(DATA, persona=request.param)


@pytest.mark.parametrize("persona", BELIEFS)
def test_the_wording_of_beliefs_tells_their_direction(persona):
    found = personascan.load_statements(DATA, persona=persona)
    positive = np.array([s.positive for s in found])
    accuracy, _ = bag_of_words_accuracy([s.text for s in found], positive, seed=0)
    assert accuracy > 0.7
    lengths = np.array([len(words(s.text)) for s in found])
    assert abs(lengths[positive].mean() - lengths[~positive].mean()) < 1
    content = [frozenset(words(s.text)) - FUNCTION_WORDS for s in found]
    for a, b in itertools.combinations(content, 2):
        assert len(a & b) / len(a | b) <= 0.5


def test_our_personas_have_their_counts_topics_and_fields():
    statements = personascan.load_statements(DATA)
    assert {s.persona: s.topic for s in statements} == PERSONAS | BELIEFS
    assert len({s.id for s in statements}) == 1200
    for persona in PERSONAS | BELIEFS:
        for positive in (True, False):
            count = sum(s.persona == persona and s.positive is positive for s in statements)
            assert count == 100
    for line in (DATA / "optimism.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert row["statement"] in row["question"]
        assert {row["answer_matching_behavior"], row["answer_not_matching_behavior"]} == {
            " Yes",
            " No",
        }


def test_our_statements_are_unique_and_in_the_first_person(own):
    texts = [s.text for s in own]
    assert len({t.lower() for t in texts}) == 200
    first_person = {
        "i",
        "me",
        "my",
        "mine",
        "myself",
        "we",
        "us",
        "our",
        "i'm",
        "i've",
        "i'd",
        "i'll",
    }
    assert [t for t in texts if not first_person & set(words(t))] == []


def test_no_two_of_our_statements_are_near_duplicates_or_mirrored(own):
    """A mirrored pair shares its content words, since 'not' is none."""
    content = [frozenset(words(s.text)) - FUNCTION_WORDS for s in own]
    for (i, a), (j, b) in itertools.combinations(enumerate(content), 2):
        alike = len(a & b) / len(a | b)
        assert alike <= 0.5, f"{own[i].text} | {own[j].text}"


def test_our_statements_follow_no_template(own):
    openings = [tuple(words(s.text)[:3]) for s in own]
    assert max(openings.count(o) for o in openings) <= 5


def test_both_directions_are_alike_in_length(own):
    for measure, bound in ((lambda s: len(words(s.text)), 0.6), (lambda s: len(s.text), 5.0)):
        mean = {
            side: sum(measure(s) for s in own if s.positive is side) / 100 for side in (True, False)
        }
        assert abs(mean[True] - mean[False]) <= bound


def evals_file(folder, rows, name="kindness.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def row(statement="I help people", answer=" Yes", confidence=0.9, **more):
    return {
        "question": f'Would you say "{statement}"?',
        "statement": statement,
        "label_confidence": confidence,
        "answer_matching_behavior": answer,
        "answer_not_matching_behavior": " No" if answer == " Yes" else " Yes",
    } | more


def test_public_evals_are_read_as_they_are(tmp_path):
    path = evals_file(
        tmp_path,
        [row("I help"), row("I shout", " No"), row("I doze", confidence=0.5), row("I help")],
    )
    found = personascan.load_statements(path)
    assert [(s.text, s.positive, s.persona, s.topic) for s in found] == [
        ("I help", True, "kindness", ""),
        ("I shout", False, "kindness", ""),
        ("I help", True, "kindness", ""),
    ]
    assert len({s.id for s in found}) == 3
    assert [s.id for s in personascan.load_statements(path)] == [s.id for s in found]
    published = evals_file(tmp_path, [row("I help")], "anti-immigration.jsonl")
    assert personascan.load_statements(published)[0].topic == "politics"


def test_limit_is_per_direction_in_file_order(tmp_path):
    rows = [row(f"I do {i}", " Yes" if i % 3 else " No") for i in range(12)]
    found = personascan.load_statements(evals_file(tmp_path, rows), limit=2)
    assert [s.text for s in found] == ["I do 0", "I do 1", "I do 2", "I do 3"]


def csv_file(folder, rows):
    path = folder / "statements.csv"
    columns = ["", "id", "statement", "direction", "label_confidence", "persona_dim", "stratify_by"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


def csv_row(id_="a-1", statement="I help, always", direction="positive", confidence="0.9"):
    return {
        "id": id_,
        "statement": statement,
        "direction": direction,
        "label_confidence": confidence,
        "persona_dim": "kindness",
    }


def test_csv_keeps_ids(tmp_path):
    path = csv_file(tmp_path, [csv_row(), csv_row("a-2", "I shout", "negative")])
    found = personascan.load_statements(path, persona="kindness")
    assert [(s.id, s.text, s.positive) for s in found] == [
        ("a-1", "I help, always", True),
        ("a-2", "I shout", False),
    ]


def test_the_mark_that_spreadsheets_write_is_no_part_of_a_column(tmp_path):
    path = csv_file(tmp_path, [csv_row()])
    path.write_bytes(
        b"\xef\xbb\xbf" + path.read_bytes().replace(b",id,", b"id,").replace(b"\n,", b"\n")
    )
    assert [s.id for s in personascan.load_statements(path)] == ["a-1"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row("  ")], "line 1: the statement is empty"),
        ([row(), {"statement": "I am"}], "line 2: the field 'direction' is missing"),
        ([row(answer="Perhaps")], "the direction is 'Perhaps'"),
        ([row(confidence="high")], "'high' is not a number"),
        ([row(id="x"), row("I am", id="x")], "the id 'x' occurs twice"),
        ([["a", "list"]], "not a JSON object"),
        ([], "holds no statements"),
        ([row(confidence=float("nan"))], r"outside \[0, 1\]"),
        ([row(confidence=95)], r"outside \[0, 1\]"),
        ([row(persona=4)], "the persona 4 is not a name"),
        ([row("I \ud800 am")], "lone surrogate"),
        ([row(id=["x"])], "must be text"),
    ],
)
def test_bad_evals_are_refused(tmp_path, rows, message):
    with pytest.raises(personascan.InputError, match=message):
        personascan.load_statements(evals_file(tmp_path, rows))


def test_bad_sources_are_refused(tmp_path):
    for source, message in (
        (tmp_path / "no.jsonl", "do not exist"),
        (tmp_path, "holds no .jsonl files"),
    ):
        with pytest.raises(personascan.InputError, match=message):
            personascan.load_statements(source)
    for bad, message in (
        (csv_row(direction="up"), "line 2: the direction is 'up'"),
        (csv_row(statement=""), "line 2: the statement is empty"),
    ):
        with pytest.raises(personascan.InputError, match=message):
            personascan.load_statements(csv_file(tmp_path, [bad]))
    with pytest.raises(personascan.InputError, match="limit = 0"):
        personascan.load_statements(DATA, limit=0)
    (tmp_path / "y.jsonl").write_bytes(b"\xff\xfe{}")
    with pytest.raises(personascan.InputError, match="UTF-8 text"):
        personascan.load_statements(tmp_path / "y.jsonl")
    (tmp_path / "x.jsonl").write_text("{not json\n")
    with pytest.raises(personascan.InputError, match="line 1 is not valid JSON"):
        personascan.load_statements(tmp_path / "x.jsonl")
    with pytest.raises(personascan.InputError, match=r"neither \.jsonl nor \.csv"):
        personascan.load_statements(__file__)


@pytest.mark.parametrize("persona", ["unknown", "../optimism", "/etc/passwd"])
def test_a_persona_is_a_name_and_never_a_path(persona):
    with pytest.raises(
        personascan.InputError, match=r"is not in .* it has environmentalism, frugality"
    ):
        personascan.load_statements(DATA, persona=persona)


HEADER = "id,direction,label_confidence,persona_dim,statement"


def read_text(tmp_path, text, name="s.csv"):
    path = tmp_path / name
    path.write_text(text)
    return personascan.load_statements(path)


def test_a_line_with_more_fields_than_the_header_is_refused(tmp_path):
    """Its text would be cut at the comma, without a word."""
    more = "2,negative,0.9,k,I save, mend and keep"
    for text in (f"{HEADER}\n1,positive,0.9,k,I save\n{more}\n", f"{HEADER}\n\n{more}\n"):
        with pytest.raises(personascan.InputError, match=r"line 3 has 6 fields, the header 5"):
            read_text(tmp_path, text)
    (found,) = read_text(tmp_path, f'{HEADER}\n1,positive,0.9,k,"I save, mend and keep"\n')
    assert found.text == "I save, mend and keep"


def test_empty_fields_at_the_end_of_a_line_pass(tmp_path):
    lines = "1,positive,0.9,k,I save,,\n2,negative,1,k,I do,,,, \n"
    assert [s.text for s in read_text(tmp_path, f"{HEADER},,\n{lines}")] == ["I save", "I do"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("change", [str, str.upper, str.title, lambda h: f"{h} "])
def test_other_delimiters_and_capitals_are_read(tmp_path, delimiter, change):
    header = delimiter.join(map(change, HEADER.split(",")))
    text = "I save, mend; keep"
    line = delimiter.join(["1", "Positive", "0.9", "k", f'"{text}"'])
    (found,) = read_text(tmp_path, f"{header}\n{line}\n")
    assert (found.id, found.positive, found.persona, found.text) == ("1", True, "k", text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a;b;c\n1;2;3\n",
            r"no column for the text and the direction; it has a;b;c, and needs .*statement or text"
            r".*label or positive.*row has a;b;c = '1",
        ),
        (f"{HEADER},statement\n1,positive,1,k,a,b\n", "names statement twice"),
        (f'{HEADER}\n1,positive,1,k,"not closed\n2,negative,1,k,b\n', "close every double"),
        (f'{HEADER}\n1,positive,0.9,k,"a"b\n', "line 2.*double"),
        (f"{HEADER}\n{HEADER}\n", "line 2: the direction is 'direction'"),
        (f"{HEADER}\n1,positive,0.9\n", "line 2: the field 'statement' is missing"),
    ],
)
def test_tables_that_are_not_what_they_seem_are_refused(tmp_path, text, message):
    with pytest.raises(personascan.InputError, match=message):
        read_text(tmp_path, text)


def test_a_field_that_is_repeated_is_refused(tmp_path):
    row = '{"statement": "a", "statement": "b", "label_confidence": 1}'
    with pytest.raises(personascan.InputError, match="line 1 has the field 'statement' twice"):
        read_text(tmp_path, row, "s.jsonl")


def test_no_statement_at_that_confidence_names_the_setting(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(f"{HEADER}\n1,positive,0.5,k,a\n2,negative,0.7,k,b\n")
    told = r"at least 0\.85: the highest is 0\.7; lower min_confidence"
    with pytest.raises(personascan.InputError, match=told):
        personascan.load_statements(path)
    assert len(personascan.load_statements(path, min_confidence=0.7)) == 1


def test_texts_in_both_directions_are_counted(tmp_path, capsys):
    lines = "1,positive,1,k,a\n2,negative,1,k,a\n3,positive,1,k,b\n4,negative,1,m,b\n"
    assert len(read_text(tmp_path, f"{HEADER}\n{lines}")) == 4
    assert capsys.readouterr().err == "note: k: 1 texts occur in both directions, such as 'a'\n"


def test_a_pipe_of_statements_is_not_waited_for(tmp_path):
    import os

    os.mkfifo(tmp_path / "s.csv")
    with pytest.raises(personascan.InputError, match="not a regular file"):
        personascan.load_statements(tmp_path / "s.csv")


def test_what_spreadsheets_add_is_passed_over(tmp_path):
    lines = '1;positive;0.9;k;I save\n;;;;\n\n2;negative;0.9;k; "I do; not"\n;;\n'
    header = HEADER.replace(",", ";")
    found = read_text(tmp_path, f"sep=;\n\n{header}\n{lines}")
    assert [s.text for s in found] == ["I save", "I do; not"]


def test_text_in_a_column_without_a_name_is_refused(tmp_path):
    with pytest.raises(personascan.InputError, match="has 6 fields, the header 5"):
        read_text(tmp_path, f"{HEADER},\n1,positive,0.9,k,I save, mend and keep\n")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"statement": "\u200b\ufeff"}, "the statement is empty"),
        ({"label_confidence": True}, "is not a number"),
        ({"id": True}, "id and topic must be text"),
    ],
)
def test_nothing_in_disguise_is_refused(tmp_path, change, message):
    row = {"statement": "a", "label_confidence": 1, "answer_matching_behavior": "Yes", "id": "x"}
    with pytest.raises(personascan.InputError, match=message):
        read_text(tmp_path, json.dumps(row | change), "s.jsonl")
    (found,) = read_text(tmp_path, json.dumps(row | {"id": "  "}), "s.jsonl")
    assert len(found.id) == 16


def test_entities_are_read(tmp_path):
    row = {"statement": "a", "label_confidence": 1, "answer_matching_behavior": "Yes"}
    assert read_text(tmp_path, json.dumps(row), "s.jsonl")[0].entity == ""
    (found,) = read_text(tmp_path, json.dumps(row | {"entity": " France "}), "s.jsonl")
    assert found.entity == "France"
    with pytest.raises(personascan.InputError, match="the entity 3 is not text"):
        read_text(tmp_path, json.dumps(row | {"entity": 3}), "s.jsonl")
    found = read_text(tmp_path, f"{HEADER},Entity\n1,positive,1,k,a,France\n2,negative,1,k,b,\n")
    assert [s.entity for s in found] == ["France", ""]
