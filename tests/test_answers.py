"""The tokens with which answers begin, where the model would write them."""

import json
from dataclasses import asdict
from types import SimpleNamespace

import pytest
from test_templates import FOLDER, INDEX, merging_tokenizer
from tiny_pieces import spaced_tokenizer
from tokenizers import decoders

import personascan
from personascan.interventions.answers import answers_to
from personascan.interventions.continuations import continuation_text, drop_end_tokens
from personascan.interventions.judging import question_options, questions
from personascan.sources.language.prompts import tokenize
from personascan.sources.language.templates import PromptOptions
from personascan.study.node_sets import answer_inputs

CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
STATEMENT = personascan.Statement("s", "we hope", "p", "", True, 1.0, "")


def asked_and_answered(tok):
    """(the question as asked, up to its answer, the answers) of a statement."""
    asked = question_options(tok, PromptOptions())
    (question,) = tokenize(tok, [STATEMENT], **{"max_positions": 5000} | asdict(asked))
    answers = answers_to(tok, asked)
    return question, answers.extend(question), answers


def dialogue(tok, answer):
    """The tokens of the template's own turn that holds an answer."""
    asked = question_options(tok, PromptOptions())
    turns = [
        {"role": "user", "content": asked.prefix + STATEMENT.text + asked.suffix},
        {"role": "assistant", "content": answer},
    ]
    whole = tok.apply_chat_template(turns, tokenize=False)
    return tok(whole, add_special_tokens=False)["input_ids"]


def tokens_of(tok, answers):
    return tok.convert_ids_to_tokens([answers.margin.yes, answers.margin.no])


def test_behind_a_line_end_an_answer_has_no_space():
    tok = spaced_tokenizer(CHAT)
    question, before, answers = asked_and_answered(tok)
    assert tokens_of(tok, answers) == ["Yes", "No"]
    assert before == question
    for answer, token in (("Yes", answers.margin.yes), ("No", answers.margin.no)):
        assert dialogue(tok, answer)[: len(before.ids) + 1] == [*before.ids, token]


def test_behind_the_cue_an_answer_has_a_space():
    tok = spaced_tokenizer()
    question, before, answers = asked_and_answered(tok)
    assert tokens_of(tok, answers) == ["▁Yes", "▁No"]
    assert before == question


def test_an_answer_does_not_follow_the_last_token_of_a_text():
    tok = spaced_tokenizer(ends=True)
    question, before, answers = asked_and_answered(tok)
    assert question.ids[-1] == tok.eos_token_id
    assert before.ids == question.ids[:-1]
    assert tokens_of(tok, answers) == ["▁Yes", "▁No"]


# Turns behind a space, a line end, an empty thought, nothing; one for all of the model's prompts.
PUBLISHED = (
    "meta-llama-Llama-2-13b-chat-hf", "TinyLlama-TinyLlama-1.1B-Chat-v1.0", "Qwen-Qwen3-0.6B",
    "CohereForAI-c4ai-command-r-plus", "microsoft-phi-4",
)  # fmt: skip


@pytest.mark.parametrize("name", [f"{name}.jinja" for name in PUBLISHED])
def test_answers_stand_where_published_templates_put_them(name):
    entry = INDEX[name]
    template = (FOLDER / name).read_text(encoding="utf-8")
    tok = merging_tokenizer(template, entry["bos_token"], entry["eos_token"])
    _, before, answers = asked_and_answered(tok)
    for answer, token in (("Yes", answers.margin.yes), ("No", answers.margin.no)):
        assert dialogue(tok, answer)[: len(before.ids) + 1] == [*before.ids, token]
    thought = "<think>\n\n</think>\n\n" if "Qwen3" in name else ""
    assert tok.decode(list(answers.opening)).strip(" ") == thought


@pytest.mark.parametrize(
    ("opened", "turn", "dropped"),
    [("<a><think>\n", "<a>", "<think>\n"), ("<a>: ", "<a>: ", ""), ("<a>", "<a>\n", "")],
)
def test_the_question_goes_on_as_the_turn_does(opened, turn, dropped):
    """Where the prompt opens a thought that turns lack, and where a line end is left to the model.

    Byte-level tokens join a space to the word behind it: the answer then begins with that token.
    """
    tok = merging_tokenizer("<u><a><think>", None, None)
    tok.chat_template = (
        "{% for m in messages %}{% if m.role == 'user' %}<u>{{ m.content }}"
        "{% else %}" + turn + "{{ m.content }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}" + opened + "{% endif %}"
    )
    question, before, answers = asked_and_answered(tok)
    for answer, token in (("Yes", answers.margin.yes), ("No", answers.margin.no)):
        assert dialogue(tok, answer)[: len(before.ids) + 1] == [*before.ids, token]
    cut = tok.decode(question.ids[len(question.ids) - answers.dropped :])
    assert cut.strip(" ") == dropped


def test_a_template_of_one_message_is_answered_right_behind_it():
    tok = spaced_tokenizer("<{{ messages[0].content }}>{% if messages[1] %}{{ 1 / 0 }}{% endif %}")
    question, before, answers = asked_and_answered(tok)
    assert before == question
    assert tokens_of(tok, answers) == ["Yes", "No"]
    tok.chat_template = "<{{ messages[0].content }}>"
    assert tokens_of(tok, asked_and_answered(tok)[2]) == ["Yes", "No"]


def test_a_question_and_the_opening_of_its_answer_fit_the_model():
    tok = spaced_tokenizer(CHAT.replace("<|assistant|>\n{% endif", "<|assistant|>{% endif"))
    question, before, _ = asked_and_answered(tok)
    assert before.ids == [*question.ids, *tok.convert_tokens_to_ids(["<0x0A>"])]
    for most in (len(before.ids), len(question.ids)):
        config = SimpleNamespace(max_positions=most, vocab_size=len(tok))
        model = SimpleNamespace(tokenizer=tok, config=config)
        if most == len(before.ids):
            assert questions(model, [STATEMENT], PromptOptions()) == [before]
            continue
        with pytest.raises(personascan.InputError, match="tokens; the model takes"):
            questions(model, [STATEMENT], PromptOptions())


@pytest.mark.parametrize("template", [CHAT, None])
def test_answers_that_the_tokenizer_does_not_know_are_refused(template):
    tok = spaced_tokenizer(template, letters=list("Iabcdefghijklmnoqprstuvw"))
    with pytest.raises(personascan.InputError, match="does not tell the answers Yes and No apart"):
        answers_to(tok, question_options(tok, PromptOptions()))


def test_units_are_new_only_where_answers_are_looked_at_elsewhere():
    options = json.dumps(asdict(PromptOptions()))
    plain = merging_tokenizer("[{{ messages[0].content }}]", None, None)
    assert answer_inputs(plain, options) == {}
    tok = spaced_tokenizer(CHAT)
    assert answer_inputs(tok, options)["answers"] == [*tok.convert_tokens_to_ids(["Yes", "No"]), 0]


def test_what_is_written_goes_on_with_a_prompt_that_has_not_ended():
    tok = spaced_tokenizer(ends=True)
    (prompt,) = tokenize(tok, [STATEMENT], "none", 500)
    assert drop_end_tokens(tok, prompt).ids == prompt.ids[:-1]
    bare = spaced_tokenizer()
    (prompt,) = tokenize(bare, [STATEMENT], "none", 500)
    assert drop_end_tokens(bare, prompt) == prompt


def test_what_is_written_keeps_the_space_that_it_begins_with():
    tok = spaced_tokenizer()
    tok.backend_tokenizer.decoder = decoders.Sequence(
        [tok.backend_tokenizer.decoder, decoders.Strip(" ", 1, 0)]
    )
    prompt, yes = tok("we hope")["input_ids"], tok.convert_tokens_to_ids("▁Yes")
    assert tok.decode([yes]) == "Yes"
    assert continuation_text(tok, prompt, [yes]) == " Yes"
