"""Conversations that cannot be read, each refused in one line."""

import pytest
from test_templates import merging_tokenizer
from tiny_conversations import (
    ASKED,
    GEMMA,
    OPTIONS,
    QWEN3,
    SMOLLM2,
    conversation,
    published,
    read,
    texts_of,
    told,
)
from tiny_models import CHAT

import personascan
from personascan.sources.language.conversation_prompts import openings
from personascan.sources.language.conversation_texts import takes_system
from personascan.sources.language.conversations import Response
from personascan.sources.language.templates import PromptOptions

REWRITES = {
    "upper": CHAT.replace("m['content']", "m['content'] | upper"),
    "last": CHAT.replace("messages %}", "messages[-1:] %}", 1),
    "backwards": CHAT.replace("messages %}", "messages | reverse %}", 1),
    "doubles": CHAT.replace("{{ m['content'] }}", "{{ m['content'] ~ m['content'] }}"),
    "by text": CHAT.replace("<|im_end|>", "{{ m['content'] | length }}<|im_end|>"),
}


@pytest.mark.parametrize(
    ("way", "named"),
    [
        ("upper", r"message 1 \(user\)"), ("last", r"message 1 \(user\)"), ("backwards", "answer"),
        ("doubles", r"message 1 \(user\)"), ("by text", "answer 1"),
    ],
)  # fmt: skip
def test_a_template_that_rewrites_is_refused(way, named):
    tokenizer = merging_tokenizer(REWRITES[way], "<|im_start|>", "<|im_end|>")
    row = conversation("c-7", *told(2, False, False))
    with pytest.raises(
        personascan.InputError, match=rf"{named}.* of conversation c-7, .*template="
    ):
        read(tokenizer, [row])


def test_thinking_that_a_template_cuts_is_refused_by_its_turn():
    row = conversation(
        "c-7", *told(1, False, False), ("user", "I"), ("assistant", "<think>a</think>b</think>c")
    )
    with pytest.raises(personascan.InputError, match="answer 2 of conversation c-7"):
        read(published(QWEN3), [row])


BAD = [
    (conversation("c-7", ASKED), "c-7 has no answer of the model"),
    (conversation("c-7"), "c-7 has no messages"),
    (conversation("c-7", ASKED, ("assistant", " \n")), "answer 1 of conversation c-7 has no token"),
    (conversation("c-7", ASKED, ("bystander", "x")), "c-7 has no answer"),
    (conversation("c-7", ("bystander", "x"), ("assistant", "x")), "role 'bystander'"),
    (conversation("c-7", *told(1, False, False), response=Response((1,), "x", "stop")),
     "response behind an answer"),
    (conversation("c-7", ASKED, response=Response((1,), "", "stop")), "c-7 is empty: .* only the"),
    (conversation("c-7", ASKED, response=Response((), "", "length")), "c-7 is empty: .* nothing"),
    (conversation("c-7", ASKED, response=Response((1,), "", "eos")), "c-7 ended by 'eos'"),
    (conversation("c-7", ASKED, response=Response((9999,), "x", "length")),
     "conversation c-7 has the token"),
    (conversation("c-7", ASKED, ("assistant", "I " * 200)), r"conversation c-7 has \d+ tokens"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "message"), BAD)
def test_what_cannot_be_read_is_one_line(row, message):
    with pytest.raises(personascan.InputError, match=message) as caught:
        read(published(SMOLLM2), [conversation("c", *told(1, True, False)), row], limit=200)
    assert "\n" not in str(caught.value)


def test_an_opening_ends_with_what_is_to_be_answered():
    with pytest.raises(personascan.InputError, match="c-7 ends with an answer"):
        openings(published(SMOLLM2), [conversation("c-7", *told(1, True, False))], OPTIONS, 5000)
    (opening,) = openings(published(SMOLLM2), [conversation("c", ("user", " "))], OPTIONS, 5000)
    assert (opening.first, opening.last) == (0, len(opening.ids) - 1)


def test_a_template_that_refuses_a_conversation_names_it():
    rows = [
        conversation("c", *told(1, False, False)),
        conversation("c-7", ASKED, *told(1, False, False)),
    ]
    with pytest.raises(personascan.InputError, match=r"refuses conversation c-7 \(Conversation r"):
        read(published(GEMMA), rows)
    row = conversation("c-7", ("system", "Be kind."), ("assistant", "Yes."))
    with pytest.raises(personascan.InputError, match="c-7 has an instruction and no user message"):
        read(published(GEMMA), [row])


def test_options_of_statements_are_refused():
    row = conversation("c", *told(1, False, False))
    with pytest.raises(personascan.InputError, match="role none"):
        read(published(SMOLLM2), [row], PromptOptions(role="none"))
    with pytest.raises(personascan.InputError, match="prefix and suffix"):
        read(published(SMOLLM2), [row], PromptOptions(prefix="x"))
    bare = merging_tokenizer("", None, None)
    bare.chat_template = None
    with pytest.raises(personascan.InputError, match="need a chat template"):
        read(bare, [row])
    statement = personascan.Statement("s", "I like it", "p", "", True, 1.0, "")
    with pytest.raises(personascan.InputError, match="cannot be read together"):
        read(published(SMOLLM2), [row, statement])


def test_an_answer_at_the_very_beginning_is_refused():
    tokenizer = published("microsoft-phi-4.jinja")
    row = conversation("c-7", ("assistant", "Hello"), ("user", "a"), ("assistant", "b"))
    with pytest.raises(personascan.InputError, match="c-7 begins with answer 1"):
        read(tokenizer, [row])
    assert len(read(published(SMOLLM2), [row])[0].turns) == 2


def test_a_template_without_system_role_that_drops_it(capsys):
    drops = CHAT.replace("messages %}", "messages if m.role != 'system' %}", 1)
    tokenizer = merging_tokenizer(drops, "<|im_start|>", "<|im_end|>")
    assert not takes_system(tokenizer, OPTIONS)
    row = conversation("c", ("system", "Be kind.\n"), ASKED)
    (opening,) = openings(tokenizer, [row], OPTIONS, 5000)
    before, own, _ = texts_of(tokenizer, opening.ids, (opening.first, opening.last))
    assert (before, own) == ("<|im_start|>user\nBe kind.\n\n", "Is it?")
    assert capsys.readouterr().err.count("no system message") == 1
