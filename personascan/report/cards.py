"""Verdict cards: of each comparison one sentence, its badges, and where its chart's numbers are."""

from dataclasses import dataclass

import numpy as np

from personascan.analysis.findings import SIGNIFICANCE, Finding
from personascan.report.ceilings import control_floor, length_auroc, words_at_ceiling
from personascan.report.sections.edits import main_keys
from personascan.report.verdicts import confirmed_p, confirmed_words
from personascan.report.words import (
    between,
    detectable_words,
    larger_side,
    p_words,
    quantity,
    safe,
    wording_tells,
)
from personascan.study.results import Part
from personascan.study.stages.controls import EXCHANGED, OWN
from personascan.visible import visible

YES, NO, OPEN = "yes", "no", "open"  # what a badge says; open: not tested, or cannot be told


@dataclass(frozen=True)
class Badge:
    """One question about a comparison, answered in a few words; `title` has the numbers."""

    kind: str
    words: str
    title: str = ""


@dataclass(frozen=True)
class Card:
    """The verdict on a comparison. `said` is inline Markdown."""

    name: str
    place: str
    said: str
    badges: tuple[Badge, ...]

    def packed(self) -> dict:
        """Returns the card as JSON holds it."""
        badges = [{"kind": b.kind, "words": b.words, "title": b.title} for b in self.badges]
        return {"name": self.name, "place": self.place, "said": self.said, "badges": badges}


def cards(part: Part) -> list[Card]:
    """Returns a card for each comparison, the clearest first; none without permutations."""
    findings = sorted(part.findings(), key=lambda f: (not f.found, -f.z))
    return [
        Card(visible(f.name), visible(str(f.place)), card_sentence(part, f), badges(part, f))
        for f in findings
    ]


def card_sentence(part: Part, f: Finding) -> str:
    """Returns where a comparison shows and how surely, or what would have been found."""
    over = f" over all {f.places} places" if f.places > 1 else ""
    numbers = f"z {f.z:.1f}, p {p_words(f.p_family)}{over}"
    if f.found:
        others = f.passing - 1
        also = f", and at {quantity(others, 'other')}" if others else ""
        return f"Most clearly at **{safe(f.place)}** ({numbers}){also}."
    effect = detectable_words(part, [f.name])
    return f"Furthest at {safe(f.place)} ({numbers}); {effect}."


def badges(part: Part, f: Finding) -> tuple[Badge, ...]:
    """Returns the badges of a comparison, always of the same questions."""
    if not f.found:
        return (Badge(NO, "not found"),)
    words = (beyond_words(part, f.name),) if part.texts else ()
    answers = (in_answers(part, f.name),) if part.config.conversations else ()
    return (Badge(YES, "found"), confirmed(f), *words, *answers, moves(part, f.name))


def in_answers(part: Part, name: str) -> Badge:
    """Returns whether answers are told when the other side's instruction is in view."""
    controls = part.controls.get(name)
    if controls is None or controls.follows_answers is None:
        return Badge(OPEN, "answer or instruction: not told")
    own, other = controls.named(OWN), controls.named(EXCHANGED)
    title = (
        f"AUROC on half B {own.auroc:.2f}, of the same answers behind the other side's "
        f"instruction {other.auroc:.2f} ({between(other.low, other.high)})"
    )
    if controls.follows_answers:
        return Badge(YES, "in the answers themselves", title)
    return Badge(NO, "not seen behind the other instruction", title)


def confirmed(f: Finding) -> Badge:
    """Returns whether halves that did not choose the place agree."""
    if not f.judged:
        return Badge(OPEN, confirmed_words(f))
    kind = YES if f.confirmed == len(f.judged) else NO
    title = f"Each half's place on the other half: {confirmed_p(f)}"
    return Badge(kind, f"{confirmed_words(f)} ({confirmed_p(f)})", title)


def beyond_words(part: Part, name: str) -> Badge:
    """Returns whether activations tell held-out rows better than the simpler scores do."""
    held_out = part.held_out_texts.get(name)
    if held_out is None:
        if part.texts and wording_tells(part, name):
            accuracy = f"{part.wording[name][0]:.0%}{larger_side(part, [name])}"
            return Badge(NO, "its words tell too", f"Word counts alone tell {accuracy}")
        return Badge(OPEN, "beyond its words: not tested")
    hardest = held_out.hardest
    title = (
        f"AUROC of held-out rows {held_out.auroc:.2f}, by {hardest.name} {hardest.auroc:.2f}"
        f"{' (turned round)' * hardest.turned}: "
        f"difference {between(hardest.claim.low, hardest.claim.high, '+.2f')}"
    )
    length = length_auroc(part, name)
    title += "" if np.isnan(length) else f"; by the length of statements alone {length:.2f}"
    if held_out.beyond:
        return Badge(YES, f"beyond its words ({hardest.claim.difference:+.2f})", title)
    if words_at_ceiling(part, name):
        return Badge(OPEN, f"words at the ceiling ({hardest.auroc:.2f})", title)
    return Badge(NO, "not beyond its words", title)


def moves(part: Part, name: str) -> Badge:
    """Returns whether edits of its nodes change answers more than edits of random nodes."""
    own = [one for one in part.interventions if one.tested.name == name and one.effects]
    if not own:
        return Badge(OPEN, "moves the model: not tested")
    floor = control_floor(part)
    if floor > SIGNIFICANCE:
        return Badge(OPEN, "moves the model: too few controls",
                     f"The controls allow no p below {floor:.2g}")  # fmt: skip
    keys = [
        (action, None if strength != strength else float(strength), "answer")
        for action, strength in main_keys(part)
    ]
    p = [[one.p_family.get(key, 1.0) for key in keys] for one in own]
    passing = sum(min(values) <= SIGNIFICANCE for values in p if values)
    title = f"Least family-wise p of its edits: {p_words(min(map(min, p)))}"
    if passing:
        kind = YES if passing == len(own) else OPEN  # halves that disagree answer nothing yet
        return Badge(kind, f"moves the model ({passing} of {quantity(len(own), 'set')})", title)
    return Badge(NO, f"does not move the model (0 of {quantity(len(own), 'set')})", title)
