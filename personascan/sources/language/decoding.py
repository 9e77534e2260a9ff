"""The compiled loops of generation: prompts are read, then tokens are written in chunks of steps.

Between chunks the rows of two batches may be merged: those that have ended leave their places.
Letters: P the tokens that all prompts of a batch share, G new tokens, S tokens that end a row.
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.models.cache import Cache
from personascan.models.tap import Edit, Edits, Kept
from personascan.sources.language.penalties import penalise, tokens_seen

NOTHING = -1  # in place of a token, behind the end of a row


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


class PromptRows(NamedTuple):
    """A batch's prompts as arrays."""

    tokens_BT: jax.Array  # int32
    lengths_B: jax.Array  # int32: real tokens of each row
    draw_B: jax.Array  # int32: the numbers that decide the rows' draws
    real_B: jax.Array  # bool: False for a row that fills the batch up


class Choosing(NamedTuple):
    """The arrays that decide which tokens are chosen, and when a row ends."""

    seed: jax.Array  # a key
    stop_S: jax.Array  # int32: the tokens that end a row
    penalty: jax.Array | None = None  # of tokens that a row has already; None: none


class Rows(NamedTuple):
    """The rows of a batch while they are written."""

    token_B: jax.Array  # int32: the last one
    lengths_B: jax.Array  # int32: of the prompts
    draw_B: jax.Array
    ended_B: jax.Array  # bool
    finite_B: jax.Array  # bool: whether all logits were
    new_BG: jax.Array  # int32, NOTHING behind a row's end
    cache: Cache
    seen_BV: jax.Array | None  # bool: tokens that a penalty lowers
    edit_B: jax.Array | None


@functools.partial(jax.jit, static_argnames=("decoder", "writing", "shared"))
def begin_rows(
    params, prompts: PromptRows, choosing: Choosing, edits: Edits | None, *, decoder, writing,
    shared: int = 0,
) -> Rows:  # fmt: skip
    """Reads prompts, and writes the first token of each.

    shared: so many first tokens are the same in all rows, and are read once; only without edits.
    """
    tokens_BT, lengths_B, draw_B, real_B = prompts
    rows = len(tokens_BT)

    def read(tokens_BT, start, cache, lengths_B):
        kept = Kept(jnp.zeros((len(tokens_BT), 1), jnp.int32))
        return decoder.apply(
            {"params": params}, tokens_BT, jnp.full(1, start, jnp.int32), cache, kept, edits,
            lengths_B, method="go_on",
        )  # fmt: skip

    first = decoder.apply({"params": params}, 1 if shared else rows, method="empty_cache")
    if shared:
        first = read(tokens_BT[:1, :shared], 0, first, None)[1].repeat(rows)
    hidden_BTD, cache = read(tokens_BT[:, shared:], shared, first, lengths_B)
    cache = first.join(cache).with_free(writing.new_tokens)
    last_BD = jnp.take_along_axis(hidden_BTD, lengths_B[:, None, None] - shared - 1, axis=1)[:, 0]
    seen_BV = None
    if choosing.penalty is not None:
        seen_BV = tokens_seen(tokens_BT, lengths_B, decoder.config.vocab_size)
    new_BG = jnp.full((rows, writing.new_tokens), NOTHING, jnp.int32)
    edit_B = None if edits is None else edits.edit_B
    began = Rows(
        lengths_B, lengths_B, draw_B, ~real_B, jnp.ones(rows, bool), new_BG, cache, seen_BV, edit_B
    )
    return choose(params, last_BD, began, jnp.int32(0), choosing, decoder, writing)


@functools.partial(
    jax.jit, static_argnames=("decoder", "writing", "edited"), donate_argnames="rows"
)
def go_on_rows(
    params, rows: Rows, steps, choosing: Choosing, sites: dict[str, Edit] | None, *, decoder,
    writing, edited: bool,
) -> Rows:  # fmt: skip
    """Writes the tokens of the steps from the first to before the second, or until all rows ended.

    steps: [2] int32. edited: whether new tokens are edited.
    """
    number = len(rows.token_B)
    kept = Kept(jnp.zeros((number, 1), jnp.int32))
    first_slot = rows.cache.position_BS.shape[1] - writing.new_tokens

    def step_on(state):
        step, rows = state
        edits = None
        if sites is not None:
            edits = Edits(sites, rows.edit_B, jnp.full((number, 1), edited))
        hidden_B1D, new = decoder.apply(
            {"params": params}, rows.token_B[:, None], rows.lengths_B + step - 1, rows.cache, kept,
            edits, method="go_on",
        )  # fmt: skip
        rows = rows._replace(cache=rows.cache.write(new, first_slot + step - 1))
        return step + 1, choose(params, hidden_B1D[:, 0], rows, step, choosing, decoder, writing)

    unfinished = lambda state: (state[0] < steps[1]) & ~state[1].ended_B.all()  # noqa: E731
    return jax.lax.while_loop(unfinished, step_on, (steps[0], rows))[1]


def choose(params, hidden_BD, rows: Rows, step, choosing: Choosing, decoder, writing) -> Rows:
    """Returns rows with their next tokens, none where a row has ended."""
    logits_BV = decoder.apply({"params": params}, hidden_BD[:, None], method="logits")[:, 0]
    finite_B = jnp.isfinite(logits_BV).all(axis=1)
    seen_BV = rows.seen_BV
    if choosing.penalty is not None:
        logits_BV = penalise(logits_BV, seen_BV, choosing.penalty)
    token_B = next_tokens(logits_BV, rows.draw_B, step, choosing.seed, writing)
    if choosing.penalty is not None:
        seen_BV = seen_BV.at[jnp.arange(len(token_B)), token_B].set(True)
    return rows._replace(
        token_B=token_B,
        ended_B=rows.ended_B | jnp.isin(token_B, choosing.stop_S),
        finite_B=rows.finite_B & (rows.ended_B | finite_B),
        new_BG=rows.new_BG.at[:, step].set(jnp.where(rows.ended_B, NOTHING, token_B)),
        seen_BV=seen_BV,
    )


@jax.jit
def merge_rows(one: Rows, other: Rows, source_B) -> Rows:
    """Returns the rows of those numbers, of one batch and then of the other."""

    def take(a, b, axis=0):
        from_other = source_B >= a.shape[axis]
        at = (1,) * axis + (-1,) + (1,) * (a.ndim - axis - 1)
        picked = [jnp.take(x, source_B % a.shape[axis], axis=axis) for x in (b, a)]
        return jnp.where(from_other.reshape(at), *picked)

    k, v = (take(a, b, axis=1) for a, b in zip(one.cache[:2], other.cache[:2], strict=True))
    position_BS = take(one.cache.position_BS, other.cache.position_BS)
    bare = [rows._replace(cache=None) for rows in (one, other)]
    return jax.tree.map(take, *bare)._replace(cache=Cache(k, v, position_BS))


def next_tokens(logits_BV, draw_B, step, seed, writing: Writing):
    """Returns the likeliest token of each row, or a drawn one (nucleus: arXiv 1904.09751)."""
    if not writing.temperature:
        return likeliest(logits_BV)
    logits_BV = logits_BV / np.float32(writing.temperature)
    if writing.top_k or writing.top_p < 1:
        least_B = least_drawn(logits_BV, writing)
        logits_BV = jnp.where(logits_BV < least_B[:, None], -jnp.inf, logits_BV)

    def draw(number, logits_V):
        key = jax.random.fold_in(jax.random.fold_in(seed, number), step)
        return jax.random.categorical(key, logits_V)

    return jax.vmap(draw)(draw_B, logits_BV).astype(jnp.int32)


def likeliest(logits_BV):
    """Returns the first token of the largest logit: on a CPU faster than an argmax."""
    largest_B = jnp.max(logits_BV, axis=-1)
    vocabulary = logits_BV.shape[1]
    number_V = jnp.arange(vocabulary, dtype=jnp.int32)
    number_BV = jnp.where(logits_BV == largest_B[:, None], number_V[None], vocabulary - 1)
    return jnp.min(number_BV, axis=-1)


def least_drawn(logits_BV, writing: Writing):
    """Returns the least logit of each row that may be drawn."""
    vocabulary = logits_BV.shape[1]
    most = min(writing.top_k or vocabulary, vocabulary)
    order_BK = jax.lax.top_k(logits_BV, most)[0]
    least_B = order_BK[:, -1]
    if writing.top_p == 1:
        return least_B
    weight_BK = jnp.exp(order_BK - order_BK[:, :1])
    # Tokens that tie with the last of the top k may be drawn as well.
    tied_B = jnp.sum(logits_BV == least_B[:, None], axis=1) - jnp.sum(
        order_BK == least_B[:, None], axis=1
    )
    total_B = weight_BK.sum(axis=1) + tied_B.astype(jnp.float32) * weight_BK[:, -1]
    share_BK = weight_BK / total_B[:, None]
    # A token is in the nucleus while those before it have less than the share.
    nucleus_BK = jnp.cumsum(share_BK, axis=-1) - share_BK < writing.top_p
    return jnp.min(jnp.where(nucleus_BK, order_BK, jnp.inf), axis=-1)
