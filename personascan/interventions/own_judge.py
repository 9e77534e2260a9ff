"""A model's own judgement of answers: the number it would give when it is asked as a judge is.

The model reads what a judge is asked, with question and answer filled in, as a user's message, and
its own turn is opened. The score is the mean of the allowed numbers, each by the probability that
the turn begins with it (`number_answers`), scaled to a sum of 1. Letters: N texts, K numbers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from personascan.errors import InputError
from personascan.interventions.number_answers import (
    number_log_probabilities,
    number_opening,
    numbers_behind,
    step_log_probabilities,
    steps_of,
)
from personascan.models.load import LanguageModel
from personascan.sources.language.conversation_prompts import openings
from personascan.sources.language.conversations import Conversation, Message
from personascan.sources.language.templates import PromptOptions
from personascan.sources.language.thinking import thinking_and_answer

# Scales begin at 0 or 1: "2 to 3 sentences" is none.
RANGE = re.compile(
    r"(?:\bbetween\s+([01])\s+and|(?<![\d.,])([01])\s*(?:to|[-\u2013\u2014]))\s*(\d{1,3})(?![\d.]*\d)",
    re.IGNORECASE,
)
TRAIT_RANGE, ROLE_RANGE = (0, 100), (0, 3)


@dataclass(frozen=True)
class Question:
    """What a judge is asked of a trait or role, and the whole numbers it may answer."""

    text: str  # with {question} and {answer}
    lowest: int
    highest: int

    @property
    def numbers(self) -> range:
        return range(self.lowest, self.highest + 1)

    def about(self, question: str, answer: str) -> str:
        """Returns the text with a question and its answer, without what was thought aloud."""
        _, span = thinking_and_answer(answer)
        filled = {"{question}": question, "{answer}": "" if span is None else answer[slice(*span)]}
        return re.sub(r"\{question\}|\{answer\}", lambda found: filled[found[0]], self.text)


class Judgements(NamedTuple):
    """What a model judges of N texts."""

    score_N: np.ndarray  # float64: the mean of the allowed numbers
    mass_N: np.ndarray  # float64: the probability that the turn begins with one of them


def judge_question(text: str, role: bool) -> Question:
    """Returns what a judge is asked, with the range of numbers that the text names.

    A text that names none, or several, allows 0 to 100 of a trait and 0 to 3 of a role.
    """
    usual = ROLE_RANGE if role else TRAIT_RANGE
    named = {(int(a or b), int(last)) for a, b, last in RANGE.findall(text)}
    named = {(lowest, highest) for lowest, highest in named if lowest + 1 < highest}
    return Question(text, *(named.pop() if len(named) == 1 else usual))


def own_judgements(
    model: LanguageModel,
    asked: Question,
    answers: Sequence[tuple[str, str]],
    options: PromptOptions,
    batch_tokens: int,
) -> Judgements:
    """Returns what a model judges of (question, answer) by itself.

    Raises:
      InputError: a model that predicts no next token, one without chat template, a text that is
        too long, a tokenizer that writes two numbers alike, probabilities that are not finite.
    """
    if not model.config.causal or not model.config.has_head:
        raise InputError(f"{model.source} predicts no next token, and so judges nothing")
    texts = [
        Conversation(
            f"to be judged {n + 1}", (Message("user", asked.about(*one)),), "", "", True
        )
        for n, one in enumerate(answers)
    ]  # fmt: skip
    prompts = openings(
        model.tokenizer, texts, options, model.config.max_positions, model.config.vocab_size
    )
    opening = number_opening(model.tokenizer, texts[0], str(asked.lowest), options)
    prompts, sequences = numbers_behind(
        model.tokenizer, opening, prompts, list(map(str, asked.numbers))
    )
    longest = max(map(len, sequences))
    for text, prompt in zip(texts, prompts, strict=True):
        if len(prompt.ids) + longest > model.config.max_positions:
            raise InputError(
                f"{text.id} and a number are {len(prompt.ids) + longest} tokens; the model takes "
                f"{model.config.max_positions}: ask for shorter answers"
            )
    prefixes, steps = steps_of(sequences)
    log_NE = step_log_probabilities(model, prompts, steps, batch_tokens)
    log_NK = number_log_probabilities(sequences, prefixes, steps, log_NE)
    log_mass_N = logsumexp(log_NK, axis=1)
    share_NK = np.exp(log_NK - log_mass_N[:, None])
    return Judgements(share_NK @ np.array(asked.numbers, float), np.exp(log_mass_N))
