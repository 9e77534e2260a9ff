"""Statements -> token batches: chat template, role, length buckets, the token that is kept.

Batches are planned from the statements alone, so the same statements make the same batches on any
number of devices.
"""

from dataclasses import dataclass

import numpy as np

from personascan.errors import InputError
from personascan.statements import Statement

# Compiling another length costs about as much as running this many tokens, measured on two CPU
# cores with SmolLM2 (1.0 s at 540 tokens/s): a bucket that saves less padding is merged.
COMPILE_TOKENS = 512
BUCKET_STEP = 4


@dataclass(frozen=True)
class Batch:
    """Statements of like length, padded on the right. Padding rows repeat the last statement."""

    tokens_BT: np.ndarray  # int32
    last_B: np.ndarray  # int32: position of the last real token
    statements: np.ndarray  # int64 numbers of the real rows, which come first


def tokenize(tokenizer, statements: list[Statement], role: str, max_positions: int) -> list[list]:
    """The token ids of every statement as a single chat message, up to the model's turn.

    Raises InputError where the template refuses or drops the message, or it is too long.
    """
    prompts = [render(tokenizer, s, role) for s in statements]
    # The template writes its own special tokens: adding them again would double the first.
    ids = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    for s, row in zip(statements, ids, strict=True):
        if len(row) > max_positions:
            raise InputError(
                f"statement {s.id} has {len(row)} tokens; the model takes {max_positions}"
            )
    return ids


def render(tokenizer, statement: Statement, role: str) -> str:
    """One statement through the chat template."""
    from jinja2 import TemplateError

    advice = "use another role, for example --config.role=user"
    if not tokenizer.chat_template:
        raise InputError("the tokenizer has no chat template, which a role needs; use a chat model")
    try:
        prompt = tokenizer.apply_chat_template(
            [{"role": role, "content": statement.text}], add_generation_prompt=True, tokenize=False
        )
    except TemplateError as error:
        raise InputError(
            f"the chat template refuses a message with role {role!r} ({error}); {advice}"
        ) from error
    if statement.text not in prompt:
        raise InputError(
            f"the chat template drops a message with role {role!r} (statement {statement.id} is "
            f"not in the prompt); {advice}"
        )
    return prompt


def plan_batches(ids: list[list[int]], batch_tokens: int, pad: int) -> list[Batch]:
    """Batches of at most `batch_tokens` padded tokens (at least one statement each)."""
    lengths = np.array([len(row) for row in ids])
    batches = []
    for padded, members in buckets(lengths):
        # Equal sizes within a bucket: one compiled shape, and at most a few rows of padding.
        count = -(-len(members) // max(1, batch_tokens // padded))
        size = -(-len(members) // count)
        for start in range(0, len(members), size):
            rows = members[start : start + size]
            filled = np.concatenate([rows, np.repeat(rows[-1:], size - len(rows))])
            tokens_BT = np.full((size, padded), pad, np.int32)
            for i, row in enumerate(filled):
                tokens_BT[i, : lengths[row]] = ids[row]
            batches.append(Batch(tokens_BT, (lengths[filled] - 1).astype(np.int32), rows))
    return batches


def buckets(lengths: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(padded length, statement numbers), short to long, few enough to compile."""
    order = np.argsort(lengths, kind="stable")
    rounded = -(-lengths[order] // BUCKET_STEP) * BUCKET_STEP
    edges = np.flatnonzero(np.diff(rounded)) + 1
    found, waiting = [], np.empty(0, np.int64)
    parts = np.split(order, edges)
    for i, part in enumerate(parts):
        waiting = np.concatenate([waiting, part])
        padded = int(-(-lengths[part].max() // BUCKET_STEP) * BUCKET_STEP)
        if i + 1 < len(parts):
            following = int(-(-lengths[parts[i + 1]].max() // BUCKET_STEP) * BUCKET_STEP)
            if len(waiting) * (following - padded) < COMPILE_TOKENS:
                continue
        found.append((padded, waiting))
        waiting = np.empty(0, np.int64)
    return found
