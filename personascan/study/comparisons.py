"""Which rows are compared: H1 and H0 pools, balanced over the personas they come from."""

import hashlib
import itertools
from dataclasses import dataclass, replace

import numpy as np

from personascan.errors import InputError
from personascan.study.pairs import draw_pairs, pairs_of

Side = tuple[tuple[str, str], ...]  # (persona, "positive" or "negative")
APART_LEAST = 10  # entities of a persona: as many as there are folds
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
    """Rows of H1 and of H0 that a comparison does without."""

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

    @property
    def together(self) -> np.ndarray | None:
        """[N]: rows that go to one half, to one fold and into one resample together."""
        return self.clusters if self.pairs is None else self.pairs

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows of H1 and of H0."""
        return int(self.positive_N.sum()), int((~self.positive_N).sum())


def comparisons(level: int, groups: dict) -> list[Comparison]:
    """The comparisons of a level (arXiv 2505.24539, section 4).

    Level 2: a persona's positives against its own negatives or, where it has none, against those of
    the groups that have no positives. Level 1: against the positives of its topic's other personas.
    Level 0: a topic's positives against those of the other topics.

    groups: {persona: rows}, in order. Raises InputError where a side would be empty.
    """
    if level == 2:
        return own_comparisons(groups)
    topic_of = {persona: topic_of_group(found) for persona, found in groups.items()}
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


def own_comparisons(groups: dict) -> list[Comparison]:
    """Level 2."""
    has = {g: {DIRECTION[e.positive] for e in examples} for g, examples in groups.items()}
    expected = tuple((g, "negative") for g, sides in has.items() if sides == {"negative"})
    found = []
    for group, sides in has.items():
        if "positive" not in sides:
            continue
        own = ((group, "negative"),) if "negative" in sides else expected
        if not own:
            raise InputError(
                f"{group!r} has no negative rows, and no other group has negative ones alone; "
                "there is nothing to compare it with"
            )
        found.append(Comparison(2, group, ((group, "positive"),), own))
    if not found:
        raise InputError("no group has positive rows: there is nothing to look for")
    return found


def draw_pool(groups: dict, comparison: Comparison, limit: int, seed: int) -> Pool:
    """The rows of a comparison.

    A side takes equally many rows of each of its personas, all together at most `limit` (at
    least one each), so that no persona stands for a side. Which ones is drawn by a hash of their
    ids, and does not change when others come or go. Of paired rows whole pairs are taken, drawn
    the same way, as many as the limit has room for on both sides.

    Args:
      groups: {persona: rows with `id` and `positive`}.
      limit: rows of a side.
    """
    paired = draw_pairs(groups, comparison, limit, seed)
    ids, positive, strata, members = [], [], [], {}
    elsewhere, shared, beyond = excluded_sides(groups, comparison, seed), [], []
    for side, is_h1 in ((comparison.h1, True), (comparison.h0, False)):
        known = {one: of_direction(groups, *one) for one in side}
        rows_of = {
            (persona, direction): [
                i
                for i in rows
                if elsewhere.get(entity_of(groups[persona][i])) != is_h1
                and (paired is None or groups[persona][i].pair in paired)
            ]
            for (persona, direction), rows in known.items()
        }
        most = limit
        if len(side) > 1 and paired is None:
            most = max(1, min(limit // len(side), *map(len, rows_of.values())))
        whole, kept = (sum(map(len, found.values())) for found in (known, rows_of))
        shared.append(whole - kept if paired is None else 0)
        beyond.append(
            sum(max(0, len(rows) - most) for rows in rows_of.values())
            if paired is None
            else whole - kept
        )
        for (persona, direction), rows in rows_of.items():
            chosen = first_by_hash(rows, groups[persona], most, seed)
            members.setdefault(persona, []).extend((i, is_h1, direction) for i in chosen)
    for persona in groups:  # whatever the sides, a group's rows stand together and in order
        for i, is_h1, direction in sorted(members.get(persona, [])):
            ids.append(groups[persona][i].id)
            positive.append(is_h1)
            strata.append(f"{persona}/{direction}")
    taken = tuple(
        (persona, np.array(sorted(i for i, _, _ in members[persona])))
        for persona in groups
        if persona in members
    )
    return Pool(
        comparison.name, tuple(ids), np.array(positive, bool), tuple(strata), taken,
        clusters_of(groups, taken), LeftOut(tuple(shared), tuple(beyond)),
        None if paired is None else pairs_of(groups, taken),
    )  # fmt: skip


def of_direction(groups: dict, persona: str, direction: str) -> list[int]:
    """The rows of a persona in one direction."""
    return [i for i, e in enumerate(groups[persona]) if DIRECTION[e.positive] == direction]


def clusters_of(groups: dict, members) -> np.ndarray | None:
    """The number of each row's entity; None where every row is its own."""
    entities = [entity_of(groups[persona][i]) for persona, rows in members for i in rows]
    if len(set(entities)) == len(entities):
        return None
    number = {entity: i for i, entity in enumerate(sorted(set(entities)))}
    return np.array([number[entity] for entity in entities])


def entity_of(row) -> tuple[str, bool]:
    """What the row is about (its name, True); where it names nothing itself (its id, False).

    An entity may be called what a row is called: they are two things all the same.
    """
    entity = row.entity
    return (entity, True) if entity else (row.id, False)


def excluded_sides(groups: dict, comparison: Comparison, seed: int) -> dict[tuple, bool]:
    """Returns, for each entity with rows on both sides, the side whose rows are dropped.

    {entity: 0 or 1}, dealt out by hash.
    """
    known = [
        {entity_of(groups[one[0]][i]) for one in side for i in of_direction(groups, *one)}
        for side in (comparison.h1, comparison.h0)
    ]
    shared = by_hash(known[0] & known[1], seed)
    return {entity: number % 2 == 0 for number, entity in enumerate(shared)}


def by_hash(entities: set[tuple], seed: int) -> list[tuple]:
    """Entities in an order that is drawn."""
    return sorted(entities, key=lambda e: hashlib.sha256(f"{seed}/{e[0]}".encode()).digest())


def entities_of(groups: dict, pool: Pool) -> list[tuple]:
    """What each row of a pool is about: [N]."""
    return [entity_of(groups[persona][i]) for persona, rows in pool.members for i in rows]


def deal_entities(
    groups: dict, judged: Pool, others: list[Pool], seed: int
) -> tuple[Pool, list[Pool]]:
    """A pool to judge and pools to train on, without an entity in common.

    What both know is dealt out by hash, every other entity to each side.
    """
    known = {entity for other in others for entity in entities_of(groups, other)}
    shared = by_hash(known & set(entities_of(groups, judged)), seed)
    to_judge, to_train = set(shared[::2]), set(shared[1::2])
    return without(groups, judged, to_train), [without(groups, one, to_judge) for one in others]


def without(groups: dict, pool: Pool, entities: set[tuple]) -> Pool:
    """A pool without the rows of some entities."""
    kept_N = np.array([entity not in entities for entity in entities_of(groups, pool)], bool)
    ends = np.cumsum([len(rows) for _, rows in pool.members])[:-1]
    parts = zip(pool.members, np.split(kept_N, ends), strict=True)
    return replace(
        pool,
        ids=tuple(itertools.compress(pool.ids, kept_N)),
        positive_N=pool.positive_N[kept_N],
        strata=tuple(itertools.compress(pool.strata, kept_N)),
        members=tuple((persona, rows[kept]) for (persona, rows), kept in parts),
        clusters=None if pool.clusters is None else pool.clusters[kept_N],
        pairs=None if pool.pairs is None else pool.pairs[kept_N],
    )


def draw_topics(groups: dict, limit: int, seed: int) -> list[Pool]:
    """The positive rows of each topic's personas, at most `limit` of each: to tell apart.

    Strata are the personas. A topic of one persona, or with too few rows, has none.
    """
    topic_of = {persona: topic_of_group(found) for persona, found in groups.items()}
    pools = []
    for topic in dict.fromkeys(topic_of.values()):
        personas = [p for p in groups if topic_of[p] == topic]
        taken = []
        for persona in personas:
            rows = [i for i, e in enumerate(groups[persona]) if e.positive]
            taken.append((persona, np.array(first_by_hash(rows, groups[persona], limit, seed))))
        if not topic or len(personas) < 2:
            continue
        if min(len({entity_of(groups[p][i]) for i in rows}) for p, rows in taken) < APART_LEAST:
            continue
        strata = tuple(persona for persona, rows in taken for _ in rows)
        ids = tuple(groups[persona][i].id for persona, rows in taken for i in rows)
        clusters = clusters_of(groups, taken)
        pools.append(Pool(topic, ids, np.ones(len(ids), bool), strata, tuple(taken), clusters))
    return pools


def first_by_hash(rows: list[int], examples, most: int, seed: int) -> list[int]:
    """At most so many of the rows, in their order: all, or those whose hashes come first."""
    if len(rows) <= most:
        return rows

    def place(i: int) -> bytes:
        return hashlib.sha256(f"{seed}/{examples[i].id}".encode()).digest()

    return sorted(sorted(rows, key=place)[:most])
