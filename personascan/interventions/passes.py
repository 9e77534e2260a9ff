"""Many texts read under many edits; the computations that these share are done once.

The blocks below the first edited one are the same for all edits, and the first tokens that all
texts share are the same for all texts of an edit: a text is read from that block on, after those
tokens. Letters: W edits, C edits at once, N texts, T tokens of a text after the P shared ones.
"""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.interventions.edits import NamedEdit, first_layer, stack_edits
from personascan.interventions.outcomes import Rows
from personascan.models.decoder import Cache, Decoder
from personascan.models.load import LanguageModel
from personascan.models.parameters import as_bits
from personascan.models.tap import Edit, Edits, Kept
from personascan.sources.language.batches import Batch, buckets
from personascan.sources.language.editing import edited_span
from personascan.sources.language.extract import BATCH_TOKENS, explain_memory_errors
from personascan.sources.language.prompt_tokens import Prompt

MOST_COPIED = 4 * 2**30  # bytes of blocks, above which no upper ones are copied
MOST_BUCKETS = 2  # of texts by length: each is compiled


class Reading(NamedTuple):
    """Texts of like length after their shared tokens, as the first edited block reads them."""

    numbers: np.ndarray  # [N] of the texts
    tokens_NT: np.ndarray
    lengths_N: np.ndarray  # the beginning included
    stream_PD: jax.Array
    stream_NTD: jax.Array
    edited_P: np.ndarray  # bool: tokens that edits change
    edited_NT: np.ndarray
    own_NT: np.ndarray  # bool: the statement's own tokens, except the first of a text


def edited_passes(
    model: LanguageModel,
    prompts: list[Prompt],
    edits: list[NamedEdit],
    outcome,
    *,
    tokens: str = "all",
    batch_tokens: int = BATCH_TOKENS,
    progress: Callable[[int], None] = lambda texts: None,
) -> np.ndarray:
    """Returns the outcome of every text under every edit: [W, N, ...] float64.

    Args:
      prompts: from `tokenize`.
      outcome: a record of `outcomes`; `outcome(decoder, variables, rows)` gives [X, ...].
      tokens: which tokens are edited (`editing.TOKENS`).
      batch_tokens: padded tokens that are read at once.
      progress: is told how many more texts have been read, one under two edits counted twice.

    Raises:
      InputError: an encoder, a model without an unembedding, memory that runs out, an outcome
        that is not finite, except for a text that has no own tokens after its first.
    """
    if not model.config.causal or not model.config.has_head:
        raise InputError(
            f"{model.source} predicts no next token, and so gives no answers; use a causal model "
            "with an lm_head"
        )
    widths = {site: model.config.site_shape(site)[1] for edit in edits for site, _ in edit.changes}
    first = first_layer(edits, model.config.layers)
    start = first if copies_blocks(model) else 0
    below = blocks(model, 0, start, final_norm=False)
    above = blocks(model, start, model.config.layers)
    sites = {s: e._replace(layer_K=e.layer_K - start) if s != "final_norm" else e
             for s, e in stack_edits(edits, widths).items()}  # fmt: skip
    sites = jax.tree.map(jnp.asarray, sites)
    outcomes = None
    for reading in readings(model, prompts, below, tokens, batch_tokens):
        outcome_WN = outcomes_of_edits(
            above, sites, reading, len(edits), outcome, batch_tokens, progress
        )
        refuse_not_finite(outcome_WN, reading, edits)
        if outcomes is None:
            outcomes = np.full((len(edits), len(prompts), *outcome_WN.shape[2:]), np.nan)
        outcomes[:, reading.numbers] = outcome_WN
    return outcomes


def refuse_not_finite(outcome_WN, reading: Reading, edits: list[NamedEdit]) -> None:
    """Raises InputError with the first edit and text whose outcome is NaN or infinite."""
    own_N = reading.own_NT.any(axis=1)
    finite_WN = np.isfinite(outcome_WN).reshape(*outcome_WN.shape[:2], -1).all(-1)
    if (finite_WN | ~own_N).all():
        return
    w, n = np.argwhere(~finite_WN & own_N)[0]
    what = "the model" if not edits[w].changes else f"{edits[w].method}, {edits[w].action}"
    weaker = "a smaller strength, " if edits[w].changes else ""
    raise InputError(
        f"the outcome of text {reading.numbers[n]} is not finite ({what}); "
        f"use {weaker}dtype float32 or another checkpoint"
    )


def outcomes_of_edits(
    above: "Blocks", sites, reading: Reading, edits: int, outcome, batch_tokens: int, progress
) -> np.ndarray:
    """Returns the outcome of some texts under every edit, as many at once as the tokens allow."""
    rows, length = reading.tokens_NT.shape
    texts = np.unique(reading.numbers).size
    at_once = max(1, min(edits, batch_tokens // (rows * length)))
    unedited = [0] if outcome.needs_unedited else []
    batch = Batch(np.zeros((rows * at_once, length)), reading.lengths_N, reading.numbers, rows)
    outcomes = []
    with explain_memory_errors([batch]):
        for begin in range(0, edits, at_once):
            # The last edit is repeated, so that all calls have one shape.
            numbers = np.minimum(np.arange(begin, begin + at_once), edits - 1)
            edit_C = np.array([*unedited, *numbers], np.int32)
            outcome_CN = read_edits(
                above.params, reading, sites, edit_C, decoder=above.decoder, outcome=outcome
            )
            outcomes.append(np.asarray(outcome_CN, np.float64)[len(unedited) :])
            progress(texts * min(at_once, edits - begin))
    return np.concatenate(outcomes)[:edits]


@functools.partial(jax.jit, static_argnames=("decoder", "outcome"))
def read_edits(params, reading: Reading, sites: dict[str, Edit], edit_C, *, decoder, outcome):
    """Returns the outcome of N texts under each of C edits: [C, N, ...]."""
    variables = {"params": params}
    number, (texts, length) = len(edit_C), reading.tokens_NT.shape
    shared = len(reading.stream_PD)

    def go_on(x_BTD, starts, cache, edits, lengths_B):
        rows = len(x_BTD)
        kept = Kept(jnp.zeros((rows, 1), jnp.int32))
        starts_B = jnp.full(1, starts, jnp.int32)
        return decoder.apply(
            variables, x_BTD, starts_B, cache, kept, edits, lengths_B, method="go_on_stream"
        )

    cache = decoder.apply(variables, number, shared + length, method="empty_cache")
    if shared:
        x_CPD = jnp.broadcast_to(reading.stream_PD[None], (number, *reading.stream_PD.shape))
        edited_CP = jnp.broadcast_to(reading.edited_P[None], (number, shared))
        _, cache = go_on(x_CPD, 0, cache, Edits(sites, edit_C, edited_CP), None)
    # Edit by edit, and under each of them text by text.
    repeat = functools.partial(jnp.repeat, repeats=texts)

    def tile(array):
        return jnp.tile(array, (number, *[1] * (array.ndim - 1)))

    cache = Cache(*(repeat(a, axis=1) for a in cache))
    edits = Edits(sites, repeat(edit_C), tile(reading.edited_NT))
    lengths_X = tile(reading.lengths_N)
    hidden_XTD, _ = go_on(tile(reading.stream_NTD), shared, cache, edits, lengths_X)
    rows = Rows(
        hidden_XTD, tile(reading.tokens_NT), lengths_X - shared, tile(reading.own_NT), texts
    )
    outcome_X = outcome(decoder, variables, rows)
    return outcome_X.reshape(number, texts, *outcome_X.shape[1:])


@dataclass(frozen=True)
class Blocks:
    """Consecutive blocks of a model, as a model of their own."""

    decoder: Decoder
    params: dict


def copies_blocks(model: LanguageModel) -> bool:
    """Returns whether blocks are copied, so that those below the first edited one run only once."""
    held = sum(w.nbytes for w in jax.tree.leaves(model.params["blocks"]))
    return held <= MOST_COPIED and not model.config.shared_blocks


def blocks(model: LanguageModel, first: int, last: int, **changes) -> Blocks:
    """Returns the blocks from `first` up to `last`."""
    c = model.config
    config = dataclasses.replace(
        c, layers=last - first, windows=c.windows[first:last],
        rope_of_layer=c.rope_of_layer[first:last], **changes,
    )  # fmt: skip
    params = dict(model.params)
    if (first, last) != (0, c.layers):
        params["blocks"] = jax.tree.map(lambda w: w[first:last], params["blocks"])
    if jax.default_backend() == "cpu":
        params = as_bits(params)
    return Blocks(model.decoder().clone(config=config), params)


def readings(
    model: LanguageModel, prompts: list[Prompt], below: Blocks, tokens: str, batch_tokens: int
):
    """Yields the texts in a few lengths, read up to the first edited block."""
    shared = shared_tokens(model, prompts)
    lengths = np.array([len(p.ids) for p in prompts])
    parts = [
        (length, part)
        for length, numbers in few_buckets(lengths - shared)
        for part in equal_parts(numbers, max(1, batch_tokens // length))
    ]
    for length, numbers in parts:
        whole_NT = np.zeros((len(numbers), shared + length), np.int32)
        edited_NT, own_NT = np.zeros((2, *whole_NT.shape), bool)
        for row, number in enumerate(numbers):
            prompt = prompts[number]
            whole_NT[row, : len(prompt.ids)] = prompt.ids
            edited_NT[row, edited_span(tokens, prompt)] = True
            own_NT[row, max(prompt.first, 1) : prompt.last + 1] = True
        lengths_N = lengths[numbers].astype(np.int32)
        stream_NTD = read_below(below.params, whole_NT, lengths_N, decoder=below.decoder)
        yield Reading(
            numbers, whole_NT[:, shared:], lengths_N, stream_NTD[0, :shared],
            stream_NTD[:, shared:], edited_NT[0, :shared], edited_NT[:, shared:],
            own_NT[:, shared:],
        )  # fmt: skip


@functools.partial(jax.jit, static_argnames="decoder")
def read_below(params, tokens_NT, lengths_N, *, decoder):
    """Returns the stream that the first edited block reads: [N, T, D]."""
    variables = {"params": params}
    if not decoder.config.layers:
        return decoder.apply(variables, tokens_NT, method="embed")
    kept = Kept(jnp.zeros((len(tokens_NT), 1), jnp.int32))
    return decoder.apply(variables, tokens_NT, kept, lengths_B=lengths_N)


def shared_tokens(model: LanguageModel, prompts: list[Prompt]) -> int:
    """Returns how many first tokens are read once for all texts: those they share, but the last.

    There are none if rotations depend on the length of a text, or where edits would differ.
    """
    if any(rope.kind in ("dynamic", "longrope") for rope in model.config.ropes):
        return 0
    ids = [p.ids for p in prompts]
    shared = 0
    for column in zip(*ids, strict=False):
        if len(set(column)) > 1:
            break
        shared += 1
    own = min(p.first for p in prompts)
    return max(0, min(shared, min(map(len, ids)) - 1, own - 1))


def equal_parts(numbers, most: int) -> list[np.ndarray]:
    """Splits numbers into parts of one size, at most `most`; the last number may be repeated."""
    count = -(-len(numbers) // most)
    size = -(-len(numbers) // count)
    filled = np.concatenate([numbers, np.repeat(numbers[-1:], count * size - len(numbers))])
    return np.split(filled, count)


def few_buckets(lengths) -> list[tuple[int, np.ndarray]]:
    """Returns [(padded length, text numbers)]: extraction's buckets, joined until they are few."""
    joined = buckets(lengths)

    def padding(pair) -> int:
        (short, numbers), (long, _) = pair
        return (long - short) * len(numbers)

    while len(joined) > MOST_BUCKETS:
        at = min(range(len(joined) - 1), key=lambda i: padding(joined[i : i + 2]))
        (_, one), (length, other) = joined[at : at + 2]
        joined[at : at + 2] = [(length, np.concatenate([one, other]))]
    return joined
