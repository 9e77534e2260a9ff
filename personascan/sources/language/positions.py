"""Positions of prompts, by name or number, as the tokens whose activations are kept."""

import numpy as np

from personascan.errors import InputError
from personascan.places import whole_number
from personascan.sources.language.prompts import Batch, Prompt

NAMED = ("first", "last", "last_statement", "mean_statement", "mean", "all")


def check_positions(positions) -> tuple:
    """Returns positions as a tuple of names and integers. Raises InputError if one is unknown."""
    if isinstance(positions, str) or not isinstance(positions, list | tuple) or not positions:
        raise InputError(f"positions must be a sequence of names or numbers, got {positions!r}")
    checked = tuple(whole_number(p) for p in positions)
    for p in checked:
        if p not in NAMED and not (isinstance(p, int) and not isinstance(p, bool)):
            raise InputError(
                f"position {p!r} is unknown; known: {', '.join(NAMED)} and whole numbers"
            )
    if len(set(checked)) < len(checked):
        raise InputError(f"positions names one twice: {positions!r}")
    return checked


def check_numbers(positions: tuple, prompts: list[Prompt], ids: list[str]) -> None:
    """Raises InputError for a numbered position that a prompt does not have."""
    for p in positions:
        if not isinstance(p, int):
            continue
        for prompt, id_ in zip(prompts, ids, strict=True):
            if not -len(prompt.ids) <= p < len(prompt.ids):
                raise InputError(
                    f"position {p}: the prompt of statement {id_} has only {len(prompt.ids)} tokens"
                )


def positions_and_weights(batch: Batch, prompts: list[Prompt], positions: tuple):
    """Returns positions_BP int32, and weights_BQT float32 of means or None, in the order named.

    "all" is not among them: the caller puts every token in front.
    """
    singles = [p for p in positions if p != "all" and not str(p).startswith("mean")]
    means = [p for p in positions if str(p).startswith("mean")]
    own = [prompts[row] for row in batch.rows]
    positions_BP = np.array([[index(p, prompt) for p in singles] for prompt in own], np.int32)
    positions_BP = positions_BP.reshape(len(own), len(singles))
    if not means:
        return positions_BP, None
    weights_BQT = np.zeros((len(own), len(means), batch.tokens_BT.shape[1]), np.float32)
    for row, prompt in enumerate(own):
        for q, p in enumerate(means):
            first, last = (
                (prompt.first, prompt.last) if p == "mean_statement" else (0, len(prompt.ids) - 1)
            )
            weights_BQT[row, q, first : last + 1] = 1 / (last + 1 - first)
    return positions_BP, weights_BQT


def index(position, prompt: Prompt) -> int:
    """Returns the token index of a single position."""
    if position == "first":
        return 0
    if position == "last":
        return len(prompt.ids) - 1
    if position == "last_statement":
        return prompt.last
    return position % len(prompt.ids)
