"""Texts that an edited model writes, one for each strength, and one for each cap."""

import os
import pathlib
import textwrap
from collections.abc import Sequence

import numpy as np

from personascan.direction import Direction
from personascan.errors import InputError
from personascan.interventions.caps import Cap, cap_edit
from personascan.interventions.continuations import (
    continuation_text,
    steering_edit,
    text_prompts,
)
from personascan.interventions.direction_checks import refuse_misfit
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
    caps: Sequence[Cap] = (),
) -> list[list[str]]:
    """Returns the texts [prompt][strength] that a model writes, pushed along a direction.

    Behind those of the strengths are those of the caps.

    All strengths and caps of all prompts are one batch, in one compiled loop.

    Args:
      direction: what strength 1 adds, by site and layer; `Direction.strength` says its unit, and
        `in_unit` gives another.
      prompts: a user's messages through the chat template; for a model without one, texts to
        continue.
      tokens: which are edited: all, statement (the prompt's own), generated, last.
      options: of the prompts; their role is set here.
      caps: bounds on what activations have along a direction, from `cap`.

    Raises:
      InputError: as `tokenize` and `generate`; no prompts; neither strengths nor caps.
    """
    if not prompts or not (strengths or caps):
        raise InputError("name at least one prompt and one strength")
    tokenized = text_prompts(model, prompts, options)
    for one in (direction, *(cap.direction for cap in caps)):
        refuse_misfit("the direction", one, model.config)
    edits = [steering_edit(direction, strength) for strength in strengths] + list(
        map(cap_edit, caps)
    )
    sites = {site for edit in edits for site, _ in edit.changes}
    widths = {site: model.config.site_shape(site)[1] for site in sites}
    each = [prompt for prompt in tokenized for _ in edits]
    edit_N = np.tile(np.arange(len(edits)), len(tokenized))
    editing = None
    if any(edit.changes for edit in edits):
        editing = Editing(stack_edits(edits, widths), edit_N, tokens)
    continuations = write_tokens(model, each, writing, editing=editing)
    texts = [
        continuation_text(model.tokenizer, prompt.ids, ids)
        for prompt, ids in zip(each, continuations, strict=True)
    ]
    return [texts[i : i + len(edits)] for i in range(0, len(texts), len(edits))]


def where_steered(direction: Direction) -> str:
    """Returns at which place a direction steers, along how many nodes, and whose rows made it."""
    sizes = [f"{(x_D != 0).sum()} of {x_D.size}" for x_D in direction.shift.values()]
    layers = ", ".join(f"{site} {layer}" for site, layer in direction.shift)
    said = f"at {layers}, along {', '.join(sizes)} nodes"
    place, half = direction.record.get("place"), direction.record.get("half")
    if not (isinstance(place, list) and len(place) == 3 and isinstance(half, str)):
        return said  # of a file that was made elsewhere
    rows = "all rows" if half == "all" else f"the rows of half {half}"
    return f"{said}, by {rows} at {place[0]} {place[1]}, {place[2]}"


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
    return parse_numbers("strength", texts, "-4,0,4")


def parse_numbers(flag: str, texts: list[str], such_as: str) -> list[float]:
    """Returns the numbers of any flag, as `parse_strengths`."""
    try:
        numbers = [float(text) for text in texts]
    except ValueError as error:
        raise InputError(f"{flag}: {error}; use numbers such as {such_as}") from error
    if not np.isfinite(numbers).all():
        raise InputError(f"{flag}: use finite numbers such as {such_as}")
    return numbers


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
