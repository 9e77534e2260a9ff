"""Batches of prompts of like length, padded on the right.

They depend on the prompts alone, and so are the same on any number of devices.
"""

from dataclasses import dataclass

import numpy as np

from personascan.sources.language.prompt_tokens import Prompt

# Compiling another length costs about as much as running this many tokens, measured on two CPU
# cores with SmolLM2 (0.6 s at 1700 tokens/s): a bucket that saves less padding is merged.
COMPILE_TOKENS = 1024
# Buckets are not merged if padding would then exceed this share of the real tokens.
MOST_WASTE = 0.07
BUCKET_STEP = 2


@dataclass(frozen=True)
class Batch:
    """Statements of like length, padded on the right. Padding rows repeat the last statement."""

    tokens_BT: np.ndarray  # int32
    lengths_B: np.ndarray  # int32: real tokens of each row
    rows: np.ndarray  # [B] int64 numbers of the statements, padding rows included
    real: int  # rows that are not padding; they come first


def plan_batches(prompts: list[Prompt], batch_tokens: int, pad: int, room: int = 0) -> list[Batch]:
    """Plans batches of at most `batch_tokens` padded tokens, with at least one statement each.

    room: tokens that will be written behind each prompt, which count as its own.
    """
    lengths = np.array([len(p.ids) for p in prompts])
    batches = []
    for whole, members in buckets(lengths + room):
        padded = whole - room
        # Equal sizes within a bucket: one compiled shape, and at most a few rows of padding.
        count = -(-len(members) // max(1, batch_tokens // whole))
        size = -(-len(members) // count)
        for start in range(0, len(members), size):
            rows = members[start : start + size]
            filled = np.concatenate([rows, np.repeat(rows[-1:], size - len(rows))])
            tokens_BT = np.full((size, padded), pad, np.int32)
            for i, row in enumerate(filled):
                tokens_BT[i, : lengths[row]] = prompts[row].ids
            batches.append(Batch(tokens_BT, lengths[filled].astype(np.int32), filled, len(rows)))
    return batches


def buckets(lengths: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Returns buckets of (padded length, statement numbers), short to long, few to compile."""
    order = np.argsort(lengths, kind="stable")
    padded = -(-lengths[order] // BUCKET_STEP) * BUCKET_STEP
    sizes, counts = np.unique(padded, return_counts=True)
    compile_tokens = COMPILE_TOKENS
    while True:
        tops = cheapest_lengths(sizes, counts, compile_tokens)
        waste = np.array(tops)[np.searchsorted(tops, padded)].sum() / lengths.sum() - 1
        if waste <= MOST_WASTE or compile_tokens == 0:
            break
        compile_tokens //= 2
    members = np.split(order, np.searchsorted(padded, tops, side="right")[:-1])
    return list(zip(tops, members, strict=True))


def cheapest_lengths(sizes: np.ndarray, counts: np.ndarray, compile_tokens: int) -> list[int]:
    """Returns the padded lengths of least padding and compiling, by dynamic programming."""
    before = np.concatenate([[0], np.cumsum(counts)])
    cost, came_from = np.zeros(len(sizes) + 1), np.zeros(len(sizes) + 1, np.int64)
    for end in range(1, len(sizes) + 1):
        tokens = (before[end] - before[:end]) * sizes[end - 1]
        total = cost[:end] + tokens + compile_tokens
        came_from[end] = np.argmin(total)
        cost[end] = total[came_from[end]]
    tops, end = [], len(sizes)
    while end:
        tops.append(int(sizes[end - 1]))
        end = came_from[end]
    return tops[::-1]
