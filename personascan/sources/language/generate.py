"""Text generation: greedy or sampled, in batches, with edited activations if asked for."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from personascan.bars import bar
from personascan.errors import InputError
from personascan.models.folder import CONFIG, GENERATION
from personascan.models.load import LanguageModel
from personascan.models.parameters import as_bits
from personascan.models.tap import Edits, Kept
from personascan.reading import is_file, read_json
from personascan.sources.language.batches import plan_batches
from personascan.sources.language.editing import Editing
from personascan.sources.language.extract import BATCH_TOKENS, explain_memory_errors
from personascan.sources.language.penalties import penalise, repetition_penalty, tokens_seen
from personascan.sources.language.prompt_tokens import Prompt

NOTHING = -1  # in place of a token, behind the end of a row


class PromptRows(NamedTuple):
    """A batch's prompts as arrays."""

    tokens_BT: jax.Array  # int32
    lengths_B: jax.Array  # int32: real tokens of each row
    row_B: jax.Array  # int32: the numbers of the rows, which decide their draws


class Choosing(NamedTuple):
    """The arrays that decide which tokens are chosen, and when a row ends."""

    seed: jax.Array  # a key
    stop_S: jax.Array  # int32: the tokens that end a row
    penalty: jax.Array | None = None  # of tokens that a row has already; None: none


@dataclass(frozen=True)
class Writing:
    """How many tokens are written, and how each is chosen."""

    new_tokens: int = 40  # at most
    temperature: float = 0.0  # 0: the likeliest token
    top_k: int = 0  # sample among this many of the likeliest; 0: all
    top_p: float = 1.0  # sample among the likeliest that have this probability together
    seed: int = 0

    def __post_init__(self) -> None:
        if self.new_tokens < 1:
            raise InputError(f"new_tokens = {self.new_tokens}; use at least 1")
        if not 0 <= self.temperature < np.inf:
            raise InputError(f"temperature = {self.temperature}; use 0 or more")
        if self.top_k < 0 or not 0 < self.top_p <= 1:
            raise InputError(f"top_k = {self.top_k}, top_p = {self.top_p}: use >= 0 and (0, 1]")


def write_tokens(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    writing: Writing,
    *,
    editing: Editing | None = None,
    stop: tuple[int, ...] | None = None,
    batch_tokens: int = BATCH_TOKENS,
) -> list[list[int]]:
    """Writes tokens behind each prompt, with a key/value cache.

    The checkpoint's repetition penalty is applied, as Transformers does.

    Args:
      prompts: from `tokenize`.
      editing: edits of the activations meanwhile; None: none.
      stop: tokens that end a text (kept at its end); None: those of the checkpoint.
      batch_tokens: padded tokens of a batch, what is written included.

    Returns:
      New tokens of each prompt. A row's draws do not depend on the other rows of its batch.

    Raises:
      InputError: no prompts, an encoder, a model without an unembedding, texts longer than the
        model takes or in which its rotation would change, logits that are NaN or infinite.
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
    ends = np.array((stop_tokens(model) if stop is None else stop) or [NOTHING], np.int32)
    # Another seed or other stops of that number compile nothing anew.
    seed, unseeded = jax.random.key(writing.seed), dataclasses.replace(writing, seed=0)
    params = as_bits(model.params) if jax.default_backend() == "cpu" else model.params
    penalty = repetition_penalty(model)
    new_tokens = [[] for _ in prompts]
    batches = plan_batches(prompts, batch_tokens, pad=0, room=writing.new_tokens)
    with explain_memory_errors(batches):
        for batch in bar(batches, "batches"):
            edits = None if editing is None else editing.of_batch(batch, prompts)
            new_BG, finite_B = generate_tokens(
                params, PromptRows(batch.tokens_BT, batch.lengths_B, batch.rows.astype(np.int32)),
                Choosing(seed, ends, None if penalty == 1 else np.float32(penalty)), edits,
                decoder=model.decoder(), writing=unseeded,
                edited=editing is not None and editing.generated,
            )  # fmt: skip
            for row, number in enumerate(batch.rows[: batch.real]):
                if not finite_B[row]:
                    weaker = "" if editing is None else "smaller strengths, "
                    raise InputError(
                        f"the logits behind prompt {number + 1} of {len(prompts)} are not finite; "
                        f"use {weaker}dtype float32 or another checkpoint"
                    )
                new_G = np.asarray(new_BG[row])
                new_tokens[number] = new_G[new_G != NOTHING].tolist()
    return new_tokens


@functools.partial(jax.jit, static_argnames=("decoder", "writing", "edited"))
def generate_tokens(
    params, prompts: PromptRows, choosing: Choosing, edits: Edits | None, *, decoder, writing,
    edited,
):  # fmt: skip
    """Returns new tokens [B, G] int32, NOTHING behind a row's end; whether logits were finite [B].

    A row's draws depend on its number and the seed alone. edited: whether new tokens are edited.
    """
    tokens_BT, lengths_B, row_B = prompts
    seed, stop_S, penalty = choosing
    variables, rows = {"params": params}, len(tokens_BT)
    kept = Kept(jnp.zeros((rows, 1), jnp.int32))

    def go_on(tokens_BT, starts_B, cache, edits, lengths_B):
        return decoder.apply(
            variables, tokens_BT, starts_B, cache, kept, edits, lengths_B, method="go_on"
        )

    def choose(hidden_BD, step, seen_BV):
        """Returns the next tokens, whether logits are finite, and all tokens seen by then."""
        logits_BV = decoder.apply(variables, hidden_BD[:, None], method="logits")[:, 0]
        finite_B = jnp.isfinite(logits_BV).all(axis=1)
        if penalty is None:
            return next_tokens(logits_BV, row_B, step, seed, writing), finite_B, None
        token_B = next_tokens(penalise(logits_BV, seen_BV, penalty), row_B, step, seed, writing)
        return token_B, finite_B, seen_BV.at[jnp.arange(rows), token_B].set(True)

    slots = tokens_BT.shape[1] + writing.new_tokens
    cache = decoder.apply(variables, rows, slots, method="empty_cache")
    hidden_BTD, cache = go_on(tokens_BT, jnp.zeros(1, jnp.int32), cache, edits, lengths_B)
    last_BD = jnp.take_along_axis(hidden_BTD, lengths_B[:, None, None] - 1, axis=1)[:, 0]
    new_BG = jnp.full((rows, writing.new_tokens), NOTHING, jnp.int32)
    if edits is not None:
        edits = edits._replace(tokens_BT=jnp.full((rows, 1), edited))

    def ended(token_B, before_B):
        return before_B | jnp.isin(token_B, stop_S)

    def step_on(state):
        step, token_B, ended_B, cache, seen_BV, new_BG, finite_B = state
        hidden_B1D, cache = go_on(token_B[:, None], lengths_B + step - 1, cache, edits, None)
        token_B, now_finite_B, seen_BV = choose(hidden_B1D[:, 0], step, seen_BV)
        new_BG = new_BG.at[:, step].set(jnp.where(ended_B, NOTHING, token_B))
        finite_B = finite_B & (ended_B | now_finite_B)
        return step + 1, token_B, ended(token_B, ended_B), cache, seen_BV, new_BG, finite_B

    seen_BV = None
    if penalty is not None:
        seen_BV = tokens_seen(tokens_BT, lengths_B, decoder.config.vocab_size)
    token_B, finite_B, seen_BV = choose(last_BD, 0, seen_BV)
    ended_B, new_BG = ended(token_B, jnp.zeros(rows, bool)), new_BG.at[:, 0].set(token_B)
    state = jnp.int32(1), token_B, ended_B, cache, seen_BV, new_BG, finite_B
    unfinished = lambda s: (s[0] < writing.new_tokens) & ~s[2].all()  # noqa: E731
    return jax.lax.while_loop(unfinished, step_on, state)[-2:]


def next_tokens(logits_BV, row_B, step, seed, writing: Writing):
    """Returns the likeliest token of each row, or a drawn one (nucleus: arXiv 1904.09751)."""
    if not writing.temperature:
        return jnp.argmax(logits_BV, axis=-1).astype(jnp.int32)
    logits_BV = logits_BV / np.float32(writing.temperature)
    order_BV = -jnp.sort(-logits_BV, axis=-1)
    if writing.top_k:
        least_B = order_BV[:, min(writing.top_k, logits_BV.shape[1]) - 1]
        logits_BV = jnp.where(logits_BV < least_B[:, None], -jnp.inf, logits_BV)
        order_BV = jnp.where(order_BV < least_B[:, None], -jnp.inf, order_BV)
    if writing.top_p < 1:
        share_BV = jax.nn.softmax(order_BV, axis=-1)
        # A token is in the nucleus while those before it have less than the share.
        nucleus_BV = jnp.cumsum(share_BV, axis=-1) - share_BV < writing.top_p
        least_B = jnp.min(jnp.where(nucleus_BV, order_BV, jnp.inf), axis=-1)
        logits_BV = jnp.where(logits_BV < least_B[:, None], -jnp.inf, logits_BV)

    def draw(row, logits_V):
        key = jax.random.fold_in(jax.random.fold_in(seed, row), step)
        return jax.random.categorical(key, logits_V)

    return jax.vmap(draw)(row_B, logits_BV).astype(jnp.int32)


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
