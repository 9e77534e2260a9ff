"""Which conversations are compared: sides by scores, and no question on one side alone."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from personascan.errors import InputError
from personascan.sources.language.conversations import Conversation
from personascan.sources.language.message_files import HIGHEST_SCORE, Row
from personascan.visible import visible


@dataclass(frozen=True)
class ScoreLimits:
    """From which score on positives are kept, and up to which negatives are; None: all are."""

    above: float | None = None
    below: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("keep_above", self.above), ("keep_below", self.below)):
            if value is None:
                continue
            if not isinstance(value, int | float) or not 0 <= value <= HIGHEST_SCORE:
                raise InputError(
                    f"{name} = {value!r} is outside [0, {HIGHEST_SCORE}], as scores are"
                )

    def keeps(self, positive: bool, score: float) -> bool:
        if positive:
            return self.above is None or score >= self.above
        return self.below is None or score <= self.below

    def side(self, score: float) -> bool | None:
        """The side that a score decides; None between the two."""
        return next((side for side in (True, False) if self.keeps(side, score)), None)


def refuse_unscored(rows: Sequence[Row], limits: ScoreLimits) -> None:
    """Raises InputError where limits lack a score, or a score the limits that decide its side."""
    limited = limits != ScoreLimits()
    for row in rows:
        if limited and row.conversation.score is None:
            raise InputError(
                f"{row.where} has no score, which keep_above and keep_below need; give all rows one"
            )
        if row.labelled:
            continue
        if limits.above is None or limits.below is None:
            raise InputError(
                f"{row.where} has a score and no side; give keep_above and keep_below, which "
                "decide it"
            )
        if limits.above <= limits.below:
            raise InputError(
                f"keep_above = {limits.above} and keep_below = {limits.below} would put a score on "
                "both sides; use a higher keep_above"
            )


def select_scored(
    rows: Sequence[Row], limits: ScoreLimits, left_out: Counter[str]
) -> list[Conversation]:
    """Returns the conversations that scores keep, each with its side, and counts the others.

    Raises InputError where none of a group's is kept.
    """
    kept: list[Conversation] = []
    for row in rows:
        one = row.conversation
        if one.score is None or limits == ScoreLimits():
            kept.append(one)
        elif not row.labelled:
            side = limits.side(one.score)
            if side is None:
                left_out[f"with a score between {limits.below:g} and {limits.above:g}"] += 1
            else:
                kept.append(replace(one, positive=side))
        elif limits.keeps(one.positive, one.score):
            kept.append(one)
        elif one.positive:
            left_out[f"positive with a score below {limits.above:g}"] += 1
        else:
            left_out[f"negative with a score above {limits.below:g}"] += 1
    refuse_emptied(rows, kept, limits)
    return kept


def refuse_emptied(rows: Sequence[Row], kept: Iterable[Conversation], limits: ScoreLimits) -> None:
    """Raises InputError for a group of which scores leave nothing, or one of its named sides."""
    there = {key for one in kept for key in ((one.persona, one.positive), (one.persona, None))}
    scores: dict[tuple[str, bool | None], list[float]] = {}
    for row in rows:
        one = row.conversation
        side = one.positive if row.labelled else None
        scores.setdefault((one.persona, side), []).append(one.score or 0.0)
    for (group, side), of_side in scores.items():
        if (group, side) in there:
            continue
        low, high = min(of_side), max(of_side)
        if side is None:
            fault = f"no score reaches {limits.above:g} or is at most {limits.below:g}; they are"
            fault += f" from {low:g} to {high:g}: change keep_above or keep_below"
        elif side:
            fault = f"no positive row reaches keep_above = {limits.above:g}; the highest score"
            fault += f" is {high:g}: lower keep_above"
        else:
            fault = f"no negative row has a score of at most keep_below = {limits.below:g}; the"
            fault += f" lowest is {low:g}: raise keep_below"
        raise InputError(f"{group!r}: {fault}")


def first_rows(
    conversations: Sequence[Conversation], instructions: int, limit: int, left_out: Counter[str]
) -> list[Conversation]:
    """Returns the rows of each group's first questions, and of each side's first instructions.

    A row without question is one of its own on its side. Groups that are all negative keep theirs:
    those that no other group is asked any more are left out with the other rows of one side.
    """
    scopes, kept = scopes_of(conversations), []
    numbers: dict[tuple, dict[str, int]] = {}  # of questions and instructions, as they come

    def number(key: tuple, name: str) -> int:
        names = numbers.setdefault(key, {})
        return names.setdefault(name, len(names))

    for one in conversations:
        side = (one.persona, one.positive)
        asked = number(("question", one.persona), one.question) if one.question else number(
            ("row", *side), one.id
        )  # fmt: skip
        told = number(("instruction", *side), one.instruction)
        background = bool(one.question) and not scopes[one.persona] and not one.positive
        if limit and asked >= limit and not background:
            left_out[f"behind the first {limit} questions of their group"] += 1
        elif instructions and told >= instructions:
            left_out[f"behind the first {instructions} instructions of their side"] += 1
        else:
            kept.append(one)
    return kept


def scopes_of(conversations: Iterable[Conversation]) -> dict[str, str]:
    """Returns what each group is compared inside of: itself, or "" for one that has one side.

    Groups of positives alone are compared with those of negatives alone.
    """
    sides: dict[str, set[bool]] = {}
    for one in conversations:
        sides.setdefault(one.persona, set()).add(one.positive)
    return {group: group if len(both) == 2 else "" for group, both in sides.items()}


def unpartnered(conversations: Sequence[Conversation]) -> list[Conversation]:
    """Returns the rows whose pair or question has no row on the other side."""
    scopes = scopes_of(conversations)
    there = {
        (scopes[one.persona], *name, one.positive)
        for one in conversations
        for name in shared_names(one)
    }
    return [
        one
        for one in conversations
        if any(
            (scopes[one.persona], *name, not one.positive) not in there
            for name in shared_names(one)
        )
    ]


def shared_names(one: Conversation) -> list[tuple[str, str]]:
    """Returns what a row has in common with rows of the other side."""
    both = [("pair", one.pair), ("question", one.question)]
    return [name for name in both if name[1]]


def partnered(conversations: list[Conversation], left_out: Counter[str]) -> list[Conversation]:
    """Returns the conversations but for those whose pair or question is left on one side."""
    while rows := {one.id for one in unpartnered(conversations)}:
        conversations = [one for one in conversations if one.id not in rows]
        left_out["whose question or pair is left on one side"] += len(rows)
    return conversations


def refuse_lost(before: Iterable[Conversation], after: Iterable[Conversation]) -> None:
    """Raises InputError for a side that has no row left whose question is on the other one too."""
    there = {(one.persona, one.positive) for one in after}
    for one in before:
        if (one.persona, one.positive) not in there:
            side = "positive" if one.positive else "negative"
            raise InputError(
                f"{one.persona!r}: no {side} row is left whose question or pair is on the other "
                "side too; leave out fewer (keep_above, keep_below, limit, instructions)"
            )


def refuse_unpartnered(conversations: Sequence[Conversation]) -> None:
    """Raises InputError for a question or pair that is on one side of a comparison alone."""
    single = unpartnered(conversations)
    if single:
        one = single[0]
        what = f"question {one.question!r}" if one.question else f"pair {one.pair!r}"
        raise InputError(
            f"{one.persona!r}: row {one.id} has no partner on the other side: its {what} is on one "
            f"side alone ({len(single)} such rows); ask it on both"
        )
    scopes = scopes_of(conversations)
    paired = {scopes[one.persona] for one in conversations if one.pair}
    for one in conversations:
        if scopes[one.persona] in paired and not one.pair:
            raise InputError(
                f"{one.persona!r}: row {one.id} has no question and no pair, and others have; give "
                "every row one, or none"
            )


def refuse_one_sided(conversations: Sequence[Conversation]) -> None:
    """Raises InputError for a group that nothing is compared with."""
    scopes = scopes_of(conversations)
    sides = {one.positive for one in conversations if not scopes[one.persona]}
    for one in conversations:
        if sides == {True} and not scopes[one.persona]:
            raise InputError(
                f"{one.persona!r} has no negative rows, and no other group has negative ones "
                "alone; add its opposite, or for roles default.json"
            )
    if not any(one.positive for one in conversations):
        raise InputError("no conversation is positive: there is nothing to look for")


def note_left_out(left_out: Counter[str], of: int) -> None:
    if left_out:
        reasons = ", ".join(f"{count} {why}" for why, count in left_out.items())
        print(
            f"note: {left_out.total()} of {of} conversations are left out: {visible(reasons)}",
            file=sys.stderr,
        )
