"""Watching a conversation: where each token and each turn of the model lies on what a study found.

Letters: T tokens, M axes (the direction, and found nodes), B rows of H0.
"""

import os
import pathlib
from dataclasses import dataclass, field

import numpy as np

from personascan.errors import InputError
from personascan.places import Place
from personascan.sources.base import pool_rows
from personascan.sources.language.conversations import Conversation
from personascan.sources.language.positions import span, turn_position
from personascan.sources.language.prompt_tokens import Prompt, Turn
from personascan.sources.language.token_projections import project_tokens
from personascan.sources.language.written_text import written_text
from personascan.study.axes import Axes, Axis, axes_of
from personascan.study.comparisons import first_by_hash
from personascan.study.half_direction import statements_of
from personascan.study.steering import named_case
from personascan.study.watched_conversation import own_row, refuse_too_long, watched_conversation

H0_READ = 20  # rows of H0 whose tokens are read once more, at most
BAND = (0.05, 0.95)  # quantiles
# Where a turn is read, as statements are: a prompt's last token is that behind which a turn begins.
OF_STATEMENTS = {
    "last": "last_prompt", "last_statement": "last_response", "mean_statement": "mean_response",
    "mean": "mean_response", "first": "first_response",
}  # fmt: skip


@dataclass(frozen=True)
class WatchedTurn:
    """One turn of the model, on every axis."""

    number: int
    span: tuple[int, int]  # first and last token
    answer: tuple[int, int] | None  # of what stands behind its thinking; None: it only thinks
    mean_M: np.ndarray  # of the tokens of its answer, in deviations of the tokens of H0
    value_M: np.ndarray  # at the position at which turns are read; NaN: the turn does not have it
    beyond_M: np.ndarray  # share of H0 rows at or beyond that value
    p_M: np.ndarray  # (1 + their number) / (1 + number of H0 rows)

    @property
    def tokens(self) -> int:
        return self.span[1] + 1 - self.span[0]


@dataclass(frozen=True)
class Scale:
    """The tokens of H0 rows on an axis: what a token's value is compared with."""

    mean: float
    deviation: float
    low: float  # quantiles of BAND, in these deviations from the mean
    high: float

    def of(self, value_T) -> np.ndarray:
        return (value_T - self.mean) / self.deviation


@dataclass(frozen=True)
class Watched:
    """A conversation as a comparison's axes see it."""

    comparison: str
    model: str
    place: Place
    position: str  # of each turn, at which it is compared with the rows of H0
    conversation: Conversation
    axes: tuple[Axis, ...]
    held_out: bool  # whether H0 rows lie on axes that were found without them
    own: bool  # whether it is one of the study's rows, and lies on axes found without it
    scales: tuple[Scale, ...]  # of each axis
    h0_read: int  # rows of H0 whose tokens are these
    turns: tuple[WatchedTurn, ...]
    pieces: tuple[str, ...]  # [T]: text of each token; a character's is that of its first token
    value_TM: np.ndarray = field(repr=False)  # in deviations of the tokens of H0

    def band(self, axis: int) -> tuple[float, float]:
        """Returns the quantiles of the H0 rows."""
        low, high = np.quantile(self.axes[axis].h0_N, BAND)
        return float(low), float(high)


def watch(
    study: str | os.PathLike[str],
    comparison: str,
    conversation: str | os.PathLike[str],
    *,
    id_: str = "",
    turns: int = 0,
    model: str = "",
    level: int | None = None,
    units: str = "",
) -> Watched:
    """Returns a conversation as the direction and the nodes of a finished study see it.

    Both are of all rows, at the place that is furthest above its permutations; of a conversation
    that is one of these rows, they are those found without its fold.

    Args:
      study: the folder of the study, whose inputs are as they were.
      conversation: a transcript (.json), a file of messages (.jsonl), or the answers.csv of a study
        of conversations.
      id_: names the row of a file of several.
      turns: the first so many of the model's turns are read; 0: all.
      model, level, units: as of `found_direction`.

    Raises:
      InputError: as `found_direction`; a conversation without a turn of the model, or longer than
        the model takes.
    """
    case = named_case(pathlib.Path(study), comparison, model, level, units)
    one = watched_conversation(case, conversation, id_, turns)
    place = case.furthest()
    axes = axes_of(case, place)
    reader, own = case.source.reader, own_row(case, one)
    refuse_too_long(case, one)
    network = reader.model()
    projectors = [axis.whole if own is None else axis.folds[axes.fold_N[own]] for axis in axes.axes]
    read = project_tokens(
        network, [one], place, np.stack([p.weight_D for p in projectors], 1),
        options=reader.options, batch_tokens=reader.batch_tokens,
    )  # fmt: skip
    offset_M = np.array([p.offset for p in projectors])
    (prompt,), raw_TM = read.prompts, read.value_T - offset_M
    h0_tokens, h0_read = tokens_of_h0(case, axes)
    scales = tuple(map(scale_of, h0_tokens))
    value_TM = np.stack([scale.of(raw_TM[:, m]) for m, scale in enumerate(scales)], 1)
    position = turn_read(place.position, case.source.role)
    return Watched(
        comparison, case.source.name, place, position, one, axes.axes, axes.held_out,
        own is not None, scales, h0_read,
        tuple(
            watched_turn(number, turn, axes.axes,
                         mean_over(raw_TM, span_at(position, number, prompt)),
                         mean_over(value_TM, turn.answer))
            for number, turn in enumerate(prompt.turns, 1)
        ),
        pieces_of(network.tokenizer, prompt),
        value_TM,
    )  # fmt: skip


def turn_read(position: str | int, role: str) -> str:
    """Returns the position of a turn that stands for a place's own."""
    if isinstance(position, str) and turn_position(position) is not None:
        return turn_position(position)[0]
    if position == "last" and role in ("none", "assistant"):  # no turn is opened behind it
        return "last_response"
    return OF_STATEMENTS.get(position, "last_response")


def span_at(position: str, number: int, prompt: Prompt) -> tuple[int, int] | None:
    """Returns the tokens of a turn's position; None where the turn does not have it."""
    try:
        return span(f"{position}@{number}", prompt)
    except InputError:
        return None


def watched_turn(number: int, turn: Turn, axes: tuple[Axis, ...], value_M, mean_M) -> WatchedTurn:
    """Returns a turn with its values, and how many rows of H0 lie beyond them."""
    beyond_M = np.array([np.sum(axis.h0_N >= v) for axis, v in zip(axes, value_M, strict=True)])
    rows_M = np.array([axis.h0_N.size for axis in axes])
    missing_M = np.isnan(value_M)
    return WatchedTurn(
        number, (turn.first, turn.last), turn.answer, mean_M, value_M,
        np.where(missing_M, np.nan, beyond_M / rows_M),
        np.where(missing_M, np.nan, (1 + beyond_M) / (1 + rows_M)),
    )  # fmt: skip


def mean_over(value_TM: np.ndarray, tokens: tuple | None) -> np.ndarray:
    if tokens is None:
        return np.full(value_TM.shape[1], np.nan)
    return value_TM[tokens[0] : tokens[1] + 1].mean(0)


def tokens_of_h0(case, axes: Axes) -> tuple[list[np.ndarray], int]:
    """Returns the values of H0's own tokens on each axis, without their rows' fold, and the rows.

    A decoder's first token sees nothing of a row and is left out.
    """
    reader, examples = case.source.reader, pool_rows(case.source.groups, case.pool.members)
    h0 = np.flatnonzero(~case.pool.positive_N).tolist()
    rows = first_by_hash(h0, examples, H0_READ, case.seed)
    folds_M = [axis.folds for axis in axes.axes]
    weight_DMK = np.stack([np.stack([f.weight_D for f in folds], -1) for folds in folds_M], 1)
    offset_MK = np.array([[fold.offset for fold in folds] for folds in folds_M])
    read = project_tokens(
        reader.model(), statements_of(case, rows), case.furthest(),
        weight_DMK.reshape(len(weight_DMK), -1), options=reader.options,
        batch_tokens=reader.batch_tokens,
    )  # fmt: skip
    values = []
    for number, (row, prompt) in enumerate(zip(rows, read.prompts, strict=True)):
        own = slice(max(prompt.first, int(reader.model().config.causal)), prompt.last + 1)
        value_TMK = read.of(number)[own].reshape(-1, *offset_MK.shape) - offset_MK
        values.append(value_TMK[..., axes.fold_N[row]])
    return list(np.concatenate(values).T), len(rows)


def scale_of(value_T: np.ndarray) -> Scale:
    mean, deviation = float(value_T.mean()), float(value_T.std()) if np.ptp(value_T) > 0 else 1.0
    low, high = (np.quantile(value_T, BAND) - mean) / deviation
    return Scale(mean, deviation, float(low), float(high))


def pieces_of(tokenizer, prompt: Prompt) -> tuple[str, ...]:
    """Returns the text of each token; the text of several that make a character is the first's."""
    text, edges_T2 = written_text(tokenizer, [], prompt.ids)
    same_T = (edges_T2[1:] == edges_T2[:-1]).all(1)
    pieces = [text[start:end] for start, end in edges_T2]
    return (pieces[0], *("" if s else p for s, p in zip(same_T, pieces[1:], strict=True)))
