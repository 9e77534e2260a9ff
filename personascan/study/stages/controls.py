"""Controls of answers: a direction of one half, judged on the other's answers, with parts left out.

Without the words of the instruction, without refusals, with the other instruction or none in view,
and under instructions that the direction was not made with.
"""

from dataclasses import dataclass, replace

import numpy as np

from personascan.analysis.claims import auroc, auroc_limits, sizes
from personascan.analysis.echoes import echoes, is_refusal, own_stems
from personascan.interventions.directions import PlaceStatistics
from personascan.places import Place
from personascan.sources.language.conversations import Conversation, Message
from personascan.sources.language.extract import extract_into
from personascan.sources.language.source import Reader
from personascan.study.half_direction import (
    LEAST,
    HalfDirection,
    half_direction,
    place_inputs,
    statements_of,
)
from personascan.study.rows import StoredRows
from personascan.study.stage import PLACE, Phase, Stage, Table, place_cells
from personascan.study.stages.where import LabelledRows
from personascan.study.units import Unit, Work, sha256_of

BEGINNING = "last_prompt"
OWN, NO_ECHO, NO_REFUSAL = "as they are", "no words of the instruction", "no refusals"
BEFORE = "before the answer, at last_prompt"
EXCHANGED, REMOVED = "the other instruction in view", "no instruction in view"
HELD_OUT = "under instruction {}, found under the others"


@dataclass(frozen=True)
class Control:
    """How well answers are told by a direction that is made without them; NaN: too few answers."""

    name: str
    auroc: float
    low: float  # 95% interval (`auroc_limits`), by questions
    high: float
    h1: int  # answers that are judged
    h0: int


@dataclass(frozen=True)
class Controls:
    """The controls of a comparison, at the place that half A chose."""

    place: Place
    controls: tuple[Control, ...]
    echoes: tuple[float, float]  # share of answers with words of the instruction: of H1, of H0
    refusals: tuple[float, float]

    def named(self, name: str) -> Control | None:
        """Returns the control of a name; None where it was not made, or answers were too few."""
        made = (one for one in self.controls if one.name == name and not np.isnan(one.auroc))
        return next(made, None)

    @property
    def follows_answers(self) -> bool | None:
        """Whether answers are still told behind the other instruction.

        None if it is not known: not asked, or the other half's answers are not told as they are.
        """
        own, other = self.named(OWN), self.named(EXCHANGED)
        return None if other is None or own is None or own.low <= 0.5 else other.low > 0.5


def work(case, at: HalfDirection) -> Work:
    """Returns the unit of a comparison's controls."""
    rows, source = case.rows(at.place), case.source
    conversations = statements_of(case, range(len(case.pool.ids)))
    inputs = rows.inputs(case.pool.positive_N) | source.shared_identity | {
        "place": place_inputs(at.place), "find": at.find.inputs(), "show": at.show.inputs(),
        "conversations": sha256_of([
            [one.id, one.text, one.instruction, *([m.role, m.content] for m in one.messages)]
            for one in conversations
        ]),
    }  # fmt: skip
    return Work(
        Unit("controls", inputs), do,
        (source.reader, rows, at.place, at.find, at.show, conversations),
    )  # fmt: skip


def do(
    reader: Reader, rows: StoredRows, place: Place, find: LabelledRows, show: LabelledRows,
    conversations: tuple[Conversation, ...],
):  # fmt: skip
    place_ND = rows.array().astype(np.float64)
    own = own_stems(*instructions_of(conversations, find, show))
    echo_N = np.array([echoes(one.text, own) for one in conversations])
    refusal_N = np.array([is_refusal(one.text) for one in conversations])
    judging = Judging(place_ND, find, show)
    controls = [judging.judge(OWN)]
    controls.append(judging.judge(NO_ECHO, ~echo_N, ~echo_N))
    controls.append(judging.judge(NO_REFUSAL, ~refusal_N, ~refusal_N))
    if place.position != BEGINNING:
        before = replace(place, position=BEGINNING)
        before_ND = read_at(reader, before, conversations)
        controls.append(replace(judging, place_ND=before_ND).judge(BEFORE))
    for name, change in ((EXCHANGED, with_other), (REMOVED, without_instruction)):
        changed = change(conversations, show)
        if changed is not None:
            controls.append(judging.judge(name, show_ND=read_at(reader, place, changed)))
    named = np.array([one.instruction for one in conversations])
    for instruction in dict.fromkeys(filter(None, named.tolist())):
        found, shown = named != instruction, named == instruction
        if found[find.rows].any():
            controls.append(judging.judge(HELD_OUT.format(instruction), found, shown))
    every = np.concatenate([find.rows, show.rows])
    positive = np.concatenate([find.positive_N, show.positive_N])
    values = {
        "controls": [[getattr(c, name) for name in COLUMNS] for c in controls],
        "echoes": [float(echo_N[every][positive == side].mean()) for side in (True, False)],
        "refusals": [float(refusal_N[every][positive == side].mean()) for side in (True, False)],
    }
    return values, {}


def read_at(reader: Reader, place: Place, conversations) -> np.ndarray:
    """Returns the activations of conversations at a place: [N, D] float64."""
    model = reader.model()
    read_ND = np.empty((len(conversations), model.config.site_shape(place.site)[1]), np.float32)
    extract_into(
        model, list(conversations), {place: read_ND}, options=reader.options,
        batch_tokens=reader.batch_tokens, progress=lambda done: None,
    )  # fmt: skip
    return read_ND.astype(np.float64)


COLUMNS = ("name", "auroc", "low", "high", "h1", "h0")


@dataclass(frozen=True)
class Judging:
    """Rows of a place, those that find a direction and those that are judged by it."""

    place_ND: np.ndarray
    find: LabelledRows
    show: LabelledRows

    def judge(self, name: str, found_N=None, shown_N=None, show_ND=None) -> Control:
        """Returns a control of the rows that two masks [N] leave of either half.

        show_ND: other activations of the rows that are judged.
        """
        found, shown = (
            np.ones(half.rows.size, bool) if mask is None else mask[half.rows]
            for half, mask in ((self.find, found_N), (self.show, shown_N))
        )
        labels = self.find.positive_N[found], self.show.positive_N[shown]
        h1, h0 = int(labels[1].sum()), int((~labels[1]).sum())
        if min(min(int(one.sum()), int((~one).sum())) for one in labels) < LEAST:
            return Control(name, np.nan, np.nan, np.nan, h1, h0)
        direction_D = PlaceStatistics(self.place_ND[self.find.rows[found]], labels[0]).readout_D
        judged_ND = self.place_ND[self.show.rows] if show_ND is None else show_ND
        a = float(auroc(judged_ND[shown].astype(np.float64) @ direction_D, labels[1]))
        together = self.show.together_N
        units = sizes(labels[1], None if together is None else together[shown])
        return Control(name, a, *map(float, auroc_limits(a, units)), h1, h0)


def instructions_of(conversations, *halves: LabelledRows) -> tuple[set[str], set[str]]:
    """Returns the instructions of H1, with the persona's name, and those of H0."""
    own: tuple[set[str], set[str]] = set(), set()
    for half in halves:
        for row, positive in zip(half.rows, half.positive_N, strict=True):
            one = conversations[row]
            own[not positive].update(instruction_text(one))
            if positive:
                own[0].add(one.persona)
    return own


def instruction_text(one: Conversation) -> list[str]:
    return [message.content for message in one.messages if message.role == "system"]


def with_other(conversations, show: LabelledRows) -> list[Conversation] | None:
    """Returns the judged answers behind the messages of the other side of their pair.

    None where some answer has no single partner question, or is not one turn.
    """
    if show.pairs_N is None or not all(is_single(conversations[row]) for row in show.rows):
        return None
    sides = {}
    for row, pair, positive in zip(show.rows, show.pairs_N, show.positive_N, strict=True):
        sides.setdefault((pair, bool(positive)), []).append(row)
    changed = []
    for row, pair, positive in zip(show.rows, show.pairs_N, show.positive_N, strict=True):
        own, others = sides[pair, bool(positive)], sides.get((pair, not positive), [])
        if not others:
            return None
        other = conversations[others[own.index(row) % len(others)]]
        changed.append(answered_by(conversations[row], question_of(other)))
    return changed


def without_instruction(conversations, show: LabelledRows) -> list[Conversation] | None:
    """Returns the judged answers behind their question alone; None without instructions."""
    rows = [conversations[row] for row in show.rows]
    if not all(map(is_single, rows)) or not any(map(instruction_text, rows)):
        return None
    return [
        answered_by(one, tuple(m for m in question_of(one) if m.role != "system")) for one in rows
    ]


def is_single(one: Conversation) -> bool:
    """Returns whether the model answers once."""
    return all(message.role != "assistant" for message in question_of(one))


def question_of(one: Conversation) -> tuple[Message, ...]:
    """Returns the messages before the last answer."""
    return one.messages if one.response is not None else one.messages[:-1]


def answered_by(one: Conversation, messages: tuple[Message, ...]) -> Conversation:
    """Returns a conversation's answer behind other messages."""
    given = () if one.response is not None else one.messages[-1:]
    return replace(one, messages=(*messages, *given))


def asked(level) -> list[tuple]:
    """Returns (comparison, halves) of those that have answers."""
    if not level.config.conversations:
        return []
    at = ((case, half_direction(case)) for case in level.cases if case.portions)
    return [(case, halves) for case, halves in at if halves is not None]


def read(level) -> dict:
    controls = {}
    for case, at in asked(level):
        values = case.read(work(case, at)).values
        controls[case.name] = Controls(
            at.place, tuple(Control(*one) for one in values["controls"]),
            tuple(values["echoes"]), tuple(values["refusals"]),
        )  # fmt: skip
    return {"controls": controls}


def table_rows(part):
    """Yields the controls of each comparison."""
    for name, one in part.controls.items():
        for c in one.controls:
            yield *place_cells(one.place), name, c.name, c.h1, c.h0, c.auroc, c.low, c.high


def answer_rows(part):
    """Yields every answer of a study of conversations."""
    if not part.config.conversations:
        return
    for group, rows in part.source.groups.items():
        for one in rows:
            written = one.response
            yield (
                group, one.id, int(one.positive), one.question, one.instruction,
                written.ended if written else "given", len(written.ids) if written else np.nan,
                int(is_refusal(one.text)), np.nan if one.score is None else one.score, one.text,
            )  # fmt: skip


STAGE = Stage(
    "controls",
    Phase.ASKED,
    works=lambda level: [work(*one) for one in asked(level)],
    count=lambda counted: (
        counted.comparisons * bool(counted.config.conversations) * counted.permuted
    ),
    read=read,
    tables={
        "controls": Table(
            (*PLACE, "comparison", "control", "h1", "h0", "auroc", "low", "high"), table_rows
        ),
        "answers": Table(
            ("persona", "id", "positive", "question", "instruction", "ended", "tokens", "refusal",
             "score", "text"),
            answer_rows,
        ),
    },
)  # fmt: skip
