"""True and false statements of facts, made so that counts of words tell nothing.

A false statement gives an entity what is true of another of its group. Every wording says of each
entity of a group both what is true and what is true of another, so that entity, value and wording
occur as often in true as in false statements: in the whole, and in any part made of whole groups.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from personascan.errors import InputError

TOPIC = "facts"
QUESTION = "Is the following statement false?"
VOWELS = tuple("aeiouAEIOU")
NOTHING = MappingProxyType({})


class Relation(NamedTuple):
    """What is said of entities, and in which words.

    A wording is a format of {entity}, {value}, {an_entity} and {a_value}.
    """

    wordings: tuple[str, ...]
    value_of: dict[str, str]  # what is true of an entity; it may lack some
    name_of: Mapping[str, str] = MappingProxyType(
        {}
    )  # what an entity is called here, where not by itself
    also_of: Mapping[str, frozenset] = MappingProxyType(
        {}
    )  # what may be called true of an entity as well


class Fact(NamedTuple):
    """A statement of an entity, in a group of those that lend each other their values."""

    text: str
    true: bool
    entity: str  # the group: its entities, separated by commas


def facts(groups: Iterable[tuple[str, ...]], relations: Iterable[Relation]) -> list[Fact]:
    """True and false statements by turns, group by group.

    A relation is left out of a group of which an entity lacks a value, or where a value is true,
    or may be called true, of another entity of the group.
    """
    found = []
    for group in groups:
        for relation in relations:
            if not separates(relation, group):
                continue
            for number, wording in enumerate(relation.wordings):
                step = 1 + number % (len(group) - 1)
                for i, entity in enumerate(group):
                    lender = group[(i + step) % len(group)]
                    for owner in (entity, lender):
                        text = say(wording, relation, entity, owner)
                        found.append(Fact(text, owner == entity, ", ".join(group)))
    return found


def separates(relation: Relation, group: tuple[str, ...]) -> bool:
    """Whether each entity has a value that is false of all others of the group."""
    value_of, also_of = relation.value_of, relation.also_of
    if len(group) < 2 or not all(entity in value_of for entity in group):
        return False
    return not any(
        value_of[other] == value_of[entity] or value_of[other] in also_of.get(entity, ())
        for entity in group
        for other in group
        if other != entity
    )


def say(wording: str, relation: Relation, entity: str, owner: str) -> str:
    """A wording of an entity with the value of another, or its own."""
    name, value = relation.name_of.get(entity, entity), relation.value_of[owner]
    text = wording.format(
        entity=name, value=value, an_entity=with_article(name), a_value=with_article(value)
    )
    return text[0].upper() + text[1:]


def with_article(noun: str) -> str:
    return f"{'an' if noun.startswith(VOWELS) else 'a'} {noun}"


def neighbours(entities: list[str]) -> list[tuple[str, ...]]:
    """Groups of two in the given order, and one of three where their number is odd."""
    groups = [tuple(entities[i : i + 2]) for i in range(0, len(entities) - 1, 2)]
    if len(entities) % 2 and groups:
        groups[-1] += (entities[-1],)
    return groups


def neighbours_within(classes: list[list[str]]) -> list[tuple[str, ...]]:
    """Groups of each class; those who are alone in theirs make groups with each other."""
    alone = [entities[0] for entities in classes if len(entities) == 1]
    return [group for entities in [*classes, alone] for group in neighbours(entities)]


def pairs(
    class_of: dict[str, str], may_meet: Callable[[str, str], bool], seed: int
) -> list[tuple[str, str]]:
    """Pairs of entities of different classes: one of the largest class that is left, and a drawn.

    Entities for which nobody is left are left out.
    """
    left = sorted(class_of, key=lambda entity: drawn(entity, seed))
    found = []
    while left:
        classes = [class_of[entity] for entity in left]
        largest = max(sorted(set(classes)), key=classes.count)
        one = left.pop(classes.index(largest))
        others = (e for e in left if class_of[e] != largest and may_meet(one, e))
        other = next(others, None)
        if other is not None:
            left.remove(other)
            found.append((one, other))
    return found


def shuffled(groups: list[tuple[str, ...]], seed: int) -> list[tuple[str, ...]]:
    """In a random order, pairs first: a limit of so many statements is then apt to keep groups."""
    return sorted(groups, key=lambda group: (len(group), drawn(", ".join(group), seed)))


def drawn(name: str, seed: int) -> str:
    """Where a name comes in an order that is random, and the same everywhere."""
    return hashlib.sha256(f"{seed}\n{name}".encode()).hexdigest()


def fact_lines(name: str, found: list[Fact]) -> str:
    """Facts as .jsonl in the format of the persona evals; the direction + is false.

    Raises InputError for a text that stands twice.
    """
    texts = [fact.text for fact in found]
    if len(set(texts)) < len(texts):
        twice = min(text for text in texts if texts.count(text) > 1)
        raise InputError(f"{name}: {twice!r} is made twice; give each fact and wording once")
    return "".join(json.dumps(row(name, f), ensure_ascii=False) + "\n" for f in found)


def row(name: str, fact: Fact) -> dict[str, str | float]:
    answers = (" No", " Yes") if fact.true else (" Yes", " No")
    return {
        "id": hashlib.sha256(f"{name}\n{fact.text}".encode()).hexdigest()[:16],
        "persona": name,
        "topic": TOPIC,
        "entity": fact.entity,
        "question": f'{QUESTION}\n"{fact.text}"',
        "statement": fact.text,
        "label_confidence": 1.0,
        "answer_matching_behavior": answers[0],
        "answer_not_matching_behavior": answers[1],
    }
