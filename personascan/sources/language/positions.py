"""Positions of prompts, by name or number, as the tokens whose activations are kept."""

import numpy as np

from personascan.errors import InputError
from personascan.places import whole_number
from personascan.sources.language.batches import Batch
from personascan.sources.language.prompt_tokens import Prompt, Turn

NAMED = ("first", "last", "last_statement", "mean_statement", "mean", "all")
# Of conversations: of the model's last answer, or with "@2" behind it, of its second.
OF_TURNS = (
    "last_prompt", "first_response", "last_response", "mean_response", "mean_thinking",
    "mean_answer",
)  # fmt: skip


def check_positions(positions) -> tuple:
    """Returns positions as a tuple of names and integers. Raises InputError if one is unknown."""
    if isinstance(positions, str) or not isinstance(positions, list | tuple) or not positions:
        raise InputError(f"positions must be a sequence of names or numbers, got {positions!r}")
    checked = tuple(whole_number(p) for p in positions)
    for p in checked:
        if not is_known(p):
            raise InputError(
                f"position {p!r} is unknown; known: {', '.join(NAMED)}, whole numbers, and of "
                f"conversations {', '.join(OF_TURNS)} (@2 behind it: of the second answer)"
            )
    if len(set(checked)) < len(checked):
        raise InputError(f"positions names one twice: {positions!r}")
    return checked


def is_known(position) -> bool:
    if isinstance(position, int):
        return not isinstance(position, bool)
    return position in NAMED or (isinstance(position, str) and turn_position(position) is not None)


def turn_position(position: str) -> tuple[str, int | None] | None:
    """Splits a position of a turn into its name and the turn's number, from 1; None: the last.

    Returns None for a position that is none of a turn.
    """
    name, at, number = position.partition("@")
    if name not in OF_TURNS or (at and not (number.isdecimal() and int(number) >= 1)):
        return None
    return name, int(number) if at else None


def check_numbers(positions: tuple, prompts: list[Prompt], ids: list[str]) -> None:
    """Raises InputError for a position, by number or of a turn, that a prompt does not have."""
    for p in positions:
        for prompt, id_ in zip(prompts, ids, strict=True):
            if isinstance(p, int):
                if not -len(prompt.ids) <= p < len(prompt.ids):
                    raise InputError(
                        f"position {p}: the prompt of statement {id_} has only "
                        f"{len(prompt.ids)} tokens"
                    )
            elif turn_position(p) is not None:
                span(p, prompt, id_)


def turn_of(prompt: Prompt, number: int | None, position: str, id_: str) -> Turn:
    if not prompt.turns:
        raise InputError(f"position {position!r}: {id_} is no conversation with an answer")
    if number is None:
        return prompt.turns[-1]
    if number > len(prompt.turns):
        raise InputError(
            f"position {position!r}: conversation {id_} has {len(prompt.turns)} answers"
        )
    return prompt.turns[number - 1]


def span(position: str, prompt: Prompt, id_: str = "a row") -> tuple[int, int]:
    """Returns the first and last token of a position of a turn.

    Raises InputError for a turn that the prompt does not have, or one without that part.
    """
    name, number = turn_position(position)
    turn = turn_of(prompt, number, position, id_)
    spans = {
        "last_prompt": (turn.opening, turn.opening),
        "first_response": (turn.first, turn.first),
        "last_response": (turn.last, turn.last),
        "mean_response": (turn.first, turn.last),
        "mean_thinking": turn.thinking,
        "mean_answer": turn.answer,
    }
    if spans[name] is None:
        part = "thinking" if name == "mean_thinking" else "answer behind its thinking"
        raise InputError(f"position {position!r}: the turn of conversation {id_} has no {part}")
    return spans[name]


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
            first, last = mean_span(p, prompt)
            weights_BQT[row, q, first : last + 1] = 1 / (last + 1 - first)
    return positions_BP, weights_BQT


def mean_span(position: str, prompt: Prompt) -> tuple[int, int]:
    """Returns the first and last token that a mean is taken over."""
    if position == "mean_statement":
        return prompt.first, prompt.last
    return (0, len(prompt.ids) - 1) if position == "mean" else span(position, prompt)


def index(position, prompt: Prompt) -> int:
    """Returns the token index of a single position."""
    if position == "first":
        return 0
    if position == "last":
        return len(prompt.ids) - 1
    if position == "last_statement":
        return prompt.last
    if isinstance(position, str):
        return span(position, prompt)[0]
    return position % len(prompt.ids)
