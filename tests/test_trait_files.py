"""Conversations from files of traits and roles, judges' prompts and transcripts."""

import pathlib
import re

import pytest
from tiny_conversations import DEFAULT, JUDGE, QUESTIONS, ROLE, TRAIT, both, row, written

import personascan
from personascan.sources.language.conversation_files import load_eval_prompts, load_transcript
from personascan.sources.language.conversations import Message
from personascan.sources.language.message_files import question_name


def test_every_question_is_asked_under_every_instruction_of_a_trait(tmp_path):
    found = personascan.load_conversations(written(tmp_path / "loud.json", TRAIT))
    assert [c.id for c in found] == [
        f"loud/{side}/{i}/{q}" for i in (0, 1) for side in ("pos", "neg") for q in (0, 1, 2)
    ]
    assert {(c.persona, c.topic, c.answered) for c in found} == {("loud", "traits", False)}
    by_id = {c.id: c for c in found}
    one = by_id["loud/neg/1/2"]
    assert one.messages == (
        Message("system", "Murmur every word."), Message("user", "Who calls today?"),
    )  # fmt: skip
    assert (one.positive, one.question, one.instruction) == (False, "Who calls today?", "1")
    assert one.entity == question_name("Who calls today?")
    assert one.pair == by_id["loud/pos/1/2"].pair == f"{one.entity}/1"
    assert len({c.pair for c in found}) == 6
    assert len({c.entity for c in found}) == 3


def test_an_empty_instruction_is_no_system_message(tmp_path):
    trait = TRAIT | {"instruction": [{"pos": "Shout.", "neg": ""}]}
    found = personascan.load_conversations(written(tmp_path / "loud.json", trait))
    assert [[m.role for m in c.messages] for c in found if not c.positive] == [["user"]] * 3


def test_personas_share_what_names_a_question_and_may_be_asked_others(tmp_path, capsys):
    written(tmp_path / "loud.json", TRAIT)
    written(tmp_path / "slow.json", TRAIT | {"questions": ["How far?", *QUESTIONS]})
    found = personascan.load_conversations(tmp_path)
    entities = {p: {c.entity for c in found if c.persona == p} for p in ("loud", "slow")}
    assert entities["loud"] < entities["slow"]
    shared = tmp_path / "shared.jsonl"
    rows = [{"question": q, "id": n} for n, q in enumerate(["Why?", "When?", "Why?", "How?"])]
    found = personascan.load_conversations(
        [tmp_path / "loud.json", tmp_path / "slow.json"], questions=written(shared, rows)
    )
    assert {c.id.split("/")[-1]: c.question for c in found} == {
        "0": "Why?",
        "1": "When?",
        "3": "How?",
    }
    assert "1 of 4 questions repeat another, and are not asked again, such as 'Why?'" in (
        capsys.readouterr().err
    )


def test_the_first_instructions_and_questions_of_files_are_kept(tmp_path, capsys):
    found = personascan.load_conversations(
        written(tmp_path / "loud.json", TRAIT), instructions=1, limit=2
    )
    assert [c.id for c in found] == [f"loud/{side}/0/{q}" for side in ("pos", "neg") for q in "01"]
    assert capsys.readouterr().err == (
        "note: 8 of 12 conversations are left out: those behind the first 1 instructions and 2 "
        "questions of their file\n"
    )


def test_roles_are_compared_with_the_default_question_by_question(tmp_path):
    written(tmp_path / "baker.json", ROLE | {"questions": QUESTIONS})
    written(tmp_path / "poet.json", ROLE | {"questions": [*QUESTIONS, "What rhymes?"]})
    written(tmp_path / "default.json", DEFAULT)
    found = personascan.load_conversations(tmp_path, model_name="Ada")
    sides = {(c.persona, c.positive, c.topic) for c in found}
    assert sides == {(p, p != "default", "roles") for p in ("baker", "poet", "default")}
    default = [c for c in found if c.persona == "default"]
    assert {c.question for c in default} == {*QUESTIONS, "What rhymes?"}
    assert [m.content for m in default[-1].messages] == ["You are Ada.", "What rhymes?"]
    assert default[0].messages == (Message("user", QUESTIONS[0]),)
    assert default[0].id == f"default/neg/0/{question_name(QUESTIONS[0])}"
    assert all(c.pair == c.entity == question_name(c.question) for c in found)
    baker = personascan.load_conversations(tmp_path, persona="baker", model_name="Ada", limit=2)
    assert {(c.persona, c.question) for c in baker} == {
        (p, q) for p in ("baker", "default") for q in QUESTIONS[:2]
    }


def changed(**changes):
    return {key: value for key, value in (TRAIT | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "loud.json is not valid JSON"),
        (b"\xff{}", "loud.json is not UTF-8"),
        ("[]", "loud.json is not a JSON object"),
        ('{"questions": NaN}', "NaN is no number of JSON"),
        (changed(instruction=None, instructions=[]), "unknown key 'instructions'; write 'instr"),
        (changed(questions=None, question=["Q?"]), "unknown key 'question'; write 'questions'"),
        (changed(instruction=None), "loud.json: 'instruction' is missing; a trait file has"),
        (changed(instruction=[]), "loud.json: 'instruction' is empty"),
        (changed(instruction="Shout."), "'instruction' is no list"),
        (changed(questions=[]), "'questions' is empty"),
        (changed(questions=["Q?", " "]), "loud.json: question 1 is empty"),
        (changed(questions=[7]), "question 0 is 7; write a text"),
        (changed(questions=None), "loud.json has no questions; give questions=a .jsonl file"),
        (changed(instruction=[{"neg": "Whisper."}]), "instruction 0 is .*; write {'pos'"),
        (changed(instruction=["Shout."]), "instruction 0 is 'Shout.'; write"),
        (changed(instruction=[{"pos": "A", "nag": "B"}]), "instruction 0 is .*; write"),
        (changed(instruction=[{"pos": "A", "neg": None}]), "instruction 0: neg is None"),
        (
            changed(instruction=[*TRAIT["instruction"], {"pos": "A"}]),
            "instruction 2 has no 'neg', unlike instruction 0",
        ),
        (changed(instruction=[{"pos": "A"}, {"pos": "A", "neg": "B"}]), "1 has a 'neg', unlike"),
        (changed(instruction=[{"pos": "A", "neg": "A "}]), "0: pos and neg are the same"),
        (changed(instruction=TRAIT["instruction"][:1] * 2), "1 repeats instruction 0"),
        (changed(instruction=[{"pos": "{model_name}", "neg": "B"}]), "give model_name='SmolLM2'"),
        (changed(eval_prompt="Is it loud? {question}"), "the eval_prompt lacks {answer}"),
        (changed(eval_prompt=""), "loud.json: eval_prompt is empty"),
        (ROLE | {"questions": QUESTIONS}, "'loud' has no negative rows.* for roles default.json"),
        ({"conversation": []}, "loud.json is one conversation; read it with load_transcript"),
    ],
)
def test_trait_files_that_are_none_are_refused(tmp_path, content, message):
    with pytest.raises(personascan.InputError, match=message) as refused:
        personascan.load_conversations(written(tmp_path / "loud.json", content))
    assert "\n" not in str(refused.value)


def test_sets_of_trait_files_that_cannot_be_compared_are_refused(tmp_path):
    loud = written(tmp_path / "loud.json", TRAIT)
    (tmp_path / "more").mkdir()
    again = written(tmp_path / "more/loud.json", TRAIT)
    with pytest.raises(personascan.InputError, match=r"more/loud\.json is a second file of 'loud'"):
        personascan.load_conversations([loud, again])
    with pytest.raises(personascan.InputError, match="keep_above and keep_below need rows with"):
        personascan.load_conversations(loud, keep_above=5)
    default = written(tmp_path / "default.json", DEFAULT)
    with pytest.raises(
        personascan.InputError, match=r"default\.json has no questions; .* its roles"
    ):
        personascan.load_conversations([loud, default])
    baker = written(tmp_path / "baker.json", ROLE | {"questions": QUESTIONS})
    written(default, DEFAULT | {"questions": [*QUESTIONS, "Why?"]})
    with pytest.raises(personascan.InputError, match=r"its question 'Why\?' is on one side alone"):
        personascan.load_conversations([baker, default], model_name="Ada")
    lines = written(tmp_path / "x.jsonl", [*both(), row(id="loud/pos/0/0"), row("-")])
    with pytest.raises(personascan.InputError, match="the id 'loud/pos/0/0' occurs twice"):
        personascan.load_conversations([loud, lines])


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("q.json", [], "q.json is no .jsonl file"),
        ("q.jsonl", [], "q.jsonl holds no questions"),
        ("q.jsonl", [{"questoin": "Q?"}], "line 1 has the unknown key 'questoin'"),
        ("q.jsonl", [{"text": "Q?"}], "line 1: the question is None"),
        ("q.jsonl", [{"question": ""}], "line 1: the question is empty"),
        ("none.jsonl", None, "none.jsonl cannot be read"),
    ],
)
def test_shared_questions_that_are_none_are_refused(tmp_path, name, rows, message):
    path = tmp_path / name if rows is None else written(tmp_path / name, rows)
    with pytest.raises(personascan.InputError, match=message):
        personascan.load_conversations(written(tmp_path / "l.json", TRAIT), questions=path)


def test_the_examples_of_the_page_are_read(tmp_path):
    page = pathlib.Path(__file__).parents[1] / "docs/conversations.md"
    examples = re.findall(r"```json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    names = ("rows.jsonl", "calm.json", "baker.json", "default.json", "long.json")
    files = [written(tmp_path / n, text) for n, text in zip(names, examples, strict=True)]
    rows = personascan.load_conversations(files[0])
    assert [(c.id, c.positive, c.answered) for c in rows] == [
        ("a1", True, True),
        ("a2", False, True),
    ]
    found = personascan.load_conversations(files[1:4], model_name="Ada")
    assert found[1].id == "calm/pos/0/1"
    assert found[1].pair == f"{found[1].entity}/0"
    assert {c.persona for c in found} == {"calm", "baker", "default"}
    assert list(load_eval_prompts(files[1:4])) == ["calm"]
    assert len(load_transcript(files[4]).messages) == 2


# What judges are asked, and transcripts.


def test_prompts_of_judges_are_named_after_their_files(tmp_path):
    written(tmp_path / "loud.json", TRAIT)
    default = written(tmp_path / "default.json", DEFAULT)
    assert load_eval_prompts(tmp_path) == {"loud": JUDGE}
    with pytest.raises(personascan.InputError, match="no file has an eval_prompt"):
        load_eval_prompts(default)
    with pytest.raises(personascan.InputError, match="the second file of 'loud'"):
        load_eval_prompts([tmp_path, tmp_path / "loud.json"])


def test_a_transcript_is_one_conversation(tmp_path):
    turns = [
        {"role": role, "content": f"{role} {n}"} for n in range(3) for role in ("user", "assistant")
    ]
    content = {"model": "m", "turns": 6, "conversation": turns}
    found = load_transcript(written(tmp_path / "long.json", content))
    assert (found.id, found.persona, found.text) == ("long", "long", "assistant 2")
    assert [(m.role, m.content) for m in found.messages] == [(*t.values(),) for t in turns]
    named = load_transcript(written(tmp_path / "n.json", content | {"conversation_id": "c5"}))
    assert named.id == "c5"
    for wrong, message in (
        (TRAIT, 'loud.json has no "conversation"'),
        ({"conversation": []}, "messages must be a list"),
        ({"conversation": [turns[1]]}, "no message of the user"),
    ):
        with pytest.raises(personascan.InputError, match=re.escape(message)):
            load_transcript(written(tmp_path / "loud.json", wrong))
