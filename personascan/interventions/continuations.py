"""What a model writes behind texts or prompts, as it is, pushed along a direction or capped."""

import dataclasses
from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from personascan.direction import Direction
from personascan.errors import InputError
from personascan.interventions.caps import Cap, cap_edit
from personascan.interventions.direction_checks import refuse_misfit
from personascan.interventions.edits import UNEDITED, NamedEdit, add_vector, stack_edits
from personascan.models.load import LanguageModel
from personascan.sources.language.editing import Editing
from personascan.sources.language.extract import BATCH_TOKENS
from personascan.sources.language.generate import Writing, write_tokens
from personascan.sources.language.prompt_tokens import Prompt, tokens_around
from personascan.sources.language.prompts import applied_options, prompts_of
from personascan.sources.language.statements import as_statements
from personascan.sources.language.templates import PromptOptions


@overload
def generate(
    model: LanguageModel,
    prompts: str,
    writing: Writing | None = None,
    *,
    edits: Direction | Cap | None = None,
    tokens: str = "all",
    options: PromptOptions | None = None,
    stop: tuple[int, ...] | None = None,
    batch_tokens: int = BATCH_TOKENS,
) -> str: ...


@overload
def generate(
    model: LanguageModel,
    prompts: Sequence[str],
    writing: Writing | None = None,
    *,
    edits: Direction | Cap | None = None,
    tokens: str = "all",
    options: PromptOptions | None = None,
    stop: tuple[int, ...] | None = None,
    batch_tokens: int = BATCH_TOKENS,
) -> list[str]: ...


@overload
def generate(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    writing: Writing | None = None,
    *,
    edits: Direction | Cap | None = None,
    tokens: str = "all",
    options: PromptOptions | None = None,
    stop: tuple[int, ...] | None = None,
    batch_tokens: int = BATCH_TOKENS,
) -> list[list[int]]: ...


def generate(
    model: LanguageModel,
    prompts: str | Sequence[str] | Sequence[Prompt],
    writing: Writing | None = None,
    *,
    edits: Direction | Cap | None = None,
    tokens: str = "all",
    options: PromptOptions | None = None,
    stop: tuple[int, ...] | None = None,
    batch_tokens: int = BATCH_TOKENS,
) -> Any:
    """Writes behind each prompt, with a key/value cache; pushed along a direction if one is given.

    The checkpoint's repetition penalty is applied, as Transformers does.

    Args:
      model: from `load_model`.
      prompts: a text or several: a user's messages through the chat template, or texts to continue
        where the model has none; or prompts of `tokenize`.
      writing: how many tokens, and how each is chosen; None: 40 at most, the likeliest each time.
      edits: what is added to activations while the model reads and writes: a direction, such as
        `3 * direction`; or what bounds them: a cap, from `cap`; None: nothing.
      tokens: which are edited: "all", "statement" (the prompt's own), "generated", "last".
      options: of texts' prompts, whose role is always "user"; None: the tokenizer's own template.
      stop: tokens that end a text (kept at its end); None: those of the checkpoint.
      batch_tokens: padded tokens of a batch, what is written included.

    Returns:
      For a text its continuation, for several texts a list of them, for prompts a list of tokens
      each. What a row draws does not depend on what shares its batch.

    Raises:
      InputError: no prompts, an encoder, a model without an unembedding, a direction of another
        model's shape, texts longer than the model takes or in which its rotation would change,
        logits that are NaN or infinite.
    """
    if not isinstance(writing, Writing | None):
        raise InputError(
            f"writing must be a Writing, such as Writing(new_tokens=5); got {writing!r}"
        )
    if not isinstance(prompts, str):
        prompts = list(prompts)
    texts = [prompts] if isinstance(prompts, str) else prompts
    tokenized: Any = texts
    if not all(isinstance(prompt, Prompt) for prompt in texts):
        tokenized = text_prompts(model, texts, options)
    editing = None if edits is None else one_edit(model, edits, len(tokenized), tokens)
    continuations = write_tokens(
        model, tokenized, writing or Writing(), editing=editing, stop=stop,
        batch_tokens=batch_tokens,
    )  # fmt: skip
    if tokenized is texts:
        return continuations
    texts = [
        continuation_text(model.tokenizer, prompt.ids, ids)
        for prompt, ids in zip(tokenized, continuations, strict=True)
    ]
    return texts[0] if isinstance(prompts, str) else texts


def text_prompts(
    model: LanguageModel, texts: Sequence[str], options: PromptOptions | None
) -> list[Prompt]:
    """Returns texts as a user's messages, or bare where the tokenizer has no chat template.

    Raises InputError for what is no text, and as `tokenize`.
    """
    options = dataclasses.replace(options or PromptOptions(), role="user", prefix="", suffix="")
    options = applied_options(model.tokenizer, options)
    tokenized = prompts_of(
        model.tokenizer, as_statements(texts), options, model.config.max_positions,
        model.config.vocab_size,
    )  # fmt: skip
    if options.role == "none":
        return [drop_end_tokens(model.tokenizer, prompt) for prompt in tokenized]
    return tokenized


def one_edit(model: LanguageModel, given: Direction | Cap, prompts: int, tokens: str):
    """Returns the push of all prompts along a direction, or their cap.

    Raises InputError for a misfit.
    """
    if not isinstance(given, Direction | Cap):
        raise InputError(f"edits must be a Direction or a Cap, got {type(given).__name__}")
    direction = given.direction if isinstance(given, Cap) else given
    refuse_misfit("the direction", direction, model.config)
    widths = {site: model.config.site_shape(site)[1] for site, _ in direction.shift}
    edit = cap_edit(given) if isinstance(given, Cap) else steering_edit(given, 1.0)
    return Editing(stack_edits([edit], widths), np.zeros(prompts, int), tokens)


def drop_end_tokens(tokenizer, prompt: Prompt) -> Prompt:
    """Returns the prompt without the tokens that the tokenizer puts after a finished text."""
    _, behind = tokens_around(tokenizer)
    if not behind or prompt.ids[-len(behind) :] != behind:
        return prompt
    return dataclasses.replace(prompt, ids=prompt.ids[: -len(behind)])


def continuation_text(tokenizer, prompt: list[int], generated: list[int]) -> str:
    """Returns the text of tokens after a prompt; alone they may lose the space they begin with."""
    before, whole, alone = (
        tokenizer.decode(ids, skip_special_tokens=True)
        for ids in (prompt, prompt + generated, generated)
    )
    return whole[len(before) :] if whole.startswith(before) else alone


def steering_edit(direction: Direction, strength: float) -> NamedEdit:
    """Returns the push of that strength, or the unedited model for strength 0."""
    if not strength:
        return UNEDITED
    changes = {}
    for at, shift_D in direction.shift.items():
        try:  # in float64, so that a product beyond float32 is refused without a warning
            changes[at] = add_vector(strength * np.asarray(shift_D, np.float64))
        except InputError as error:
            raise InputError(f"strength {strength:g}: {error}") from error
    return NamedEdit(direction.name, "steer", strength, changes=changes)
