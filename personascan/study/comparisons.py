"""Which statements are compared: H1 and H0 pools as lists of (persona, direction)."""

from dataclasses import dataclass

import numpy as np

from personascan.errors import InputError
from personascan.sources.language.statements import Statement

Pool = tuple[tuple[str, str], ...]  # (persona, "positive" or "negative")


@dataclass(frozen=True)
class Comparison:
    """One question of a study: the statements of `h1` against those of `h0`."""

    name: str  # the persona, or at level 0 the topic
    h1: Pool
    h0: Pool


def comparisons(level: int, topic_of: dict[str, str]) -> list[Comparison]:
    """The comparisons of a level (arXiv 2505.24539, section 4).

    Level 2: a persona's positives against its own negatives. Level 1: against the positives of its
    topic's other personas. Level 0: a topic's positives against those of the other topics.

    topic_of: {persona: topic}, in order. Raises InputError where a pool would be empty.
    """
    if level == 2:
        return [Comparison(p, ((p, "positive"),), ((p, "negative"),)) for p in topic_of]
    for persona, topic in topic_of.items():
        if not topic:
            raise InputError(f"persona {persona!r} has no topic, which level {level} needs")
    if level == 1:
        pools = [
            (
                persona,
                (persona,),
                tuple(p for p in topic_of if topic_of[p] == topic and p != persona),
            )
            for persona, topic in topic_of.items()
        ]
    else:
        pools = [
            (
                topic,
                tuple(p for p in topic_of if topic_of[p] == topic),
                tuple(p for p in topic_of if topic_of[p] != topic),
            )
            for topic in dict.fromkeys(topic_of.values())
        ]
    for name, _, others in pools:
        if not others:
            raise InputError(f"level {level} has nothing to compare {name!r} with; add personas")
    return [
        Comparison(name, tuple((p, "positive") for p in h1), tuple((p, "positive") for p in h0))
        for name, h1, h0 in pools
    ]


def pool_rows(statements: list[Statement], comparison: Comparison) -> tuple[np.ndarray, np.ndarray]:
    """The statement numbers of a comparison's pool, and True where one belongs to H1."""
    direction = {True: "positive", False: "negative"}
    keys = [(s.persona, direction[s.positive]) for s in statements]
    rows = np.array([i for i, k in enumerate(keys) if k in comparison.h1 + comparison.h0], int)
    return rows, np.array([keys[i] in comparison.h1 for i in rows], bool)
