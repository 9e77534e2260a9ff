"""Text generation: greedy or sampled, in batches, with edited activations if asked for."""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from personascan.bars import bar
from personascan.errors import InputError
from personascan.models.folder import CONFIG, GENERATION
from personascan.models.load import LanguageModel
from personascan.models.parameters import as_bits
from personascan.reading import is_file, read_json
from personascan.sources.language.batches import Batch, plan_batches
from personascan.sources.language.decoding import (
    NOTHING,
    Choosing,
    PromptRows,
    Rows,
    Writing,
    begin_rows,
    go_on_rows,
    merge_rows,
)
from personascan.sources.language.editing import Editing
from personascan.sources.language.extract import BATCH_TOKENS, explain_memory_errors
from personascan.sources.language.forward import groups
from personascan.sources.language.penalties import repetition_penalty
from personascan.sources.language.prompt_tokens import Prompt
from personascan.sources.language.sizes import refuse_large_caches

STEPS = 16  # after so many it is looked which rows have ended
AT_ONCE = 4  # batches of one shape that are written side by side, and merged as rows end
# Sharing the first tokens of a batch is one more loop to compile: so many tokens less must be read.
LEAST_SHARED = 512
SHARED_STEP = 8  # shared tokens are a multiple of this, so that few numbers are compiled


class Written(NamedTuple):
    """What was written behind one prompt."""

    ids: list[int]  # the new tokens, one that ended the text included
    ended: str  # "stop": by a token that ends a text; "length": by the number of new tokens


def write_tokens(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    writing: Writing,
    *,
    editing: Editing | None = None,
    stop: tuple[int, ...] | None = None,
    batch_tokens: int = BATCH_TOKENS,
    draws: Sequence[int] | None = None,
) -> list[list[int]]:
    """Returns the new tokens of each prompt, as `write_continuations` does with how each ended."""
    written = write_continuations(
        model, prompts, writing, editing=editing, stop=stop, batch_tokens=batch_tokens, draws=draws
    )
    return [each.ids for each in written]


def write_continuations(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    writing: Writing,
    *,
    editing: Editing | None = None,
    stop: tuple[int, ...] | None = None,
    batch_tokens: int = BATCH_TOKENS,
    draws: Sequence[int] | None = None,
) -> list[Written]:
    """Writes tokens behind each prompt, with a key/value cache.

    The checkpoint's repetition penalty is applied, as Transformers does.

    Args:
      prompts: from `tokenize`.
      editing: edits of the activations meanwhile; None: none.
      stop: tokens that end a text (kept at its end); None: those of the checkpoint.
      batch_tokens: padded tokens of a batch, what is written included.
      draws: [N] the number that decides each prompt's random draws, together with the seed; None:
        the prompt's number. A row's draws depend on nothing else, such as what shares its batch,
        which can change the last bits of its logits alone.

    Returns:
      Of each prompt the new tokens, and how they ended.

    Raises:
      InputError: no prompts, an encoder, a model without an unembedding, texts longer than the
        model takes or in which its rotation would change, caches that do not fit into memory,
        draws that are not a whole number for each prompt, logits that are NaN or infinite.
    """
    if not prompts:
        raise InputError("there are no prompts to continue; give at least one")
    longest = max(len(p.ids) for p in prompts) + writing.new_tokens
    if longest > model.config.max_positions:
        raise InputError(
            f"a prompt and {writing.new_tokens} new tokens are {longest} tokens; the model takes "
            f"{model.config.max_positions}: use fewer new tokens"
        )
    refuse_crossing(model, prompts, writing.new_tokens)
    ends = tuple(stop_tokens(model) if stop is None else stop)
    penalty = repetition_penalty(model)
    choosing = Choosing(
        jax.random.key(writing.seed), np.array(ends or [NOTHING], np.int32),
        None if penalty == 1 else np.float32(penalty),
    )  # fmt: skip
    batches = plan_batches(prompts, batch_tokens, pad=0, room=writing.new_tokens)
    refuse_large_caches(model.config, batches, writing.new_tokens, AT_ONCE)
    writer = Writer(model, list(prompts), writing, editing, choosing, as_draws(draws, len(prompts)))
    written = {}
    with explain_memory_errors(batches):
        for group in bar(groups(batches, AT_ONCE), "groups of batches"):
            written |= dict(writer.write(group))
    return [
        Written(ids, "stop" if ids[-1] in ends else "length")
        for ids in (written[number] for number in range(len(prompts)))
    ]


def as_draws(draws: Sequence[int] | None, prompts: int) -> np.ndarray:
    """Returns the numbers of the prompts' draws: [N] int32. Raises InputError for what is none."""
    if draws is None:
        return np.arange(prompts, dtype=np.int32)
    numbers = np.asarray(draws)
    most = np.iinfo(np.int32).max
    if numbers.shape != (prompts,) or numbers.dtype.kind not in "iu":
        raise InputError(f"draws must be {prompts} whole numbers, one for each prompt")
    if numbers.min() < 0 or numbers.max() > most:
        raise InputError(f"draws must be from 0 to {most}")
    return numbers.astype(np.int32)


class Writer:
    """Writes batches of one shape side by side."""

    def __init__(self, model: LanguageModel, prompts, writing, editing, choosing, draws):
        self.params = as_bits(model.params) if jax.default_backend() == "cpu" else model.params
        self.model, self.prompts, self.editing = model, prompts, editing
        self.choosing, self.draws = choosing, draws
        # Another seed or other stops of that number compile nothing anew.
        self.writing = dataclasses.replace(writing, seed=0)

    def write(self, group: list[Batch]) -> Iterator[tuple[int, list[int]]]:
        """Yields the number and the new tokens of every prompt of some batches."""
        parts = [(self.begin(batch), batch.rows[: batch.real]) for batch in group]
        parts = [(rows, fill_up(numbers, len(rows.token_B))) for rows, numbers in parts]
        edited = self.editing is not None and self.editing.generated
        sites = None if self.editing is None else self.editing.sites
        for step in range(1, self.writing.new_tokens, STEPS):
            steps = np.array([step, min(step + STEPS, self.writing.new_tokens)], np.int32)
            parts = [
                (
                    go_on_rows(
                        self.params, rows, steps, self.choosing, sites,
                        decoder=self.model.decoder(), writing=self.writing, edited=edited,
                    ),
                    numbers,
                )
                for rows, numbers in parts
            ]  # fmt: skip
            for rows, numbers in parts:
                yield from self.take_ended(rows, numbers)
            parts = merge_parts(parts)
        for rows, numbers in parts:
            yield from self.take(rows, numbers, np.flatnonzero(numbers >= 0))

    def begin(self, batch: Batch) -> Rows:
        edits = None if self.editing is None else self.editing.of_batch(batch, self.prompts)
        prompts = PromptRows(
            batch.tokens_BT, batch.lengths_B, self.draws[batch.rows],
            np.arange(len(batch.rows)) < batch.real,
        )  # fmt: skip
        shared = 0 if edits is not None else shared_tokens(self.model, batch)
        return begin_rows(
            self.params, prompts, self.choosing, edits, decoder=self.model.decoder(),
            writing=self.writing, shared=shared,
        )  # fmt: skip

    def take_ended(self, rows: Rows, numbers: np.ndarray):
        """Yields the rows that have ended, and strikes out their numbers."""
        yield from self.take(
            rows, numbers, np.flatnonzero(np.asarray(rows.ended_B) & (numbers >= 0))
        )

    def take(self, rows: Rows, numbers: np.ndarray, which: np.ndarray):
        new_BG, finite_B = np.asarray(rows.new_BG), np.asarray(rows.finite_B)
        for row in which:
            if not finite_B[row]:
                weaker = "" if self.editing is None else "smaller strengths, "
                raise InputError(
                    f"the logits behind prompt {numbers[row] + 1} of {len(self.prompts)} are not "
                    f"finite; use {weaker}dtype float32 or another checkpoint"
                )
            yield int(numbers[row]), new_BG[row][new_BG[row] != NOTHING].tolist()
            numbers[row] = NOTHING


def fill_up(numbers: np.ndarray, rows: int) -> np.ndarray:
    """Returns numbers for all rows of a batch, NOTHING for those that fill it up."""
    return np.concatenate([numbers, np.full(rows - len(numbers), NOTHING)])


def merge_parts(parts: list) -> list:
    """Returns as few batches as have room for the rows that go on: (rows, their numbers)."""
    parts = sorted((p for p in parts if (p[1] >= 0).any()), key=lambda p: -(p[1] >= 0).sum())
    going_on = sum((numbers >= 0).sum() for _, numbers in parts)
    while len(parts) > 1 and going_on <= (len(parts) - 1) * len(parts[0][1]):
        given, given_numbers = parts.pop()
        for at, (rows, numbers) in enumerate(parts):
            left = np.flatnonzero(given_numbers >= 0)
            room = np.flatnonzero(numbers < 0)[: len(left)]
            if not len(room):
                continue
            left = left[: len(room)]
            source_B = np.arange(len(numbers), dtype=np.int32)
            source_B[room] = len(numbers) + left
            numbers[room], given_numbers[left] = given_numbers[left], NOTHING
            parts[at] = merge_rows(rows, given, source_B), numbers
    return parts


def shared_tokens(model: LanguageModel, batch: Batch) -> int:
    """Returns how many first tokens of a batch are read once: those that all rows share.

    There are none if rotations depend on the length of a text, or where it would not pay.
    """
    if any(rope.kind in ("dynamic", "longrope") for rope in model.config.ropes):
        return 0
    most = int(batch.lengths_B.min()) - 1  # the last one says what comes next
    same_T = (batch.tokens_BT[:, :most] == batch.tokens_BT[:1, :most]).all(axis=0)
    shared = most if same_T.all() else int(np.argmin(same_T))
    shared -= shared % SHARED_STEP
    return shared if shared * (batch.real - 1) >= LEAST_SHARED else 0


def stop_tokens(model: LanguageModel) -> tuple[int, ...]:
    """Returns the tokens that end a text: the tokenizer's, a GGUF file's, and a configuration's.

    A folder names them in generation_config.json, or else in config.json, as in Transformers.
    """
    stops = {model.tokenizer.eos_token_id, *model.stops}
    for name in (GENERATION, CONFIG):
        path = model.path / name
        configured = configured_stops(path) if is_file(path) else set()
        if configured:
            stops |= configured
            break
    return tuple(sorted(stops - {None}))


def configured_stops(path: pathlib.Path) -> set[int]:
    """Returns a configuration's eos_token_id, one or several, or that of its text model."""
    settings = read_json(path)
    inner = settings.get("text_config")
    tokens = settings.get("eos_token_id")
    if tokens is None and isinstance(inner, dict):
        tokens = inner.get("eos_token_id")
    tokens = tokens if isinstance(tokens, list) else [tokens]
    if not all(token is None or type(token) is int for token in tokens):
        raise InputError(f"{path}: eos_token_id holds {tokens}; use numbers of tokens")
    return set(tokens) - {None}


def refuse_crossing(model: LanguageModel, prompts: list[Prompt], new_tokens: int) -> None:
    """Raises InputError for texts in which the rotation of cached keys would change."""
    for rope in model.config.ropes:
        if rope.kind != "longrope":
            continue
        for prompt in prompts:
            read = len(prompt.ids) + new_tokens - 1  # the last one is written and not read
            if len(prompt.ids) <= rope.original_positions < read:
                raise InputError(
                    f"the model rotates texts beyond {rope.original_positions} tokens in another "
                    f"way, and a prompt of {len(prompt.ids)} with {new_tokens} new tokens would "
                    "get there; use fewer new tokens"
                )
