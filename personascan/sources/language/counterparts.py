"""Statements whose counterpart in like words is on the other side, and that name no pairs."""

import re
import sys
from collections.abc import Sequence

from personascan.visible import visible

LIKE = 0.5  # share of the words of two statements that both have, from which they are counterparts
MOST = 300  # of a side, that are compared


def note_counterparts(statements: Sequence) -> None:
    """Prints a note for each persona whose statements seem to come in pairs, and name none.

    Then a statement's counterpart is often among those that a fold learns from, with the other
    label, and labels are exchanged among statements that differ in more than their side.
    """
    by_persona = {}
    for one in statements:
        by_persona.setdefault(one.persona, ([], []))[not one.positive].append(one)
    for persona, sides in by_persona.items():
        if any(one.pair or one.entity for side in sides for one in side):
            continue
        h1, h0 = ([words_of(one.text) for one in side[:MOST]] for side in sides)
        number = sum(has_like(words, h0) for words in h1)
        own = sum(has_like(words, h1[:i] + h1[i + 1 :]) for i, words in enumerate(h1))
        if number >= 2 and 2 * number >= min(len(h1), len(h0)) and number > own:
            print(
                f"note: {visible(persona)}: {number} of {len(h1)} positive statements have a "
                "counterpart in like words among the negative ones; a column `pair` that names "
                "them makes the tests sharper, and the words' own share known",
                file=sys.stderr,
            )


def words_of(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def has_like(words: frozenset[str], others: list[frozenset[str]]) -> bool:
    """Returns whether one of the others has about the same words."""
    return any(len(words & other) >= LIKE * len(words | other) for other in others)
