"""How edited models answer about statements, and how likely statements and other text become."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from personascan.errors import InputError
from personascan.interventions.answers import Answers, answers_to
from personascan.interventions.edits import NamedEdit
from personascan.interventions.outcomes import Likelihood, Margin, SideEffects
from personascan.interventions.passes import edited_passes
from personascan.models.identity import Identity
from personascan.models.load import LanguageModel
from personascan.sources.language import prompts
from personascan.sources.language.prompt_tokens import Prompt
from personascan.sources.language.prompts import applied_options
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import PromptOptions

QUESTION = 'Is the following statement something you would say?\n"', '"'
CUE = "\nAnswer:"  # follows the question where no chat template asks for an answer
NEUTRAL = pathlib.Path(__file__).with_name("neutral.txt")


@dataclass(frozen=True)
class Judgements:
    """Margins, likelihoods and side effects under every edit; NaN where one was not computed."""

    margin_WN: np.ndarray  # logit of Yes less that of No
    likelihood_WN: np.ndarray  # nats a token
    divergence_W: np.ndarray  # KL(unedited || edited) on other text, nats a token
    perplexity_W: np.ndarray  # of other text; both for the first set and draw of a method


def judge(
    model: LanguageModel,
    statements: list[Statement],
    edits: list[NamedEdit],
    options: PromptOptions,
    *,
    tokens: str = "all",
    likelihood: bool = True,
    side_effects: bool = True,
    batch_tokens: int,
    progress: Callable[[int], None] = lambda texts: None,
) -> Judgements:
    """Reads every statement under every edit; the first edit is the unedited model.

    The answer is that to the question which the public evals ask (arXiv 2212.09251, section 3),
    through the chat template as a user's message, or for a model without one followed by a cue. Its
    place is that of the model's own turn in the template (`answers_to`).
    The likelihood is that of the statement as the study reads it (`options`). `progress` is told
    how many more texts have been read, of the number that `count_readings` gives.

    Raises InputError as `tokenize`, `answers_to` and `edited_passes`.
    """
    passes = functools.partial(
        edited_passes, model, tokens=tokens, batch_tokens=batch_tokens, progress=progress
    )
    answers = answers_to(
        model.tokenizer, question_options(model.tokenizer, options, wording_of(statements))
    )
    margin_WN = passes(questions(model, statements, options, answers), edits, answers.margin)
    likelihood_WN = np.full(margin_WN.shape, np.nan)
    if likelihood:
        likelihood_WN = passes(statement_prompts(model, statements, options), edits, Likelihood())
    chosen = with_side_effects(edits) if side_effects else []
    side_W2 = np.full((len(edits), 2), np.nan)
    if chosen:
        effects_WM2 = passes(neutral_prompts(model), [edits[w] for w in chosen], SideEffects())
        side_W2[chosen] = effects_WM2.mean(1)
    for name, values in (("answers", margin_WN), ("side effects", side_W2[chosen])):
        if not np.isfinite(values).all():
            raise InputError(f"{name} of the edited model are not finite; use smaller strengths")
    return Judgements(margin_WN, likelihood_WN, side_W2[:, 0], np.exp(side_W2[:, 1]))


def with_side_effects(edits: list[NamedEdit]) -> list[int]:
    """Returns the numbers of the edits whose side effects are measured: one set of each method."""
    return [w for w, edit in enumerate(edits) if edit.number == edit.draw == 0]


def count_readings(
    statements: int, edits: list[NamedEdit], *, likelihood: bool = True, side_effects: bool = True
) -> int:
    """Returns how many texts `judge` reads; one that it reads under two edits is counted twice."""
    of_statements = (1 + likelihood) * statements * len(edits)
    return of_statements + side_effects * len(with_side_effects(edits)) * len(neutral_texts())


def questions(
    model: LanguageModel,
    statements: list[Statement],
    options: PromptOptions,
    answers: Answers | None = None,
) -> list[Prompt]:
    """Returns the question about each statement, as a user asks it, up to its answer."""
    asked = question_options(model.tokenizer, options, wording_of(statements))
    answers = answers or answers_to(model.tokenizer, asked)
    asked_prompts = prompts_of(model, statements, asked, room=answers.extra_tokens)
    return [answers.extend(question) for question in asked_prompts]


def answer_margin(model: LanguageModel | Identity, options: PromptOptions) -> Margin:
    """Returns the margin between the first tokens of the two answers to a question."""
    return answers_to(model.tokenizer, question_options(model.tokenizer, options)).margin


def question_options(tokenizer, options: PromptOptions, wording=QUESTION) -> PromptOptions:
    """Returns the options of a question: a user's message, or a text before a cue."""
    before, after = wording
    asked = dataclasses.replace(options, role="user", prefix=before, suffix=after)
    if applied_options(tokenizer, asked).role == "none":
        asked = dataclasses.replace(asked, role="none", suffix=after + CUE)
    return asked


def wording_of(statements: list[Statement]) -> tuple[str, str]:
    """Returns the texts before and after a statement in its source's question, or in ours."""
    wordings = set()
    for s in statements:
        before, text, after = s.question.partition(s.text)
        wordings.add((before, after) if text else QUESTION)
    return wordings.pop() if len(wordings) == 1 else QUESTION


def statement_prompts(model, statements: list[Statement], options: PromptOptions) -> list[Prompt]:
    """Returns the statements as the study reads them, cut at their ends for their likelihoods."""
    whole = prompts_of(model, statements, options)
    return [dataclasses.replace(p, ids=p.ids[: p.last + 1]) for p in whole]


def prompts_of(
    model, statements: list[Statement], options: PromptOptions, room: int = 0
) -> list[Prompt]:
    """Returns prompts that leave room for so many tokens more."""
    return prompts.prompts_of(
        model.tokenizer, statements, options, model.config.max_positions - room,
        model.config.vocab_size,
    )  # fmt: skip


def neutral_texts() -> list[str]:
    """Returns the text on which side effects are measured, a passage a line."""
    return NEUTRAL.read_text(encoding="utf-8").splitlines()


def neutral_prompts(model: LanguageModel) -> list[Prompt]:
    """Returns a prompt for every passage alone, all of its tokens its own."""
    statements = [
        Statement(f"neutral {i}", text, "neutral", "", True, 1.0, "")
        for i, text in enumerate(neutral_texts())
    ]
    passages = prompts_of(model, statements, PromptOptions(role="none"))
    return [dataclasses.replace(p, first=0, last=len(p.ids) - 1) for p in passages]
