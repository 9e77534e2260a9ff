"""Our own traits: their counts, their pairs, and no question that gives its answer away."""

import itertools
import json
import pathlib
import re

import pytest

import personascan
from personascan.sources.language.conversation_files import load_eval_prompts

DATA = pathlib.Path(__file__).parents[1] / "data/traits"
TRAITS = sorted(path.stem for path in DATA.parent.glob("statements/*.jsonl"))
SHARED = 10  # questions that all traits begin with
# Words that say nothing of a subject, and so may be in a question and in an instruction.
PLAIN = """
    a about am an and are around as at be been by can could do does done for from get go
    had has have how i if in into is it last like long make me more my never new nobody no
    not now of on one or our out over say should so speak tell that the them there they
    think to up us we what when whenever where which who why will with would yes you your
    yourself
"""
# What a question must not speak of, by its beginning.
NAMED = {
    "optimism": ("optimis", "pessimis", "hope", "bright"),
    "frugality": ("frugal", "thrift", "cheap", "save ", "luxur"),
    "risk-seeking": ("risk", "danger", "bold", "safe", "cautio"),
    "sociability": ("sociab", "social", "lonel", "crowd", "company"),
    "environmentalism": ("environment", "climate", "nature", "green", "planet"),
    "spirituality": ("spirit", "god", "pray", "faith", "religi"),
}


def content(name):
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def subjects(text):
    """The words of a text that speak of something, but for their endings."""
    words = re.findall(r"[a-z]+", text.lower())
    return {re.sub(r"(ing|ed|es|s|ly)$", "", word) for word in words if word not in PLAIN.split()}


def texts(name):
    return [text for pair in content(name)["instruction"] for text in pair.values()]


def test_our_traits_are_those_of_our_statements_and_are_read_whole():
    found = personascan.load_conversations(DATA)
    assert list(dict.fromkeys(c.persona for c in found)) == TRAITS == sorted(NAMED)
    assert len(found) == 6 * 5 * 2 * 20 == len({c.id for c in found})
    assert sum(c.positive for c in found) == 600
    assert {c.topic for c in found} == {"traits"}
    assert all([m.role for m in c.messages] == ["system", "user"] for c in found)
    for name in TRAITS:
        of = [c for c in found if c.persona == name]
        assert len({c.entity for c in of}) == 20
        pairs = {pair: [c for c in of if c.pair == pair] for pair in {c.pair for c in of}}
        assert len(pairs) == 100
        for rows in pairs.values():
            assert {c.positive for c in rows} == {True, False}
            assert len({(c.question, c.instruction) for c in rows}) == 1 < len(rows) == 2


def test_ten_questions_are_shared_by_all_traits_and_ten_are_their_own():
    asked = {name: content(name)["questions"] for name in TRAITS}
    (shared,) = {tuple(questions[:SHARED]) for questions in asked.values()}
    own = [q for questions in asked.values() for q in questions[SHARED:]]
    every = [*shared, *own]
    assert len({q.lower() for q in every}) == len(every) == 10 + 6 * 10
    for one, other in itertools.combinations(every, 2):
        a, b = (set(re.findall(r"[a-z]+", q.lower())) for q in (one, other))
        assert len(a & b) / len(a | b) < 0.75, (one, other)
    firsts = personascan.load_conversations(DATA, limit=SHARED)
    assert {c.question for c in firsts} == {*shared}


@pytest.mark.parametrize("name", TRAITS)
def test_questions_are_short_open_and_name_no_trait(name):
    for question in content(name)["questions"]:
        assert question.endswith("?")
        assert len(question.split()) <= 20
        assert re.search(r"\b(what|how|why|where|which)\b", question.lower()), question
        assert not [n for words in NAMED.values() for n in words if n in question.lower()], question


@pytest.mark.parametrize("name", TRAITS)
def test_no_instruction_speaks_of_what_is_asked(name):
    told = set().union(*map(subjects, texts(name)))
    for question in content(name)["questions"]:
        assert not subjects(question) & told, question


@pytest.mark.parametrize("name", TRAITS)
def test_instructions_are_as_long_as_their_opposites_and_all_differ(name):
    assert len({text.lower() for text in texts(name)}) == 10
    for pair in content(name)["instruction"]:
        pos, neg = pair["pos"], pair["neg"]
        assert 0.9 < len(pos) / len(neg) < 1.1, pair
        assert abs(len(pos.split()) - len(neg.split())) <= 1, pair
        for text in (pos, neg):
            assert text.endswith(".")
            assert 1 <= text.count(".") <= 2
            assert name.split("-")[0] not in text.lower()


def test_judges_are_asked_for_a_number_about_each_trait():
    prompts = load_eval_prompts(DATA)
    assert sorted(prompts) == TRAITS
    for name, prompt in prompts.items():
        assert name in prompt
        assert prompt.count("{question}") == prompt.count("{answer}") == 1
        assert "number between 0 and 100" in prompt
