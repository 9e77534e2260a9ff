"""Extraction: the activations of statements at every layer of a model, in one pass."""

import contextlib
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from personascan.errors import InputError
from personascan.models.decoder import SITES
from personascan.models.load import LanguageModel
from personascan.places import ONCE, Place, layer_number
from personascan.processes import is_first
from personascan.sources.language.batches import Batch, plan_batches
from personascan.sources.language.conversation_prompts import refuse_crossing
from personascan.sources.language.conversations import (
    Conversation,
    are_conversations,
    as_rows,
)
from personascan.sources.language.forward import run
from personascan.sources.language.positions import check_numbers, check_positions
from personascan.sources.language.prompt_tokens import Prompt
from personascan.sources.language.prompts import prompts_of
from personascan.sources.language.sizes import refuse_too_large
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import DATE, PromptOptions
from personascan.sources.store import Activations, arrays_to_fill, load_folder

BATCH_TOKENS = 4096


def extract(
    model: LanguageModel,
    statements: Sequence[Statement | str | Conversation],
    *,
    sites: Sequence[str] = ("resid_post",),
    layers: Sequence[int | str] | None = None,
    positions: Sequence[str | int] = ("last",),
    role: str = "system",
    prefix: str = "",
    suffix: str = "",
    template: str = "",
    template_keywords: dict[str, Any] | None = None,
    date: str = DATE,
    batch_tokens: int | None = None,
    out: str | os.PathLike[str] | None = None,
    strict: bool = False,
    progress: bool = True,
) -> Activations:
    """Extracts the activations of every layer for every statement.

    Each statement becomes one chat message in the tokenizer's template, with the model's turn
    opened; "last" keeps the last token of that prompt (arXiv 2505.24539, section 3). Conversations
    are read whole, with the model's answers, which positions of their own name.

    Args:
      model: from `load_model`.
      statements: from `load_statements`, or strings; or conversations.
      sites: any of resid_pre, attn_out, mlp_out, resid_post (one for each block), final_norm, all
        of the model's width; head_out, the heads' outputs before attention's output projection
        (heads x head_dim nodes, node // head_dim is the head); mlp_hidden, the neurons that the
        MLP's down projection reads (mlp_width nodes; not with experts).
      layers: the numbers of those to keep, or shares of the depth such as "50%"; None: all.
      positions: any of "first" (of the prompt: [CLS] if the tokenizer adds it), "last",
        "last_statement" (the statement's own last token, before the template's), "mean_statement",
        "mean" (of the prompt), whole numbers (from the first token, or negative from the last),
        "all" (every token; needs `out`). Of a conversation's last answer, or with "@2" behind it of
        its second: "last_prompt" (the token before it), "first_response", "last_response",
        "mean_response", "mean_thinking", "mean_answer" (what stands behind the thinking).
      role: role of the message: "system", "user", "assistant", or "none" for the bare text; the
        messages of conversations have their own.
      prefix, suffix: texts around every statement, inside the message.
      template: the name of one of the tokenizer's chat templates; "": the default one.
      template_keywords: variables for the template, for example {"enable_thinking": False}.
      date: the day that templates see, YYYY-MM-DD; the system's date is never used.
      batch_tokens: padded tokens of a batch; each device of the mesh's `data` axis runs batches of
        its own; None: 4096.
      out: a folder to write; arrays are then files there, mapped into memory. Of several processes
        the first writes it, and the others return no arrays.
      strict: raise an error for a tokenizer without chat template; False: use role "none", with a
        notice.
      progress: show a bar with statements/s on standard error.

    Returns:
      Activations: {Place: [N, D] float32}, in the order of `statements`; at "all" a row is a
      token, [sum of T, D], and `offsets` [N + 1] says where each statement's tokens start.

    Raises:
      InputError: no statements, an unknown site, layer, position or role, mlp_hidden of a model of
        experts, a template that refuses or drops the message (names another role), a token without
        a row in the embedding, a statement too long, a numbered position that a prompt does not
        have, "all" without `out`, NaN or Inf in an activation.
    """
    positions = check_request(statements, sites, positions, batch_tokens, out)
    options = PromptOptions(role, prefix, suffix, strict, template, template_keywords or {}, date)
    reading = plan_reading(model, as_rows(statements), sites, positions, options, batch_tokens)
    numbers = layer_numbers(model.config.layers, layers)
    return read_activations(model, reading, numbers, out=out, progress=progress)


def read_activations(
    model: LanguageModel, reading: "Reading", numbers: list[int], *, out=None, progress: bool
) -> Activations:
    """Returns what `extract` does, of the layers of those numbers."""
    from tqdm import tqdm

    ids, offsets = reading.ids, reading.offsets
    kept = {site: [0] if site in ONCE else numbers for site in reading.sites}
    tokens = {p: int(offsets[-1]) if p == "all" else len(ids) for p in reading.positions}
    shapes = {
        (site, position): (len(kept[site]), tokens[position], model.config.site_shape(site)[1])
        for site in reading.sites
        for position in reading.positions
    }
    kept_bytes = 0 if out is not None else sum(4 * math.prod(shape) for shape in shapes.values())
    progress = progress and is_first()
    writes = out is None or is_first()
    refuse_too_large(
        model, reading.batches, reading.sites, reading.positions, kept_bytes, say=progress
    )
    names, depth = layer_names(kept), model.config.layers
    with (
        arrays_to_fill(
            shapes if writes else {}, ids, names, offsets, out if writes else None, depth
        ) as arrays,
        tqdm(total=len(ids), desc="activations", unit=" statements", disable=not progress) as bar,
    ):
        for done, blocks in run_batches(model, reading):
            for site, position, rows, block_LND in blocks if writes else ():
                arrays[site, position][:, rows] = block_LND[kept[site]]
            bar.update(done)
    if out is not None and writes:
        return load_folder(pathlib.Path(out))
    return Activations(arrays, ids, names, offsets, depth)


def layer_numbers(depth: int, layers: Sequence[int | str] | None) -> list[int]:
    """Returns the numbers of the layers asked for, ascending, each once; of all for None.

    Raises InputError for one that a model of that depth does not have.
    """
    if layers is None:
        return list(range(depth))
    if isinstance(layers, str | int) or not len(layers):
        raise InputError(f"layers must be a sequence of numbers or shares, got {layers!r}")
    return sorted({layer_number(layer, depth) for layer in layers})


def extract_into(
    model: LanguageModel,
    statements: list[Statement],
    arrays: Mapping[Place, np.ndarray],
    *,
    options: PromptOptions,
    batch_tokens: int,
    progress,
) -> None:
    """Writes the activations of some places into their arrays [N, D], batch by batch.

    It calls `progress(n)` after every n statements. Raises InputError as `extract`.
    """
    sites = tuple(dict.fromkeys(place.site for place in arrays))
    positions = tuple(dict.fromkeys(place.position for place in arrays))
    reading = plan_reading(model, statements, sites, positions, options, batch_tokens)
    refuse_too_large(model, reading.batches, sites, positions, 0, say=False)
    for done, blocks in run_batches(model, reading):
        for site, position, rows, block_LND in blocks:
            for place, array_ND in arrays.items():
                if (place.site, place.position) == (site, position):
                    array_ND[rows] = block_LND[place.layer]
        progress(done)


class Reading(NamedTuple):
    """The prompts and batches in which a model reads statements, and what is kept of them."""

    ids: list[str]
    prompts: list[Prompt]
    batches: list[Batch]
    offsets: np.ndarray  # [N + 1]: the start of each statement's tokens
    sites: tuple[str, ...]
    positions: tuple


def plan_reading(
    model, statements, sites, positions, options: PromptOptions, batch_tokens
) -> Reading:
    """Plans prompts and batches. Raises InputError for what the model cannot read or give."""
    for site in sites:
        model.config.site_shape(site)
    prompts = prompts_of(
        model.tokenizer, statements, options, model.config.max_positions, model.config.vocab_size
    )
    if are_conversations(statements):
        refuse_crossing(model.config, statements, prompts)
    ids = [s.id for s in statements]
    check_numbers(positions, prompts, ids)
    batches = plan_batches(prompts, batch_tokens or BATCH_TOKENS, pad=0)
    offsets = np.concatenate([[0], np.cumsum([len(p.ids) for p in prompts])])
    return Reading(ids, prompts, batches, offsets, tuple(sites), tuple(positions))


def run_batches(model: LanguageModel, reading: Reading):
    """Yields (statements done, [(site, position, row numbers, [L, rows, D])]) of every batch."""
    positions = reading.positions
    with explain_memory_errors(reading.batches):
        for batch, kept in run(model, reading.batches, reading.prompts, reading.sites, positions):
            blocks = []
            for site, kept_LBPD in kept.items():
                for position, rows, block_LND in separate_positions(
                    kept_LBPD, batch, positions, reading.offsets
                ):
                    refuse_non_finite(block_LND, site, [reading.ids[row] for row in batch.rows])
                    blocks.append((site, position, rows, block_LND))
            yield batch.real, blocks


@contextlib.contextmanager
def explain_memory_errors(batches: list[Batch]):
    """Turns an error of memory that runs out into an InputError that says what to change."""
    try:
        yield
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        reason = " ".join(str(error).split())[:160]
        tokens = max(batch.tokens_BT.size for batch in batches)
        raise InputError(
            f"memory ran out during extraction ({reason}); use batch_tokens below {tokens}"
        ) from error


def separate_positions(kept_LBPD, batch: Batch, positions, offsets):
    """Yields (position, row numbers in the array of all statements, [L, rows, D]) of a batch."""
    rows = batch.rows[: batch.real]
    tokens = batch.tokens_BT.shape[1] if "all" in positions else 0
    ordered = sorted((p for p in positions if p != "all"), key=lambda p: str(p).startswith("mean"))
    for number, position in enumerate(ordered, tokens):
        yield position, rows, kept_LBPD[:, :, number]
    if tokens:
        real_BT = np.arange(tokens)[None] < batch.lengths_B[: batch.real, None]
        token_rows = np.concatenate([np.arange(offsets[row], offsets[row + 1]) for row in rows])
        yield "all", token_rows, kept_LBPD[:, :, :tokens][:, real_BT]


def layer_names(numbers: dict[str, list[int]]) -> dict[str, list[str]]:
    """Returns the names of each site's layers, {site: [L]}, of {site: their numbers}."""
    return {
        site: [site] if site in ONCE else [f"{site} {number}" for number in of_site]
        for site, of_site in numbers.items()
    }


def check_request(statements, sites, positions, batch_tokens, out) -> tuple:
    """Returns the checked positions. Raises InputError for what cannot be extracted."""
    if not len(statements):
        raise InputError("there are no statements to extract activations for")
    if not isinstance(sites, list | tuple) or not sites:
        raise InputError(f"sites must be a sequence of names, got {sites!r}")
    for name in sites:
        if name not in SITES:
            raise InputError(f"site {name!r} is unknown; known: {', '.join(SITES)}")
    if len(set(sites)) < len(sites):
        raise InputError(f"sites names one twice: {sites!r}")
    positions = check_positions(positions)
    if batch_tokens is not None and not (isinstance(batch_tokens, int) and batch_tokens >= 1):
        raise InputError(f"batch_tokens = {batch_tokens!r}; use a whole number of at least 1")
    if "all" in positions and out is None:
        raise InputError('position "all" keeps every token; name a folder for it with out=')
    return positions


def refuse_non_finite(block_LND, site: str, ids: list[str], numbers=None) -> None:
    """Raises InputError that names layer, node and statement; `numbers` are those of the layers."""
    if np.isfinite(block_LND).all():
        return
    layer, row, node = np.argwhere(~np.isfinite(block_LND))[0]
    who = f"statement {ids[row]}" if block_LND.shape[1] <= len(ids) else "a token"
    number = layer if numbers is None else numbers[layer]
    where = site if site in ONCE else f"{site} {number}"
    raise InputError(
        f"the activation at {where}, node {node} is {block_LND[layer, row, node]} for {who}; "
        "use dtype float32 or another checkpoint"
    )
