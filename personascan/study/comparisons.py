"""Which rows are compared: pools of H1 and H0, balanced over the personas they come from."""

import hashlib
import itertools
from dataclasses import dataclass, replace

import numpy as np

from personascan.errors import InputError
from personascan.study.pairs import draw_pairs, pairs_of

Side = tuple[tuple[str, str], ...]  # (persona, "positive" or "negative")
LEAST_ENTITIES = 10  # of a persona, to be told from others: as many as there are folds
DIRECTION = {True: "positive", False: "negative"}


@dataclass(frozen=True)
class Comparison:
    """One question of a study: the statements of `h1` against those of `h0`."""

    level: int
    name: str  # the persona, or at level 0 the topic
    h1: Side
    h0: Side


@dataclass(frozen=True)
class LeftOut:
    """Numbers of rows of H1 and of H0 that a comparison leaves out."""

    shared: tuple[int, int] = (0, 0)  # their entity has rows on both sides, and was dealt to one
    beyond: tuple[int, int] = (0, 0)  # more than the limit, or than another persona has


@dataclass(frozen=True)
class Pool:
    """The rows of a comparison, as everything behind the sources knows them."""

    name: str
    ids: tuple[str, ...]  # [N]
    positive_N: np.ndarray  # bool: True where a row belongs to H1
    strata: tuple[str, ...]  # [N]: rows of one stratum are shared out evenly between halves
    members: tuple[tuple[str, np.ndarray], ...]  # (group, its rows), one after the other
    # [N]: rows of one cluster stay together: permuted as one, never both background and scanned.
    clusters: np.ndarray | None = None  # None: every row is its own
    left_out: LeftOut = LeftOut()
    # [N]: rows of one pair are on both sides, and exchange their labels with one another alone.
    pairs: np.ndarray | None = None  # None: rows are not paired
    # [N]: of paired rows, those of one entity, which has several pairs, such as a question that is
    # answered under several instructions; None: every pair is its own.
    pair_entities: np.ndarray | None = None

    @property
    def together(self) -> np.ndarray | None:
        """Groups of rows that stay in one half, one fold and one resample: int [N], or None."""
        if self.pair_entities is not None:
            return self.pair_entities
        return self.clusters if self.pairs is None else self.pairs

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows of H1 and of H0."""
        return int(self.positive_N.sum()), int((~self.positive_N).sum())


def comparisons(level: int, groups: dict) -> list[Comparison]:
    """Returns the comparisons of a level (arXiv 2505.24539, section 4).

    Level 2: a persona's positives against its own negatives or, where it has none, against those of
    the groups that have no positives. Level 1: against the positives of its topic's other personas.
    Level 0: a topic's positives against those of the other topics.

    groups: {persona: rows}, in order. Raises InputError where a side would be empty.
    """
    if level == 2:
        return negative_comparisons(groups)
    topic_of = {persona: topic_of_group(rows) for persona, rows in groups.items()}
    for persona, topic in topic_of.items():
        if not topic:
            raise InputError(f"persona {persona!r} has no topic, which level {level} needs")
    if level == 1:
        sides = [
            (persona, [persona], [p for p in topic_of if topic_of[p] == topic and p != persona])
            for persona, topic in topic_of.items()
        ]
    else:
        sides = [
            (
                topic,
                [p for p in topic_of if topic_of[p] == topic],
                [p for p in topic_of if topic_of[p] != topic],
            )
            for topic in dict.fromkeys(topic_of.values())
        ]
    for name, _, others in sides:
        if not others:
            raise InputError(f"level {level} has nothing to compare {name!r} with; add personas")
    return [
        Comparison(level, name, *(tuple((p, "positive") for p in side) for side in (h1, h0)))
        for name, h1, h0 in sides
    ]


def topic_of_group(examples) -> str:
    return examples[0].topic


def negative_comparisons(groups: dict) -> list[Comparison]:
    """Returns the comparisons of level 2."""
    has = {g: {DIRECTION[e.positive] for e in examples} for g, examples in groups.items()}
    background = tuple((g, "negative") for g, sides in has.items() if sides == {"negative"})
    own_comparisons = []
    for group, sides in has.items():
        if "positive" not in sides:
            continue
        own = ((group, "negative"),) if "negative" in sides else background
        if not own:
            raise InputError(
                f"{group!r} has no negative rows, and no other group has negative ones alone; "
                "there is nothing to compare it with"
            )
        own_comparisons.append(Comparison(2, group, ((group, "positive"),), own))
    if not own_comparisons:
        raise InputError("no group has positive rows: there is nothing to look for")
    return own_comparisons


def draw_pool(groups: dict, comparison: Comparison, limit: int, seed: int) -> Pool:
    """Draws the rows of a comparison.

    A side takes equally many rows of each of its personas, all together at most `limit` (at
    least one each), so that no persona stands for a side. Which ones is drawn by a hash of their
    ids, and does not change when others come or go. Of paired rows whole pairs are taken, drawn
    the same way, as many as the limit has room for on both sides.

    Args:
      groups: {persona: rows with `id` and `positive`}.
      limit: rows of a side.
    """
    sides = [
        {one: rows_of_direction(groups, *one) for one in side}
        for side in (comparison.h1, comparison.h0)
    ]
    examples = [[groups[p][i] for (p, _), rows in side.items() for i in rows] for side in sides]
    own = {p for p, _ in comparison.h1} == {p for p, _ in comparison.h0}
    pairs = draw_pairs(comparison.name, examples, limit, seed, own)
    excluded = excluded_sides(examples, seed) if pairs is None else {}
    drawn, shared, beyond = {}, [], []
    for is_h1, side in zip((True, False), sides, strict=True):
        usable = {
            (persona, direction): [
                i
                for i in rows
                if excluded.get(entity_of(groups[persona][i])) != is_h1
                and (pairs is None or groups[persona][i].pair in pairs)
            ]
            for (persona, direction), rows in side.items()
        }
        most = limit
        if len(side) > 1 and pairs is None:
            most = max(1, min(limit // len(side), *map(len, usable.values())))
        unusable = sum(map(len, side.values())) - sum(map(len, usable.values()))
        over = sum(max(0, len(rows) - most) for rows in usable.values())
        shared.append(unusable if pairs is None else 0)
        beyond.append(over if pairs is None else unusable)
        for (persona, direction), rows in usable.items():
            chosen = first_by_hash(rows, groups[persona], most, seed)
            drawn.setdefault(persona, []).extend((i, is_h1, direction) for i in chosen)
    # Whatever the sides, a group's rows stand together and in order.
    drawn = {persona: sorted(drawn[persona]) for persona in groups if persona in drawn}
    every = [(persona, *one) for persona, rows in drawn.items() for one in rows]
    members = tuple((persona, np.array([i for i, *_ in rows])) for persona, rows in drawn.items())
    return Pool(
        comparison.name,
        tuple(groups[persona][i].id for persona, i, _, _ in every),
        np.array([is_h1 for _, _, is_h1, _ in every], bool),
        tuple(f"{persona}/{direction}" for persona, _, _, direction in every),
        members,
        clusters_of(groups, members) if pairs is None else None,
        LeftOut(tuple(shared), tuple(beyond)),
        None if pairs is None else pairs_of(groups, members),
        None if pairs is None else clusters_of(groups, members),
    )


def rows_of_direction(groups: dict, persona: str, direction: str) -> list[int]:
    """Returns the numbers of a persona's rows in one direction."""
    return [i for i, e in enumerate(groups[persona]) if DIRECTION[e.positive] == direction]


def clusters_of(groups: dict, members) -> np.ndarray | None:
    """Returns the number of each row's entity: int [N]; None where every row is its own."""
    entities = [entity_of(groups[persona][i]) for persona, rows in members for i in rows]
    if len(set(entities)) == len(entities):
        return None
    number = {entity: i for i, entity in enumerate(sorted(set(entities)))}
    return np.array([number[entity] for entity in entities])


def entity_of(row) -> tuple[str, bool]:
    """Returns (name of the row's entity, True), or (the row's id, False) where it names none.

    An entity and a row may have the same name, and are two things all the same.
    """
    entity = row.entity
    return (entity, True) if entity else (row.id, False)


def excluded_sides(sides: list[list], seed: int) -> dict[tuple, bool]:
    """Returns {entity: whether its rows of H1 are dropped, or else those of H0}, drawn by hash.

    It holds the entities with rows on both sides. sides: the rows of H1 and of H0.
    """
    h1, h0 = ({entity_of(row) for row in side} for side in sides)
    return {entity: number % 2 == 0 for number, entity in enumerate(shuffle_by_hash(h1 & h0, seed))}


def shuffle_by_hash(entities: set[tuple], seed: int) -> list[tuple]:
    """Returns entities in an order drawn by their hashes."""
    return sorted(entities, key=lambda e: hashlib.sha256(f"{seed}/{e[0]}".encode()).digest())


def entities_of(groups: dict, pool: Pool) -> list[tuple]:
    """Returns the entity of each row of a pool: [N]."""
    return [entity_of(groups[persona][i]) for persona, rows in pool.members for i in rows]


def deal_entities(
    groups: dict, judged: Pool, others: list[Pool], seed: int
) -> tuple[Pool, list[Pool]]:
    """Returns a pool to judge and pools to train on that have no entity in common.

    Shared entities are dealt out by hash, every other one to each side.
    """
    known = {entity for other in others for entity in entities_of(groups, other)}
    shared = shuffle_by_hash(known & set(entities_of(groups, judged)), seed)
    to_judge, to_train = set(shared[::2]), set(shared[1::2])
    trained = [without_entities(groups, one, to_judge) for one in others]
    return without_entities(groups, judged, to_train), trained


def without_entities(groups: dict, pool: Pool, entities: set[tuple]) -> Pool:
    """Returns a pool without the rows of some entities."""
    remaining_N = np.array([entity not in entities for entity in entities_of(groups, pool)], bool)
    ends = np.cumsum([len(rows) for _, rows in pool.members])[:-1]
    parts = zip(pool.members, np.split(remaining_N, ends), strict=True)
    return replace(
        pool,
        ids=tuple(itertools.compress(pool.ids, remaining_N)),
        positive_N=pool.positive_N[remaining_N],
        strata=tuple(itertools.compress(pool.strata, remaining_N)),
        members=tuple((persona, rows[remaining]) for (persona, rows), remaining in parts),
        clusters=None if pool.clusters is None else pool.clusters[remaining_N],
        pairs=None if pool.pairs is None else pool.pairs[remaining_N],
        pair_entities=None if pool.pair_entities is None else pool.pair_entities[remaining_N],
    )


def draw_topics(groups: dict, limit: int, seed: int) -> list[Pool]:
    """Draws the positive rows of each topic's personas, at most `limit` of each persona.

    Strata are the personas. A topic of one persona, or with too few rows, has none.
    """
    topic_of = {persona: topic_of_group(rows) for persona, rows in groups.items()}
    pools = []
    for topic in dict.fromkeys(topic_of.values()):
        personas = [p for p in groups if topic_of[p] == topic]
        members = []
        for persona in personas:
            rows = [i for i, e in enumerate(groups[persona]) if e.positive]
            members.append((persona, np.array(first_by_hash(rows, groups[persona], limit, seed))))
        if not topic or len(personas) < 2:
            continue
        if (
            min(len({entity_of(groups[p][i]) for i in rows}) for p, rows in members)
            < LEAST_ENTITIES
        ):
            continue
        strata = tuple(persona for persona, rows in members for _ in rows)
        ids = tuple(groups[persona][i].id for persona, rows in members for i in rows)
        clusters = clusters_of(groups, members)
        pools.append(Pool(topic, ids, np.ones(len(ids), bool), strata, tuple(members), clusters))
    return pools


def first_by_hash(rows: list[int], examples, most: int, seed: int) -> list[int]:
    """Returns at most `most` of the rows, in their order: those whose hashes come first."""
    if len(rows) <= most:
        return rows

    def place(i: int) -> bytes:
        return hashlib.sha256(f"{seed}/{examples[i].id}".encode()).digest()

    return sorted(sorted(rows, key=place)[:most])
