"""The model's turns in conversations, beside Transformers' rendering of published templates."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_templates import FOLDER, INDEX, merging_tokenizer
from tiny_models import CHAT, save_tiny_llama

import personascan
from personascan.models.tap import Kept
from personascan.sources.language import conversation_prompts
from personascan.sources.language.conversation_prompts import openings
from personascan.sources.language.conversation_texts import takes_system
from personascan.sources.language.conversations import Conversation, Message, Response
from personascan.sources.language.prompts import prompts_of
from personascan.sources.language.templates import PromptOptions
from personascan.sources.language.token_projections import text_pieces

OPTIONS = PromptOptions()
QWEN3 = "Qwen-Qwen3-0.6B.jinja"
SMOLLM2 = "HuggingFaceTB-SmolLM2-135M-Instruct.jinja"
GEMMA = "google-gemma-2-2b-it.jinja"
MISTRAL = "mistralai-Mistral-7B-Instruct-v0.1.jinja"
NO_SYSTEM = {GEMMA, MISTRAL}
# Texts that recur, are words of templates, hold their markers, or hold one another.
ANSWERS = ["I like walks", "user", "I like walks", "</s> assistant", "naïve café — 北京 🙂", "a"]


def conversation(id_, *messages, **fields):
    told = tuple(Message(role, content) for role, content in messages)
    return Conversation(id_, told, "calm", "", True, **fields)


def read(tokenizer, rows, options=OPTIONS, limit=5000):
    return prompts_of(tokenizer, rows, options, limit)


@functools.cache
def published(name):
    entry = INDEX[name]
    template = (FOLDER / name).read_text(encoding="utf-8")
    return merging_tokenizer(template, entry["bos_token"], entry["eos_token"])


def told(turns: int, system: bool, thinking: bool, first=0):
    """Messages of so many turns; each answer is also what a user says."""
    messages = [("system", "I like walks")] if system else []
    for turn in range(first, first + turns):
        answer = ANSWERS[turn % len(ANSWERS)]
        thought = f"<think>\n{ANSWERS[(turn + 1) % len(ANSWERS)]}\n</think>\n\n" * thinking
        messages += [("user", answer), ("assistant", thought + answer)]
    return messages


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


def texts_of(tokenizer, ids, span):
    first, last = span
    parts = ids[:first], ids[first : last + 1], ids[last + 1 :]
    return [tokenizer.decode(part, clean_up_tokenization_spaces=False) for part in parts]


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


ASKED = ("user", "Is it?")
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


# Activations


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_tiny_llama(folder)
    return personascan.load_model(str(folder))


@pytest.fixture(scope="module")
def rows(model):
    stop = model.tokenizer.eos_token_id
    return [
        conversation("a", *told(1, False, True)),
        conversation("b", *told(2, False, False)),
        conversation("c", ASKED, response=Response((70, 71, 200, 72, stop), "", "stop")),
    ]


POSITIONS = ("last_prompt", "first_response", "mean_response", "mean_response@1")


@pytest.fixture(scope="module")
def extracted(model, rows, tmp_path_factory):
    return personascan.extract(
        model, rows, sites=("resid_post", "final_norm"), positions=("all", *POSITIONS),
        out=tmp_path_factory.mktemp("extracted") / "a", progress=False,
    )  # fmt: skip


def test_activations_are_means_of_the_turns_own_tokens(model, rows, extracted):
    assert extracted.ids == ["a", "b", "c"]
    for number, prompt in enumerate(read(model.tokenizer, rows)):
        last, first = prompt.turns[-1], prompt.turns[0]
        spans = {
            "last_prompt": (last.first - 1, last.first),
            "first_response": (last.first, last.first + 1),
            "mean_response": (last.first, last.last + 1),
            "mean_response@1": (first.first, first.last + 1),
        }
        for site in ("resid_post", "final_norm"):
            every = extracted.stacks[site, "all"][:, extracted.offsets[number] :]
            for position, span in spans.items():
                wanted = every[:, slice(*span)].astype(np.float64).mean(1)
                own = extracted.stacks[site, position][:, number]
                np.testing.assert_allclose(own, wanted, rtol=0, atol=1e-6 * np.abs(every).max())


def test_activations_are_those_of_writing_with_a_cache(model, rows, extracted):
    (opening,) = openings(model.tokenizer, rows[2:], OPTIONS, 500)
    decoder, kept = model.decoder(), Kept(jnp.zeros((1, 1), jnp.int32))

    @jax.jit
    def write(params, before_BT, written_BT):
        """The states of the last token before, and of those that are written behind it."""
        variables, start = {"params": params}, jnp.zeros(1, jnp.int32)
        cache = decoder.apply(variables, 1, 100, method="empty_cache")
        first_BTD, cache = decoder.apply(variables, before_BT, start, cache, kept, method="go_on")
        states = [first_BTD[0, -1]]
        for number in range(written_BT.shape[1]):
            token_BT, at = written_BT[:, number : number + 1], start + before_BT.shape[1] + number
            next_BTD, cache = decoder.apply(variables, token_BT, at, cache, kept, method="go_on")
            states.append(next_BTD[0, -1])
        return jnp.stack(states)

    ids = rows[2].response.ids[:-1]
    states = np.asarray(write(model.params, jnp.array([opening.ids]), jnp.array([ids])))
    wanted = dict(zip(POSITIONS, (states[0], states[1], *[states[1:].mean(0)] * 2), strict=True))
    for position, state in wanted.items():
        own = extracted.stacks["final_norm", position][0, 2]
        np.testing.assert_allclose(own, state, rtol=0, atol=1e-5)


def test_a_response_that_changes_the_rotation_is_refused(model, rows):
    config = model.config
    rope = dataclasses.replace(config.ropes[0], kind="longrope", original_positions=27)
    changed = dataclasses.replace(config, ropes=(rope,))
    prompts = read(model.tokenizer, rows[2:])
    assert prompts[0].turns[0].first <= 27 < len(prompts[0].ids)
    with pytest.raises(personascan.InputError, match=r"conversation c with .* gets there by its"):
        conversation_prompts.refuse_crossing(changed, rows[2:], prompts)
    conversation_prompts.refuse_crossing(config, rows[2:], prompts)
