"""Texts that an edited model writes, one for each strength."""

import os
import pathlib
import textwrap
from collections.abc import Sequence

import numpy as np

from personascan.direction import Direction
from personascan.errors import InputError
from personascan.interventions.continuations import (
    continuation_text,
    steering_edit,
    text_prompts,
)
from personascan.interventions.direction_files import write_gguf, write_safetensors
from personascan.interventions.edits import stack_edits
from personascan.models.folder import read_folder_config
from personascan.models.gguf_file import open_gguf
from personascan.models.load import LanguageModel
from personascan.sources.language.editing import Editing
from personascan.sources.language.generate import Writing, write_tokens
from personascan.sources.language.templates import PromptOptions
from personascan.visible import visible


def steered_texts(
    model: LanguageModel,
    direction: Direction,
    prompts: Sequence[str],
    strengths: Sequence[float],
    writing: Writing,
    *,
    tokens: str = "all",
    options: PromptOptions | None = None,
) -> list[list[str]]:
    """Returns the texts [prompt][strength] that a model writes, pushed along a direction.

    All strengths of all prompts are one batch, in one compiled loop.

    Args:
      direction: what strength 1 adds, by site and layer; `Direction.strength` says its unit, and
        `in_unit` gives another.
      prompts: a user's messages through the chat template; for a model without one, texts to
        continue.
      tokens: which are edited: all, statement (the prompt's own), generated, last.
      options: of the prompts; their role is set here.

    Raises:
      InputError: as `tokenize` and `generate`; no prompts or strengths.
    """
    if not prompts or not strengths:
        raise InputError("name at least one prompt and one strength")
    tokenized = text_prompts(model, prompts, options)
    edits = [steering_edit(direction, strength) for strength in strengths]
    widths = {site: model.config.site_shape(site)[1] for site, _ in direction.shift}
    each = [prompt for prompt in tokenized for _ in strengths]
    edit_N = np.tile(np.arange(len(strengths)), len(tokenized))
    editing = None
    if any(edit.changes for edit in edits):
        editing = Editing(stack_edits(edits, widths), edit_N, tokens)
    continuations = write_tokens(model, each, writing, editing=editing)
    texts = [
        continuation_text(model.tokenizer, prompt.ids, ids)
        for prompt, ids in zip(each, continuations, strict=True)
    ]
    return [texts[i : i + len(strengths)] for i in range(0, len(texts), len(strengths))]


def side_by_side(texts: list[str], headings: list[str], width: int) -> str:
    """Returns columns of wrapped text for a terminal of that width."""
    column = max(12, (width - 3 * (len(texts) - 1)) // len(texts))

    def wrapped(text: str) -> list[str]:
        return [
            row
            for line in text.splitlines()
            for row in textwrap.wrap(visible(line), column) or [""]
        ]

    columns = [
        [heading, "-" * min(column, len(heading)), *wrapped(text)]
        for heading, text in zip(headings, texts, strict=True)
    ]
    depth = max(map(len, columns))
    rows = zip(*(c + [""] * (depth - len(c)) for c in columns), strict=True)
    return "\n".join("   ".join(cell.ljust(column) for cell in row).rstrip() for row in rows)


def parse_strengths(texts: list[str]) -> list[float]:
    """Returns the numbers of a flag. Raises InputError for a text that is no finite number."""
    try:
        strengths = [float(text) for text in texts]
    except ValueError as error:
        raise InputError(f"strength: {error}; use numbers such as -4,0,4") from error
    if not np.isfinite(strengths).all():
        raise InputError("strength: use finite numbers such as -4,0,4")
    return strengths


def write_direction(
    path: str | os.PathLike[str],
    direction: Direction,
    model: LanguageModel,
    *,
    overwrite: bool = False,
) -> None:
    """Writes a direction as .safetensors, or as a control vector of llama.cpp (.gguf).

    Raises InputError as `write_safetensors` and `write_gguf`, and for another suffix.
    """
    suffix = pathlib.Path(path).suffix
    if suffix == ".safetensors":
        write_safetensors(path, direction, overwrite=overwrite)
    elif suffix == ".gguf":
        write_gguf(path, direction, model.config, architecture_of(model), overwrite=overwrite)
    else:
        raise InputError(f"{path}: a direction is written as .safetensors or .gguf")


def architecture_of(model: LanguageModel) -> str:
    """Returns the model's name of its architecture: a hint in control vectors, never needed."""
    if model.path.suffix == ".gguf":
        return str(open_gguf(model.path)[0].get("general.architecture", ""))
    return str(read_folder_config(model.path).get("model_type", ""))
