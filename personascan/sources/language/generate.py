"""Text that a model writes: greedy or sampled, batched, its activations edited if asked for."""

import dataclasses
import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.models.decoder import as_bits
from personascan.models.load import LanguageModel
from personascan.models.tap import Edits, Kept
from personascan.reading import is_file, read_json
from personascan.sources.language.editing import Editing
from personascan.sources.language.extract import BATCH_TOKENS, memory_named
from personascan.sources.language.prompts import Prompt, plan_batches

NOTHING = -1  # where a row has ended
BROKEN = -2  # in place of a token: its logits are not numbers


@dataclass(frozen=True)
class Writing:
    """How tokens are chosen, one after the other."""

    new_tokens: int = 40  # at most
    temperature: float = 0.0  # 0: the likeliest token
    top_k: int = 0  # sample among this many of the likeliest; 0: all
    top_p: float = 1.0  # sample among the likeliest that together have this probability
    seed: int = 0

    def __post_init__(self):
        if self.new_tokens < 1:
            raise InputError(f"new_tokens = {self.new_tokens}; use at least 1")
        if not 0 <= self.temperature < np.inf:
            raise InputError(f"temperature = {self.temperature}; use 0 or more")
        if self.top_k < 0 or not 0 < self.top_p <= 1:
            raise InputError(f"top_k = {self.top_k}, top_p = {self.top_p}: use >= 0 and (0, 1]")


def generate(
    model: LanguageModel,
    prompts: list[Prompt],
    writing: Writing,
    *,
    editing: Editing | None = None,
    stop: tuple[int, ...] | None = None,
    batch_tokens: int = BATCH_TOKENS,
) -> list[list[int]]:
    """The tokens that a model writes behind each prompt, with a key/value cache.

    Args:
      prompts: from `tokenize`.
      editing: what is edited meanwhile; None: nothing.
      stop: tokens that end a text (kept at its end); None: those of the checkpoint.
      batch_tokens: padded tokens of a batch, what is written included.

    Returns:
      New tokens of each prompt. What a row draws does not depend on what shares its batch.

    Raises:
      InputError: no prompts, an encoder, a model without an unembedding, texts longer than the
        model takes or in which its rotation would change, logits that are not numbers.
    """
    if not prompts:
        raise InputError("there are no prompts to go on with")
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
    found = [[] for _ in prompts]
    batches = plan_batches(prompts, batch_tokens, pad=0, room=writing.new_tokens)
    with memory_named(batches):
        for batch in batches:
            edits = None if editing is None else editing.of_batch(batch, prompts)
            new_BG = written(
                params, batch.tokens_BT, batch.lengths_B, batch.rows.astype(np.int32), seed, ends,
                edits, decoder=model.decoder(), writing=unseeded,
                edited=editing is not None and editing.generated,
            )  # fmt: skip
            for row, number in enumerate(batch.rows[: batch.real]):
                new_G = np.asarray(new_BG[row])
                if (new_G == BROKEN).any():
                    raise InputError(
                        "the model's activations grow beyond its numbers, and it writes nothing; "
                        "use smaller strengths where it is edited, or dtype float32"
                    )
                found[number] = new_G[new_G != NOTHING].tolist()
    return found


@functools.partial(jax.jit, static_argnames=("decoder", "writing", "edited"))
def written(
    params, tokens_BT, lengths_B, row_B, seed, stop_S, edits: Edits | None, *, decoder, writing,
    edited,
):  # fmt: skip
    """New tokens [B, G] int32, NOTHING behind the end of a row.

    row_B numbers the rows: what is drawn depends on it and the seed (a key) alone. edited: whether
    the tokens that are written are edited too.
    """
    variables, rows = {"params": params}, len(tokens_BT)
    kept = Kept(jnp.zeros((rows, 1), jnp.int32))

    def go_on(tokens_BT, starts_B, cache, edits, lengths_B):
        return decoder.apply(
            variables, tokens_BT, starts_B, cache, kept, edits, lengths_B, method="go_on"
        )

    def choose(hidden_BD, step):
        logits_BV = decoder.apply(variables, hidden_BD[:, None], method="logits")[:, 0]
        token_B = chosen(logits_BV, row_B, step, seed, writing)
        return jnp.where(jnp.isnan(logits_BV).any(1), BROKEN, token_B)

    slots = tokens_BT.shape[1] + writing.new_tokens
    cache = decoder.apply(variables, rows, slots, method="empty_cache")
    hidden_BTD, cache = go_on(tokens_BT, jnp.zeros(1, jnp.int32), cache, edits, lengths_B)
    last_BD = jnp.take_along_axis(hidden_BTD, lengths_B[:, None, None] - 1, axis=1)[:, 0]
    new_BG = jnp.full((rows, writing.new_tokens), NOTHING, jnp.int32)
    if edits is not None:
        edits = edits._replace(tokens_BT=jnp.full((rows, 1), edited))

    def ended(token_B, before_B):
        return before_B | jnp.isin(token_B, stop_S) | (token_B == BROKEN)

    def step_on(state):
        step, token_B, ended_B, cache, new_BG = state
        hidden_B1D, cache = go_on(token_B[:, None], lengths_B + step - 1, cache, edits, None)
        token_B = choose(hidden_B1D[:, 0], step)
        new_BG = new_BG.at[:, step].set(jnp.where(ended_B, NOTHING, token_B))
        return step + 1, token_B, ended(token_B, ended_B), cache, new_BG

    token_B = choose(last_BD, 0)
    state = 1, token_B, ended(token_B, jnp.zeros(rows, bool)), cache, new_BG.at[:, 0].set(token_B)
    unfinished = lambda s: (s[0] < writing.new_tokens) & ~s[2].all()  # noqa: E731
    return jax.lax.while_loop(unfinished, step_on, state)[-1]


def chosen(logits_BV, row_B, step, seed, writing: Writing):
    """The next token of each row: the likeliest, or one that is drawn (nucleus: 1904.09751)."""
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
        # A token stays while those before it have less than the share.
        kept_BV = jnp.cumsum(share_BV, axis=-1) - share_BV < writing.top_p
        least_B = jnp.min(jnp.where(kept_BV, order_BV, jnp.inf), axis=-1)
        logits_BV = jnp.where(logits_BV < least_B[:, None], -jnp.inf, logits_BV)

    def draw(row, logits_V):
        key = jax.random.fold_in(jax.random.fold_in(seed, row), step)
        return jax.random.categorical(key, logits_V)

    return jax.vmap(draw)(row_B, logits_BV).astype(jnp.int32)


def stop_tokens(model: LanguageModel) -> tuple[int, ...]:
    """What ends a text: by the tokenizer, and by the checkpoint's generation_config.json."""
    found = {model.tokenizer.eos_token_id}
    path = model.path / "generation_config.json"
    if is_file(path):
        named = read_json(path).get("eos_token_id")
        named = named if isinstance(named, list) else [named]
        if not all(token is None or type(token) is int for token in named):
            raise InputError(f"{path}: eos_token_id holds {named}; use numbers of tokens")
        found |= set(named)
    return tuple(sorted(found - {None}))


def refuse_crossing(model: LanguageModel, prompts: list[Prompt], new_tokens: int) -> None:
    """Keys in a cache keep their rotation; refuse texts in the midst of which it would change."""
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
