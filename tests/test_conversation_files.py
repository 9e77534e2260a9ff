"""Conversations from files of messages, and the rows that are refused."""

import pytest
from tiny_conversations import ANSWER, TRAIT, both, row, written

import personascan
from personascan.sources.language.conversations import Message
from personascan.sources.language.message_files import question_name


@pytest.mark.parametrize("column", ["direction", "label", "positive"])
@pytest.mark.parametrize("words", [("pos", "neg"), ("+", "-"), (1, 0), (True, False)])
def test_rows_of_messages_have_a_side_in_the_words_of_statements(tmp_path, column, words):
    rows = [row(None, **{column: word}) for word in words]
    found = personascan.load_conversations(written(tmp_path / "calm.jsonl", rows))
    assert [c.positive for c in found] == [True, False]
    assert {c.persona for c in found} == {"calm"}
    assert [m.role for m in found[0].messages] == ["user", "assistant"]
    assert found[0].text == ANSWER
    assert found[0].answered
    assert len({c.id for c in found}) == 2  # hashes, and the second of equal ones has a number
    assert found[1].id == f"{found[0].id}-2"


def test_a_row_may_name_everything(tmp_path):
    more = dict(
        trait="loud", topic="voices", instruction=2, entity="soup", pair="p", score=90, id=7
    )
    rows = [row("+", question="Q?", **more), row("-", question="Q?", **more | {"id": "b"})]
    first, second = personascan.load_conversations(written(tmp_path / "x.jsonl", rows))
    assert (first.id, first.persona, first.topic) == ("7", "loud", "voices")
    assert (first.question, first.instruction, first.entity, first.pair) == ("Q?", "2", "soup", "p")
    assert first.score == 90.0
    assert isinstance(first.score, float)
    assert (second.id, second.positive) == ("b", False)


def test_rows_of_a_question_are_a_pair_and_one_entity(tmp_path):
    rows = [*both(question="Q?"), *both(question="R?")]
    found = personascan.load_conversations(written(tmp_path / "x.jsonl", rows))
    assert [c.pair for c in found] == [c.entity for c in found]
    assert [c.pair for c in found] == [question_name(q) for q in ("Q?", "Q?", "R?", "R?")]


def test_any_number_of_turns_and_contents_in_parts(tmp_path):
    parts = [{"type": "text", "text": "What is "}, {"type": "text", "text": "for lunch?"}]
    messages = [
        {"role": "system", "content": ""},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "Soup.", "tool_calls": None},
        {"role": "user", "content": " And then? "},
    ]
    rows = [
        {"conversation": messages, "label": side, "model": "m", "persona_id": 3} for side in "+-"
    ]
    found = personascan.load_conversations(str(written(tmp_path / "x.jsonl", rows)))
    assert found[0].messages == (
        Message("system", ""),
        Message("user", "What is for lunch?"),
        Message("assistant", "Soup."),
        Message("user", " And then? "),
    )
    assert not found[0].answered


def test_files_and_folders_are_read_together_and_one_persona_is_kept(tmp_path):
    (tmp_path / "traits").mkdir()
    written(tmp_path / "traits/loud.json", TRAIT)
    rows = [*both(persona="calm"), *both(text="Hm?", persona="shy")]
    lines = written(tmp_path / "rows.jsonl", rows)
    found = personascan.load_conversations([tmp_path / "traits", lines])
    assert list(dict.fromkeys(c.persona for c in found)) == ["loud", "calm", "shy"]
    shy = personascan.load_conversations([tmp_path / "traits", lines], persona="shy")
    assert shy == [c for c in found if c.persona == "shy"]
    with pytest.raises(personascan.InputError, match="'meek' is not there; there are calm, loud"):
        personascan.load_conversations([tmp_path / "traits", lines], persona="meek")


def test_a_persona_without_negatives_keeps_the_groups_that_are_all_negative(tmp_path):
    groups = [("+", "baker"), ("+", "poet"), ("-", "plain"), ("+", "loud"), ("-", "loud")]
    rows = [row(side, text=f"{group}?", persona=group) for side, group in groups]
    lines = written(tmp_path / "rows.jsonl", rows)
    found = personascan.load_conversations(lines, persona="baker")
    assert [c.persona for c in found] == ["baker", "plain"]
    assert {c.persona for c in personascan.load_conversations(lines, persona="loud")} == {"loud"}


def test_the_first_questions_and_instructions_of_rows_are_kept(tmp_path, capsys):
    rows = [
        row(side, f"{q}?", id=f"{side}{q}{i}", question=f"{q}?", instruction=f"{side}{i}")
        for q in "abc" for i in (0, 1) for side in "+-"
    ]  # fmt: skip
    lines = written(tmp_path / "x.jsonl", rows)
    found = personascan.load_conversations(lines, limit=2, instructions=1)
    assert [c.id for c in found] == ["+a0", "-a0", "+b0", "-b0"]
    note = "note: 8 of 12 conversations are left out: 4 behind the first 1 instructions of their "
    assert note in capsys.readouterr().err
    plain = written(tmp_path / "y.jsonl", [row(side, f"{q}?") for q in "abc" for side in "+-"])
    assert len(personascan.load_conversations(plain, limit=2)) == 4


# Refused rows.

USER = {"role": "user", "content": "Hm?"}


def said(*messages):
    return [{"messages": list(messages), "label": side} for side in "+-"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([row(), *both()], "id"),
        (b'{"messages": "\xff"}', "x.jsonl is not UTF-8 text"),
        ("{", "x.jsonl, line 1 is not valid JSON"),
        ("\n[]", "x.jsonl, line 2 is not a JSON object"),
        ('{"id": 1, "id": 2}', "x.jsonl, line 1 has the key 'id' twice"),
        ("", "x.jsonl holds no conversations"),
        ("[" * 100_000, "x.jsonl, line 1 is not valid JSON"),
        ([row(quesion="Q?")], "line 1 has the unknown key 'quesion'; write 'question'"),
        ([row(Persona="calm")], "the unknown key 'Persona'; write 'persona'"),
        ([row(side=None)], "line 1 has neither a side nor a score"),
        ([row("maybe")], "the direction is 'maybe'"),
        ([row(direction="+")], "side twice, as direction and label"),
        ([row(persona="a"), row("-")], "line 2 has no group .* unlike .*line 1"),
        ([row(), row(None, score=5)], "line 2 has no side .* unlike .*line 1"),
        ([row(persona=" ")], "the group is empty"),
        ([row(id=[1])], r"id is \[1\]; write a text"),
        ([row(id=True)], "id is True; write a text"),
        ([row(pair=1.5)], "the pair is 1.5; write a text"),
        ([row(text="half \ud800")], "holds half a character"),
        (both(id="a"), "line 2: the id 'a' is that of .*line 1"),
        ([{"label": 1}], "messages must be a list of role and content"),
        (said(), "messages must be a list of role and content"),
        (said("Hm?"), "line 1, message 1 is 'Hm[?]'; write role and content"),
        (said({"role": "system", "content": "Hm."}), "line 1 has no message of the user"),
        (said({"role": "tool", "content": "5"}), "the role 'tool' is unknown; use one of system"),
        (said({"role": "user", "content": " \n"}), "the content of the user's message is empty"),
        (said(USER, {"role": "assistant", "content": ""}), "of the assistant's message is empty"),
        (said({"role": "user", "content": None}), "the content is None; write a text"),
        (said(USER, {"role": "user", "contents": "5"}), "key 'contents'; write 'content'"),
        (said(USER | {"tool_calls": [{}]}), "has 'tool_calls', which is not read"),
        (said(USER | {"content": [{"type": "image_url"}]}), "has a part 'image_url'; only parts"),
        (said(USER | {"content": ["Hm?"]}), "has a part 'Hm[?]'; only parts"),
        (said(USER | {"content": [{"type": "text"}]}), "the text of a part is None"),
        ([row()], "'x' has no negative rows, and no other group"),
        ([row(persona="a"), *both(persona="b")], "'a' has no negative rows, and no other group"),
        ([row("-")], "no conversation is positive"),
        ([*both(question="Q?"), row(question="R?")], "'x': row .* its question 'R[?]' is on one"),
        ([*both(pair="p"), row("-", pair="q")], "'x': row .* its pair 'q' is on one side"),
        ([*both(pair="p"), row()], "'x': row .* has no question and no pair, and others have"),
        (
            [row(pair="p", question="Q?"), row("-", pair="p", question="R?")],
            "its question 'Q[?]' is on one side alone",
        ),
        (
            [row(persona="baker", question="Q?"), row("-", persona="plain", question="R?")],
            "'baker': row .* its question 'Q[?]' is on one side",
        ),
    ],
)  # fmt: skip
def test_rows_that_are_no_conversations_are_refused(tmp_path, content, message):
    if message == "id":
        content = [c | {"id": "a"} for c in content]
        message = "line 2: the id 'a' is that of .*x.jsonl, line 1; ids must be unique"
    with pytest.raises(personascan.InputError, match=message) as refused:
        personascan.load_conversations(written(tmp_path / "x.jsonl", content))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"limit": -1}, "limit = -1: use a whole number"),
        ({"instructions": 1.5}, "instructions = 1.5: use a whole number"),
        ({"questions": "shared.jsonl"}, "questions= is for trait and role files"),
    ],
)
def test_choices_that_say_nothing_are_refused(tmp_path, choices, message):
    written(tmp_path / "shared.jsonl", [{"question": "Q?"}])
    if "questions" in choices:
        choices = {"questions": tmp_path / "shared.jsonl"}
    with pytest.raises(personascan.InputError, match=message):
        personascan.load_conversations(written(tmp_path / "x.jsonl", both()), **choices)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nothing.jsonl", "'.*nothing.jsonl' do not exist; check the path"),
        ("x.csv", "x.csv is neither .jsonl"),
        ("empty", "empty holds no .jsonl and no .json files"),
        ([], "there are no files of conversations"),
        (3, "the source is 3; give a path"),
        ([{"messages": []}], "is no path; write rows into a .jsonl file"),
    ],
)
def test_sources_that_are_none_are_refused(tmp_path, source, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.csv").write_text("a,b")
    with pytest.raises(personascan.InputError, match=message):
        personascan.load_conversations(tmp_path / source if isinstance(source, str) else source)
