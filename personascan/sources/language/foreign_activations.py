"""Activations that another program wrote, joined with the texts that they are of."""

import math
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from personascan.errors import InputError
from personascan.memory import refuse_too_much
from personascan.models.tokenizer import folder_tokenizer
from personascan.places import STREAM
from personascan.reading import read_json
from personascan.sources.language.activation_files import (
    ActivationFile,
    layer_numbers,
    open_file,
    row_files,
)
from personascan.sources.language.conversations import Conversation
from personascan.sources.language.extract import layer_names
from personascan.sources.language.positions import (
    check_numbers,
    check_positions,
    index,
    mean_span,
    turn_position,
)
from personascan.sources.language.prompt_tokens import Prompt, Turn
from personascan.sources.language.prompts import prompts_of
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import PromptOptions
from personascan.sources.store import Activations, arrays_to_fill, load_folder

NO_LIMIT = 2**31  # tokens of a text: whatever made the activations has read it
OF_STATEMENTS = ("last_statement", "mean_statement")


def read_activations(
    folder: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]],
    conversations: Sequence[Conversation | Statement] | None = None,
    positions: Sequence[str | int] = ("last",),
    *,
    tokenizer: Any = None,
    options: PromptOptions | None = None,
    spans: Mapping[str, int | Sequence[int]] | str | os.PathLike[str] | None = None,
    layers: Sequence[int | None] | None = None,
    out: str | os.PathLike[str] | None = None,
) -> Activations:
    """Reads activations that another program wrote, such as vLLM, for the rows that they are of.

    A file holds one row: a tensor [tokens, layers, width] of any float type (named hidden_states,
    or the only one), and `token_ids` [tokens]. It may end before the row's tokens do, but not
    before a position that is asked for. One file at a time is in memory.

    Args:
      folder: of files ID.safetensors; or {id: file}, for files of other names.
      conversations: conversations or statements, whose ids name the files; None: a row for each
        file.
      positions: as of `extract`; of conversations also those of the model's answers.
      tokenizer: the model's, or the folder that it is in: a row's tokens must then be those of its
        file. None: only what the files and `spans` say is known.
      options: how a row becomes a prompt, with `tokenizer`; None: as of `extract`.
      spans: where the answer is, without a tokenizer: {id: tokens in front of it} if it lasts to
        the end, {id: (first, last)}, or a JSON file of these.
      layers: the number of each of the files' layers in the model, from 0 (vLLM's id k is layer
        k - 1); None for one that is left out, such as the embedding. Not given: 0, 1, 2, ...
      out: a folder to write; arrays are then files there, mapped into memory.

    Returns:
      Activations: {Place("resid_post", layer, position): [N, D] float32}, which `locate` and
      `write_rows` take.

    Raises:
      InputError: rows without a file, tokens that differ (says which), files of different widths or
        numbers of layers, no tensor or several, values that are not finite, positions that a row
        does not have.
    """
    positions = check_positions(positions)
    rows = None if conversations is None else checked_rows(conversations)
    files = row_files(folder, None if rows is None else [row.id for row in rows])
    ids = list(files)
    if tokenizer is None:
        prompts = file_prompts(files, positions, spans)
    else:
        prompts = row_prompts(rows, tokenizer, options, spans)
    shape, held = check_files(files, prompts, tokenizer is not None)
    check_numbers(positions, prompts, ids)
    for position in positions:
        refuse_cut(position, ids, prompts, held)
    layers_L = layer_numbers(layers, shape[0])
    numbers = {STREAM: [layer for layer in layers_L if layer is not None]}
    kept_L = np.array([layer is not None for layer in layers_L])
    offsets = np.concatenate([[0], np.cumsum([len(p.ids) for p in prompts])])
    counts = {p: int(offsets[-1]) if p == "all" else len(ids) for p in positions}
    shapes = {(STREAM, p): (int(kept_L.sum()), counts[p], shape[1]) for p in positions}
    if out is None:
        needed = sum(4 * math.prod(of_position) for of_position in shapes.values())
        refuse_too_much("what is read", needed, "give out, a folder for it, or fewer positions")
    names = layer_names(numbers)
    with arrays_to_fill(shapes, ids, names, offsets, out) as arrays:
        for row, (path, prompt) in enumerate(zip(files.values(), prompts, strict=True)):
            file = open_file(path)
            if file.hidden_TLD.shape != (held[row], *shape):
                raise InputError(f"{path} has changed while it was read; do it again")
            for (_, position), array_LND in arrays.items():
                at = slice(offsets[row], offsets[row + 1]) if position == "all" else row
                array_LND[:, at] = kept_values(file, position, prompt)[kept_L]
                refuse_not_finite(array_LND[:, at], file, numbers[STREAM], position)
    if out is not None:
        return load_folder(pathlib.Path(out))
    return Activations(arrays, ids, names, offsets)


def checked_rows(rows) -> list[Conversation | Statement]:
    """Returns the rows as a list. Raises InputError for none, and for what has no id."""
    rows = list(rows)
    if not rows:
        raise InputError("there are no conversations or statements; give at least one, or None")
    for row in rows:
        if not isinstance(row, Conversation | Statement):
            raise InputError(
                f"{row!r} is neither a conversation nor a statement, whose ids name the files"
            )
    return rows


def row_prompts(rows, tokenizer, options: PromptOptions | None, spans) -> list[Prompt]:
    """Returns the prompts of rows, in the tokens of a tokenizer."""
    if rows is None:
        raise InputError("a tokenizer says nothing without conversations or statements; give them")
    if spans is not None:
        raise InputError("give a tokenizer or spans; both say where an answer is")
    if isinstance(tokenizer, str | os.PathLike):
        tokenizer = folder_tokenizer(pathlib.Path(tokenizer))
    return prompts_of(tokenizer, rows, options or PromptOptions(), NO_LIMIT)


def file_prompts(files, positions: tuple, spans) -> list[Prompt]:
    """Returns prompts of the files' own tokens, with the answers of the spans."""
    if spans is None:
        for position in positions:
            of_turn = isinstance(position, str) and turn_position(position) is not None
            if position in OF_STATEMENTS or of_turn:
                raise InputError(
                    f"position {position!r}: give tokenizer and conversations, or spans, which say "
                    "where the answer is"
                )
    elif not isinstance(spans, Mapping):
        spans = read_json(pathlib.Path(spans))
    prompts = []
    for id_, path in files.items():
        file = open_file(path)
        ids = file.token_ids or [0] * len(file.hidden_TLD)
        if spans is None:
            prompts.append(Prompt(ids, 0, len(ids) - 1))
            continue
        if id_ not in spans:
            raise InputError(f"spans has nothing of row {id_!r}; give all or none")
        first, last = answer_span(id_, spans[id_], len(ids))
        answer = (first, last)
        prompts.append(Prompt(ids, *answer, turns=(Turn(first - 1, first, last, answer=answer),)))
    return prompts


def answer_span(id_: str, given, tokens: int) -> tuple[int, int]:
    """Returns the first and last token of an answer. Raises InputError if it has none there."""
    pair = [given, tokens - 1] if isinstance(given, int | np.integer) else given
    try:
        first, last = (int(number) for number in pair if number == int(number))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"spans has {given!r} of row {id_!r}; give the number of tokens in front of the "
            "answer, or its first and last token"
        ) from error
    if not 1 <= first <= last < tokens:
        raise InputError(
            f"spans has an answer from token {first} to {last} of row {id_!r}, which has {tokens} "
            "tokens, numbered from 0, the first of them none of an answer"
        )
    return first, last


def check_files(files, prompts: list[Prompt], compare: bool) -> tuple[tuple[int, int], list[int]]:
    """Returns (layers, width) of all files, and how many tokens each holds.

    Raises InputError for files of different shapes, or of other tokens than their prompts.
    """
    shape, held, unnamed = None, [], 0
    for (id_, path), prompt in zip(files.items(), prompts, strict=True):
        file = open_file(path)
        own = file.hidden_TLD.shape[1:]
        if shape is not None and own != shape:
            raise InputError(
                f"{path} has {own[0]} layers x {own[1]}, and the files before it {shape[0]} x "
                f"{shape[1]}; give files of one model and of the same layers"
            )
        shape = own
        held.append(len(file.hidden_TLD))
        if compare:
            refuse_other_tokens(id_, file, prompt)
            unnamed += file.token_ids is None
    if unnamed:
        print(
            f"note: {unnamed} of {len(files)} files have no token_ids; of these only the number of "
            "tokens was compared",
            file=sys.stderr,
        )
    return shape, held


def refuse_other_tokens(id_: str, file: ActivationFile, prompt: Prompt) -> None:
    """Raises InputError unless a file's tokens are those of the row, or its first ones."""
    tokens = len(file.hidden_TLD)
    remedy = "use the tokenizer, template and messages that the file was made with"
    if file.token_ids is None:
        if tokens != len(prompt.ids):
            raise InputError(
                f"{file.path} has {tokens} tokens, and row {id_!r} has {len(prompt.ids)}; {remedy}"
            )
        return
    for number, (own, other) in enumerate(zip(file.token_ids, prompt.ids, strict=False)):
        if own != other:
            raise InputError(
                f"{file.path}: token {number} is {own}, and that of row {id_!r} is {other}; "
                f"{remedy}"
            )
    if tokens > len(prompt.ids):
        raise InputError(
            f"{file.path} goes on at token {len(prompt.ids)}, where row {id_!r} ends; {remedy}"
        )


def refuse_cut(position, ids: list[str], prompts: list[Prompt], held: list[int]) -> None:
    """Raises InputError for a file that ends before a position of its row does."""
    for id_, prompt, tokens in zip(ids, prompts, held, strict=True):
        _, last = tokens_of(position, prompt)
        if last >= tokens:
            raise InputError(
                f"position {position!r} of row {id_!r} takes token {last}, and its file ends with "
                f"{tokens - 1}; leave the position out, or make the activations of all tokens"
            )


def tokens_of(position, prompt: Prompt) -> tuple[int, int]:
    """Returns the first and last token of a position."""
    if position == "all":
        return 0, len(prompt.ids) - 1
    if str(position).startswith("mean"):
        return mean_span(position, prompt)
    return index(position, prompt), index(position, prompt)


def kept_values(file: ActivationFile, position, prompt: Prompt) -> np.ndarray:
    """Returns the values at a position: [L, D] float32, at "all" [L, T, D]."""
    first, last = tokens_of(position, prompt)
    values_TLD = file.hidden_TLD[first : last + 1]
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
        if position == "all":
            return values_TLD.astype(np.float32).swapaxes(0, 1)
        return values_TLD.astype(np.float64).mean(0).astype(np.float32)


def refuse_not_finite(values_LD, file: ActivationFile, numbers: list[int], position) -> None:
    finite = np.isfinite(values_LD)
    if not finite.all():
        first = np.argwhere(~finite)[0]
        raise InputError(
            f"{file.path}: resid_post {numbers[first[0]]} at {position} is "
            f"{values_LD[tuple(first)]} at node {first[-1]}; leave the row out, or make its "
            "activations in float32 or bfloat16"
        )
