"""A model's own judgement against torch, which reads every allowed number by itself."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from tiny_conversations import JUDGE, ROLE, TRAIT, written
from tiny_models import VARIANTS, save_tiny, save_tiny_llama, save_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

import personascan
from personascan.interventions.number_answers import (
    number_log_probabilities,
    number_opening,
    numbers_behind,
    steps_of,
)
from personascan.interventions.own_judge import Question, judge_question, own_judgements
from personascan.models import verify
from personascan.sources.language.conversation_options import ConversationOptions
from personascan.sources.language.conversations import Conversation, Message
from personascan.sources.language.prompt_tokens import Prompt
from personascan.sources.language.templates import PromptOptions
from personascan.study.stages.judged import judge_questions

ASKED = Question("Q {question} A {answer} 0 to 12", 0, 12)
ANSWERS = [("who", "me"), ("why", "he"), ("{answer}", "<think>hm</think> no")]


def torch_log_probability(theirs, ids, more) -> float:
    """Of some tokens behind others, given one after the other."""
    with torch.no_grad():
        log_TV = torch.log_softmax(theirs(torch.tensor([[*ids, *more]])).logits[0].double(), -1)
    return sum(log_TV[len(ids) - 1 + i, token].item() for i, token in enumerate(more))


def test_the_mean_of_the_numbers_is_that_of_each_read_alone_by_torch(tmp_path):
    save_tiny_llama(tmp_path)
    model, theirs = personascan.load_model(str(tmp_path)), verify.torch_model(tmp_path)
    found = own_judgements(model, ASKED, ANSWERS, PromptOptions(), 512)
    spelled = {k: model.tokenizer(str(k))["input_ids"] for k in ASKED.numbers}
    assert spelled[12] == [*spelled[1], *spelled[2]]  # digit by digit
    for n, (question, answer) in enumerate(ANSWERS):
        text = f"Q {question} A {answer.removeprefix('<think>hm</think> ')} 0 to 12"
        ids = model.tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, return_dict=False
        )
        share = {k: np.exp(torch_log_probability(theirs, ids, spelled[k])) for k in spelled}
        share[1] -= sum(share[k] for k in (10, 11, 12))  # 1 is none of those that go on from it
        assert found.mass_N[n] == pytest.approx(sum(share.values()), rel=1e-4)
        expected = sum(k * p for k, p in share.items()) / sum(share.values())
        assert found.score_N[n] == pytest.approx(expected, rel=1e-4)


def test_numbers_of_several_tokens_share_what_is_left_of_their_prefixes():
    """A distribution over all tokens behind each prefix, and the longest number that is there."""
    sequences = [(5,), (5, 6), (5, 6, 7), (8, 6), (9,)]
    prefixes, steps = steps_of(sequences)
    assert prefixes == [(), (5,), (8,), (5, 6)]
    logits_NPV = np.random.default_rng(0).normal(size=(3, len(prefixes), 12))
    log_NPV = logits_NPV - logsumexp(logits_NPV, axis=2, keepdims=True)
    p = np.exp(log_NPV)
    log_NK = number_log_probabilities(
        sequences, prefixes, steps, log_NPV[:, steps.prefix_E, steps.token_E]
    )
    ends = p[:, 0, 5] * (1 - p[:, 1, 6]), p[:, 0, 5] * p[:, 1, 6] * (1 - p[:, 3, 7])
    expected = [*ends, p[:, 0, 5] * p[:, 1, 6] * p[:, 3, 7], p[:, 0, 8] * p[:, 2, 6], p[:, 0, 9]]
    np.testing.assert_allclose(np.exp(log_NK).T, expected, rtol=1e-12)


def test_tokens_that_a_number_joins_stand_in_front_of_every_number():
    """A tokenizer that writes a space and a digit as one token, as SentencePiece does."""
    vocabulary = {token: i for i, token in enumerate(["a", ":", "Ġ", "1", "0", "Ġ1", "10"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("Ġ", "1"), ("1", "0")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    prompts = [Prompt([0, 1, 2], 0, 0), Prompt([0, 0, 1, 2], 0, 1)]
    shorter, sequences = numbers_behind(tokenizer, "a: ", prompts, ["0", "1", "10"])
    assert [p.ids for p in shorter] == [[0, 1], [0, 0, 1]]
    assert sequences == [(2, 4), (5,), (5, 4)]
    with pytest.raises(personascan.InputError, match="does not tell the numbers"):
        numbers_behind(tokenizer, "a: ", prompts, ["1", "1"])


@pytest.mark.parametrize(
    ("template", "opening"),
    [
        ("{% for m in messages %}{{ '[' + m.content + ']' if m.role == 'user' else ' ' + m.content "
         "+ '.' }}{% endfor %}", "[hi] "),  # as Llama 2 writes turns
        ("{% for m in messages %}[{{ m.content }}]{% endfor %}", "[hi]"),
        ("{% if messages[1:] %}{{ raise_exception('one') }}{% endif %}[{{ messages[0].content }}]",
         "[hi]"),
    ],
)  # fmt: skip
def test_a_number_begins_where_the_template_writes_what_the_model_says(tmp_path, template, opening):
    save_tokenizer(tmp_path, template)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    asked = Conversation("a", (Message("user", "hi"),), "", "", True)
    assert number_opening(tokenizer, asked, "0", PromptOptions()) == opening


@pytest.mark.parametrize(
    ("text", "role", "numbers"),
    [
        ("Give a number between 0 and 100, the number alone, in 2 to 3 digits.", False, (0, 100)),
        ("From 1 to 10: how loud?", False, (1, 10)),
        ("Loud? 0-100, where 0 is silent.", True, (0, 100)),
        ("Say 0, 1, 2 and 3: 0 is none", True, (0, 3)),
        ("0 to 10, or 1 to 5", False, (0, 100)),
        ("How loud?", False, (0, 100)),
    ],
)
def test_the_numbers_that_a_prompt_names_are_those_allowed(text, role, numbers):
    asked = judge_question(text, role)
    assert (asked.lowest, asked.highest) == numbers


def test_a_study_asks_what_its_files_ask_unless_it_is_told_not_to(tmp_path):
    written(tmp_path / "loud.json", TRAIT)
    written(
        tmp_path / "baker.json", ROLE | {"questions": ["a"], "eval_prompt": "{question}{answer}"}
    )
    written(tmp_path / "seller.json", ROLE | {"questions": ["a"]})
    options = ConversationOptions((str(tmp_path),))
    asked = judge_questions(SimpleNamespace(conversations=options))
    assert asked == {
        "loud": Question(JUDGE, 0, 100), "baker": Question("{question}{answer}", 0, 3),
    }  # fmt: skip
    silent = replace(options, judge=False)
    assert judge_questions(SimpleNamespace(conversations=silent)) == {}
    (tmp_path / "loud.json").unlink()
    (tmp_path / "baker.json").unlink()
    assert judge_questions(SimpleNamespace(conversations=options)) == {}


def test_an_encoder_judges_nothing(tmp_path):
    kind, overrides = VARIANTS["bert"]
    save_tiny(tmp_path, kind, **overrides)
    model = personascan.load_model(str(tmp_path))
    with pytest.raises(personascan.InputError, match="judges nothing"):
        own_judgements(model, ASKED, ANSWERS, PromptOptions(), 512)
