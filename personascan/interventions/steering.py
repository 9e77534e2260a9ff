"""What an edited model writes, strength beside strength."""

import dataclasses
import os
import pathlib
import textwrap
from collections.abc import Sequence

import numpy as np

from personascan.errors import InputError
from personascan.interventions.edits import UNEDITED, NamedEdit, add_vector, stack_edits
from personascan.interventions.exchange import Direction, write_gguf, write_safetensors
from personascan.models.folder import read_folder_config
from personascan.models.gguf_file import open_gguf
from personascan.models.load import LanguageModel
from personascan.sources.language.editing import Editing
from personascan.sources.language.generate import Writing, generate
from personascan.sources.language.prompts import Prompt, applied_options, prompts_of, tokens_around
from personascan.sources.language.statements import Statement
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
    """Texts [prompt][strength] that a model writes behind prompts, pushed along a direction.

    All strengths of all prompts are one batch, in one compiled loop.

    Args:
      direction: what strength 1 adds, by site and layer.
      prompts: a user's messages through the chat template; for a model without one, the text that
        is gone on with.
      tokens: which are edited: all, statement (the prompt's own), generated, last.
      options: of the prompts; their role is set here.

    Raises:
      InputError: as `tokenize` and `generate`; no prompts or strengths.
    """
    if not prompts or not strengths:
        raise InputError("name at least one prompt and one strength")
    options = dataclasses.replace(options or PromptOptions(), role="user", prefix="", suffix="")
    options = applied_options(model.tokenizer, options)
    statements = [
        Statement(f"prompt {i + 1}", text, "", "", True, 1.0, "") for i, text in enumerate(prompts)
    ]
    found = prompts_of(
        model.tokenizer, statements, options, model.config.max_positions, model.config.vocab_size
    )
    if options.role == "none":
        found = [unfinished(model.tokenizer, prompt) for prompt in found]
    edits = [edit_of(direction, strength) for strength in strengths]
    widths = {site: model.config.site_shape(site)[1] for site, _ in direction.shift}
    each = [prompt for prompt in found for _ in strengths]
    edit_N = np.tile(np.arange(len(strengths)), len(found))
    editing = None
    if any(edit.changes for edit in edits):
        editing = Editing(stack_edits(edits, widths), edit_N, tokens)
    written = generate(model, each, writing, editing=editing)
    texts = [
        text_behind(model.tokenizer, prompt.ids, ids)
        for prompt, ids in zip(each, written, strict=True)
    ]
    return [texts[i : i + len(strengths)] for i in range(0, len(texts), len(strengths))]


def unfinished(tokenizer, prompt: Prompt) -> Prompt:
    """The prompt without the tokens that the tokenizer puts behind a text that has ended."""
    _, behind = tokens_around(tokenizer)
    if not behind or prompt.ids[-len(behind) :] != behind:
        return prompt
    return dataclasses.replace(prompt, ids=prompt.ids[: -len(behind)])


def text_behind(tokenizer, prompt: list[int], written: list[int]) -> str:
    """The text of tokens behind a prompt; alone they may lose the space that they begin with."""
    before, whole, alone = (
        tokenizer.decode(ids, skip_special_tokens=True)
        for ids in (prompt, prompt + written, written)
    )
    return whole[len(before) :] if whole.startswith(before) else alone


def edit_of(direction: Direction, strength: float) -> NamedEdit:
    """The push of that strength; none of strength 0."""
    if not strength:
        return UNEDITED
    changes = {}
    for at, shift_D in direction.shift.items():
        try:  # in float64: a product beyond float32 is refused, not warned of
            changes[at] = add_vector(strength * np.asarray(shift_D, np.float64))
        except InputError as error:
            raise InputError(f"strength {strength:g}: {error}") from error
    return NamedEdit(direction.name, "steer", strength, changes=changes)


def side_by_side(texts: list[str], headings: list[str], width: int) -> str:
    """Columns of wrapped text, for a terminal of that width."""
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
    """Numbers of a flag. Raises InputError for one that is none."""
    try:
        found = [float(text) for text in texts]
    except ValueError as error:
        raise InputError(f"strength: {error}; use numbers such as -4,0,4") from error
    if not np.isfinite(found).all():
        raise InputError("strength: use finite numbers such as -4,0,4")
    return found


def write_direction(
    path: str | os.PathLike[str],
    direction: Direction,
    model: LanguageModel,
    *,
    overwrite: bool = False,
) -> None:
    """A direction as the file's name asks: .safetensors, or a control vector of llama.cpp (.gguf).

    Raises InputError as `write_safetensors` and `write_gguf`, and for another name.
    """
    suffix = pathlib.Path(path).suffix
    if suffix == ".safetensors":
        write_safetensors(path, direction, overwrite=overwrite)
    elif suffix == ".gguf":
        write_gguf(path, direction, model.config, architecture_of(model), overwrite=overwrite)
    else:
        raise InputError(f"{path}: a direction is written as .safetensors or .gguf")


def architecture_of(model: LanguageModel) -> str:
    """What the model's files call it: a hint in control vectors, which nothing depends on."""
    if model.path.suffix == ".gguf":
        return str(open_gguf(model.path)[0].get("general.architecture", ""))
    return str(read_folder_config(model.path).get("model_type", ""))
