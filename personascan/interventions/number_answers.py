"""The numbers that a model may begin its turn with, and how likely each of them is.

Every number has the probability that the turn begins with its tokens. A turn counts as the longest
allowed number that it begins with: "1" has the probability of its token, less that of going on to
"10" and others; what follows a number that no other goes on from is not read.

Letters: N texts, K numbers, P prefixes of numbers, Q tokens of a prefix, E steps from one prefix to
the next token.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.interventions.answers import shared_prefix
from personascan.models.decoder import Cache
from personascan.models.load import LanguageModel
from personascan.models.parameters import as_bits
from personascan.models.tap import Kept
from personascan.sources.language.batches import plan_batches
from personascan.sources.language.conversation_texts import render_conversations
from personascan.sources.language.conversations import Conversation, Message
from personascan.sources.language.extract import explain_memory_errors
from personascan.sources.language.generate import refuse_crossing
from personascan.sources.language.prompt_tokens import Prompt
from personascan.sources.language.templates import PromptOptions


class Steps(NamedTuple):
    """The tree of the tokens of numbers: its prefixes but for the empty one, and its steps."""

    tokens_PQ: np.ndarray  # int32, padded on the right
    lengths_P: np.ndarray  # int32
    prefix_E: np.ndarray  # int32: 0 the empty prefix, then those of tokens_PQ
    token_E: np.ndarray  # int32


def number_opening(tokenizer, asked: Conversation, number: str, options: PromptOptions) -> str:
    """Returns a conversation's text up to where a number begins in the model's turn.

    A template may write a space in front of what the model says.
    """
    answered = replace(asked, messages=(*asked.messages, Message("assistant", number)))
    (opening,) = render_conversations(tokenizer, [asked], options)
    try:
        (shown,) = render_conversations(tokenizer, [answered], options)
    except InputError:  # a template of one message
        return opening.text
    turn = shown.text.removeprefix(opening.text)
    number_at = len(turn) - len(turn.lstrip())
    if turn == shown.text or not turn.startswith(number, number_at):
        return opening.text
    return opening.text + turn[:number_at]


def numbers_behind(
    tokenizer, opening: str, prompts: list[Prompt], numbers: list[str]
) -> tuple[list[Prompt], list[tuple[int, ...]]]:
    """Returns the prompts, and the tokens that the tokenizer writes each number in behind them.

    opening: the text of the first prompt, up to a number. Tokens at the prompt's end that change
    once a number follows are taken from it, and stand in front of every number.
    """
    ids = tokenizer([opening + number for number in numbers], add_special_tokens=False)["input_ids"]
    first = prompts[0].ids
    same = min(shared_prefix(first, one) for one in ids)
    dropped = first[same:]
    sequences = [tuple(one[same:]) for one in ids]
    alike = {tuple(prompt.ids[len(prompt.ids) - len(dropped) :]) for prompt in prompts}
    if len(set(sequences)) < len(numbers) or () in sequences or alike != {tuple(dropped)}:
        raise InputError(
            "the tokenizer does not tell the numbers of a judge apart behind an opened turn; leave "
            "the model's own judgement out (config.conversations.judge)"
        )
    if not dropped:
        return prompts, sequences
    shorter = [Prompt(p.ids[: len(p.ids) - len(dropped)], p.first, p.last) for p in prompts]
    return shorter, sequences


def steps_of(sequences: Sequence[tuple[int, ...]]) -> tuple[list[tuple[int, ...]], Steps]:
    """Returns the prefixes of some sequences of tokens, the empty one first, and their steps."""
    prefixes = sorted(
        {one[:i] for one in sequences for i in range(len(one))}, key=lambda p: (len(p), p)
    )
    number = {prefix: i for i, prefix in enumerate(prefixes)}
    steps = sorted({(number[one[:i]], one[i]) for one in sequences for i in range(len(one))})
    tokens_PQ = np.zeros((len(prefixes) - 1, max(1, *map(len, prefixes))), np.int32)
    for row, prefix in zip(tokens_PQ, prefixes[1:], strict=True):
        row[: len(prefix)] = prefix
    lengths_P = np.array([len(prefix) for prefix in prefixes[1:]], np.int32)
    return prefixes, Steps(tokens_PQ, lengths_P, *np.array(steps, np.int32).T)


def number_log_probabilities(sequences, prefixes, steps: Steps, log_NE) -> np.ndarray:
    """Returns the log probability of each number, where it is the longest one: [N, K]."""
    number = {prefix: i for i, prefix in enumerate(prefixes)}
    at = {step: e for e, step in enumerate(zip(*map(np.ndarray.tolist, steps[2:]), strict=True))}
    columns = []
    for one in sequences:
        way = [at[number[one[:i]], one[i]] for i in range(len(one))]
        log_N = log_NE[:, way].sum(1)
        if one in number:
            further_N = np.exp(log_NE[:, steps.prefix_E == number[one]]).sum(1)
            with np.errstate(divide="ignore"):
                log_N = log_N + np.log1p(-np.minimum(further_N, 1))
        columns.append(log_N)
    return np.stack(columns, axis=1)


def step_log_probabilities(
    model: LanguageModel, prompts: list[Prompt], steps: Steps, batch_tokens: int
) -> np.ndarray:
    """Returns the log probability of every step behind every prompt: [N, E] float64.

    Raises InputError for one that is NaN or infinite.
    """
    longest = steps.tokens_PQ.shape[1]
    refuse_crossing(model, prompts, longest + 1)
    params = as_bits(model.params) if jax.default_backend() == "cpu" else model.params
    log_NE = np.empty((len(prompts), steps.token_E.size))
    batches = plan_batches(prompts, batch_tokens, pad=0, room=longest)
    with explain_memory_errors(batches):
        for batch in batches:
            log_BE = read_steps(
                params, batch.tokens_BT, batch.lengths_B, steps, decoder=model.decoder()
            )
            log_NE[batch.rows[: batch.real]] = np.asarray(log_BE, np.float64)[: batch.real]
    if not np.isfinite(log_NE).all():
        raise InputError(
            "the probabilities of a judge's numbers are not finite; use dtype float32 or another "
            "checkpoint"
        )
    return log_NE


@functools.partial(jax.jit, static_argnames="decoder")
def read_steps(params, tokens_BT, lengths_B, steps: Steps, *, decoder):
    """Returns the log probability of every step behind every row: [B, E] float32.

    A prompt is read once, and its keys and values serve all prefixes.
    """
    variables = {"params": params}
    rows, number = len(tokens_BT), len(steps.tokens_PQ)

    def go_on(tokens_BT, starts_B, cache, lengths_B):
        kept = Kept(jnp.zeros((len(tokens_BT), 1), jnp.int32))
        return decoder.apply(
            variables, tokens_BT, starts_B, cache, kept, None, lengths_B, method="go_on"
        )

    def log_behind(hidden_BTD, lengths_B):
        """Returns the log probabilities of the tokens behind the last one of each row: [B, V]."""
        last_BD = jnp.take_along_axis(hidden_BTD, lengths_B[:, None, None] - 1, axis=1)
        logits_BV = decoder.apply(variables, last_BD, method="logits")[:, 0]
        return jax.nn.log_softmax(logits_BV, axis=-1)

    def of_row(row):
        first_V, start, (k_LKSE, v_LKSE, position_S) = row
        log_PV = first_V[None]
        if number:
            own = Cache(k_LKSE[:, None], v_LKSE[:, None], position_S[None])
            hidden_PQD, _ = go_on(
                steps.tokens_PQ,
                jnp.full(number, start),
                own.repeat(number),
                start + steps.lengths_P,
            )
            log_PV = jnp.concatenate([log_PV, log_behind(hidden_PQD, steps.lengths_P)])
        return log_PV[steps.prefix_E, steps.token_E]

    cache = decoder.apply(variables, rows, method="empty_cache")
    hidden_BTD, cache = go_on(tokens_BT, jnp.zeros(1, jnp.int32), cache, lengths_B)
    by_row = jnp.moveaxis(cache.k, 1, 0), jnp.moveaxis(cache.v, 1, 0), cache.position_BS
    return jax.lax.map(of_row, (log_behind(hidden_BTD, lengths_B), lengths_B, by_row))
