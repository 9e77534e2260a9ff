"""The model's turns in conversations, beside Transformers' rendering of published templates."""

import numpy as np
import pytest
from test_templates import FOLDER, INDEX, merging_tokenizer
from tiny_conversations import (
    ASKED,
    GEMMA,
    NO_SYSTEM,
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
from tiny_pieces import spaced_tokenizer

from personascan.sources.language.conversation_prompts import openings
from personascan.sources.language.conversation_texts import takes_system
from personascan.sources.language.conversations import Response
from personascan.sources.language.token_projections import text_pieces
from personascan.sources.language.written_text import written_text


def shown(template: str, messages):
    """Messages as a template without a system message is given them."""
    if template not in NO_SYSTEM or messages[0][0] != "system":
        return messages
    (_, instruction), (role, content), *others = messages
    return [(role, f"{instruction}\n\n{content}"), *others]


def rendered(tokenizer, messages, opened):
    of_roles = [{"role": role, "content": content} for role, content in messages]
    return tokenizer.apply_chat_template(
        of_roles, tokenize=False, add_generation_prompt=opened, date_string="26 Jul 2024"
    )


@pytest.mark.parametrize("name", INDEX)
def test_every_turn_is_where_transformers_opens_it(name, capsys):
    tokenizer = published(name)
    assert takes_system(tokenizer, OPTIONS) == (name not in NO_SYSTEM)
    cases = [
        told(turns, system, thinking, first)
        for turns in (1, 2, 3) for system in (False, True) for thinking in (False, True)
        for first in (0, 3)
    ]  # fmt: skip
    rows = [conversation(str(i), *messages) for i, messages in enumerate(cases)]
    prompts = read(tokenizer, rows)
    for row, messages, prompt in zip(rows, cases, prompts, strict=True):
        messages = shown(name, messages)
        whole = rendered(tokenizer, messages, False)
        assert prompt.ids == tokenizer(whole, add_special_tokens=False)["input_ids"]
        answers = [i for i, (role, _) in enumerate(messages) if role == "assistant"]
        assert len(prompt.turns) == len(answers)
        for turn, i in zip(prompt.turns, answers, strict=True):
            content = messages[i][1]
            thought, _, answer = content.rpartition("\n</think>\n\n")
            if name == QWEN3 and i < answers[-1]:
                content, thought = answer, ""  # the template leaves earlier thinking out
            before, own, behind = texts_of(tokenizer, prompt.ids, (turn.first, turn.last))
            assert before + own + behind == whole
            assert own.strip() == content
            opening = rendered(tokenizer, messages[:i], True)
            assert before.startswith(opening.rstrip())
            # Qwen 3 writes this in front of a last answer that holds no thinking.
            assert before[len(opening) :].strip() in ("", "<think>\n\n</think>")
            assert turn.opening == turn.first - 1
            parts = {"thinking": turn.thinking, "answer": turn.answer}
            wanted = {"thinking": thought.removeprefix("<think>\n") or None, "answer": answer}
            for part, span in parts.items():
                found = None if span is None else texts_of(tokenizer, prompt.ids, span)[1].strip()
                assert found == wanted[part]
        last = prompt.turns[-1]
        assert (prompt.first, prompt.last) == (last.first, last.last)
        if row.text == texts_of(tokenizer, prompt.ids, (last.first, last.last))[1]:
            pieces = np.split(list(row.text), prompt.ends)
            of_ids = [tokenizer.decode([i]) for i in prompt.ids[last.first : last.last + 1]]
            for piece, of_id in zip(pieces, of_ids, strict=False):
                assert "".join(piece) == of_id or "\ufffd" in of_id
    said = capsys.readouterr().err
    assert said.count("no system message") == (name in NO_SYSTEM)


@pytest.mark.parametrize("name", INDEX)
def test_openings_and_written_responses(name):
    tokenizer = published(name)
    stop, written = tokenizer.eos_token_id, " I like walks, 北京 🙂"
    ids = tuple(tokenizer(written, add_special_tokens=False)["input_ids"])
    rows = [
        conversation(str(i), *told(turns, True, False), ("user", "I like walks"), response=response)
        for i, (turns, response) in enumerate(
            [
                (0, Response((*ids, stop), written, "stop")),
                (1, Response(ids, written.strip(), "length")),
                (2, Response((*ids, stop), f"{written} {tokenizer.eos_token}", "stop")),
            ]
        )
    ]
    before = openings(tokenizer, rows, OPTIONS, 5000)
    for row, opening, prompt in zip(rows, before, read(tokenizer, rows), strict=True):
        messages = shown(name, [(m.role, m.content) for m in row.messages])
        whole = rendered(tokenizer, messages, True)
        assert opening.ids == tokenizer(whole, add_special_tokens=False)["input_ids"]
        own = texts_of(tokenizer, opening.ids, (opening.first, opening.last))
        assert own[1].strip() == "I like walks"
        assert "I like walks" not in own[2]
        assert opening.turns == ()
        assert prompt.ids == [*opening.ids, *row.response.ids]
        assert len(prompt.turns) == 1 + sum(m.role == "assistant" for m in row.messages)
        turn = prompt.turns[-1]
        assert turn.opening == len(opening.ids) - 1
        assert tuple(prompt.ids[turn.first : turn.last + 1]) == ids
        assert (turn.thinking, turn.answer) == (None, (turn.first, turn.last))
        pieces = text_pieces(tokenizer, prompt, row.text)
        assert "".join(pieces[prompt.first : prompt.last + 1]) == row.text


@pytest.mark.parametrize(
    ("name", "own"),
    [(SMOLLM2, " \n I like walks \n\n"), (GEMMA, "I like walks"), (QWEN3, " \n I like walks \n\n")],
)
def test_space_that_the_template_keeps_is_the_answers(name, own):
    tokenizer = published(name)
    row = conversation("c", ("user", " a \n"), ("assistant", " \n I like walks \n\n"),
                       ("user", "\n "), ("assistant", " \n I like walks \n\n"))  # fmt: skip
    (prompt,) = read(tokenizer, [row])
    first, last = prompt.turns
    assert texts_of(tokenizer, prompt.ids, (first.first, first.last))[1] == own
    assert texts_of(tokenizer, prompt.ids, (last.first, last.last))[1] == own
    pieces = text_pieces(tokenizer, prompt, row.text)
    assert "".join(pieces[prompt.first : prompt.last + 1]) == row.text


def thought(tokenizer, prompt):
    turn = prompt.turns[-1]
    return [
        None if span is None else texts_of(tokenizer, prompt.ids, span)[1]
        for span in (turn.thinking, turn.answer)
    ]


# A template that opens the thinking itself, and leaves it out of what was answered.
OPENS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] | trim }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n"
    "{% endif %}"
)


@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [
        ("<think>\nI see.\n</think>\n\nYes. </think>", "I see.", "Yes. </think>"),
        ("<think>\n\n</think>\n\nYes.", None, "Yes."),
        ("\n<think>I see", "I see", None),
        ("<think>\nI see.\n</think>\n\n", "I see.", None),
        ("[THINK]I see.[/THINK]Yes.", "I see.", "Yes."),
        ("<think>\n\n</think>", None, None),
        ("Yes, <think> is a word.", None, "Yes, <think> is a word."),
    ],
)
def test_thinking_in_a_response(text, thinking, answer):
    tokenizer = merging_tokenizer(CHAT, "<|im_start|>", "<|im_end|>")
    ids = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
    row = conversation("c", ("user", "<think>"), response=Response(ids, text, "length"))
    (prompt,) = read(tokenizer, [row])
    assert thought(tokenizer, prompt) == [thinking, answer]
    assert len(prompt.ids) - 1 == prompt.turns[0].last


@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [("I see.\n</think>\n\nYes.", "I see.", "Yes."), ("I see", "I see", None)],
)
def test_a_template_that_opens_the_thinking(text, thinking, answer):
    tokenizer = merging_tokenizer(OPENS, "<|im_start|>", "<|im_end|>")
    ids = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
    row = conversation("c", ("user", "Is it?"), response=Response(ids, text, "length"))
    (prompt,) = read(tokenizer, [row])
    assert thought(tokenizer, prompt) == [thinking, answer]
    assert prompt.turns[0].first == prompt.turns[0].opening + 1
    if answer:  # an answer of before has no thinking in this template
        told = conversation("c", ("user", "Is it?"), ("assistant", text))
        (prompt,) = read(tokenizer, [told])
        assert thought(tokenizer, prompt) == [None, answer]
        (turn,) = prompt.turns
        assert texts_of(tokenizer, prompt.ids, (turn.first, turn.last))[1] == answer


def test_thinking_without_the_marker_that_begins_it():
    tokenizer = published(QWEN3)
    row = conversation("c", ("user", "Is it?"), ("assistant", "I see.\n</think>\n\nYes."))
    (prompt,) = read(tokenizer, [row])
    assert thought(tokenizer, prompt) == ["I see.", "Yes."]
    (turn,) = prompt.turns
    own = texts_of(tokenizer, prompt.ids, (turn.first, turn.last))
    assert own[1] == row.text
    assert own[0].endswith("<think>\n")


LLAMA_2 = "meta-llama-Llama-2-13b-chat-hf.jinja"


def test_a_tokenizer_that_writes_spaces_as_letters():
    """Its decoder drops the space before a first token, and spells characters by bytes."""
    tokenizer = spaced_tokenizer((FOLDER / LLAMA_2).read_text(encoding="utf-8"))
    text = "Yes No, é Yes"
    ids = tuple(tokenizer(f" {text}", add_special_tokens=False)["input_ids"][1:])
    rows = [
        conversation("a", ASKED, ("assistant", text), ASKED, ("assistant", "Yes")),
        conversation("b", ASKED, ("assistant", text), ASKED, response=Response(ids, text, "stop")),
        conversation("c", ASKED, response=Response(ids, text, "length")),
    ]
    made, short, written = read(tokenizer, rows)
    for prompt in (made, short):
        turn = prompt.turns[0]
        assert texts_of(tokenizer, prompt.ids, (turn.first, turn.last))[1].strip() == text
        assert tokenizer.convert_ids_to_tokens(prompt.ids[turn.first]) == "▁Yes"
    assert short.ids[short.last + 1 :] == [ids[-1]]
    spelled = [piece.strip() for piece in text_pieces(tokenizer, written, text)[written.first :]]
    assert spelled == ["Yes", "No", ",", "", "é", "", "Yes"]


def test_the_characters_of_written_tokens():
    tokenizer = published(SMOLLM2)
    text = "  naïve café — 北京 🙂🙂🏽 \n I like walks<|im_end|>\n"
    encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    spelled, edges_T2 = written_text(tokenizer, [5, 6], encoding["input_ids"])
    assert spelled == text
    for (start, end), (wanted_start, wanted_end) in zip(
        edges_T2, encoding["offset_mapping"], strict=True
    ):
        # A character of several tokens comes with what its first one holds before it.
        assert (start, end) == (wanted_start, wanted_end) or "\ufffd" in tokenizer.decode(
            tokenizer(text[start:end], add_special_tokens=False)["input_ids"][:1]
        )
        assert start <= wanted_start < wanted_end <= end
