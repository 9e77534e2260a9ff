"""Which statements are compared with which, at every level."""

import numpy as np
import pytest

import personascan
from personascan.sources.base import Row
from personascan.study.comparisons import (
    Comparison,
    LeftOut,
    comparisons,
    deal_entities,
    draw_pool,
    draw_topics,
    entities_of,
)


def groups_of(sizes, topics=None):
    """{persona: statements, every other one positive}."""
    topics = topics or {}
    return {
        persona: [
            personascan.Statement(
                f"{persona}{i}", f"I am {i}", persona, topics.get(persona, "x"), i % 2 == 0, 1.0, ""
            )
            for i in range(size)
        ]
        for persona, size in sizes.items()
    }


def test_levels_compare_what_they_say():
    groups = groups_of(dict.fromkeys("abc", 2), {"c": "y"})
    assert comparisons(2, groups)[0] == Comparison(
        2, "a", (("a", "positive"),), (("a", "negative"),)
    )
    within = comparisons(1, groups_of({"a": 2, "b": 2}))
    assert within[1] == Comparison(1, "b", (("b", "positive"),), (("a", "positive"),))
    between = comparisons(0, groups)
    assert [c.name for c in between] == ["x", "y"]
    assert between[0].h1 == (("a", "positive"), ("b", "positive"))
    assert between[0].h0 == (("c", "positive"),)
    with pytest.raises(personascan.InputError, match="nothing to compare 'c'"):
        comparisons(1, groups)
    with pytest.raises(personascan.InputError, match="'a' has no topic"):
        comparisons(0, groups_of({"a": 2}, {"a": ""}))


def test_a_pool_holds_both_directions_in_order():
    groups = groups_of({"a": 4, "b": 6})
    pool = draw_pool(groups, comparisons(2, groups)[1], 9, 0)
    assert pool.ids == ("b0", "b1", "b2", "b3", "b4", "b5")
    assert pool.positive_N.tolist() == [True, False] * 3
    assert pool.strata[:2] == ("b/positive", "b/negative")
    ((group, rows),) = pool.members
    assert (group, rows.tolist()) == ("b", [0, 1, 2, 3, 4, 5])


def test_sides_are_balanced_over_their_personas():
    sizes = dict(zip("abcde", (40, 40, 20, 40, 40), strict=True))
    groups = groups_of(sizes, {"d": "y", "e": "y"})
    within = draw_pool(groups, comparisons(1, groups)[0], 18, 0)
    assert within.sizes == (18, 18)
    counts = {p: sum(i[0] == p for i in within.ids) for p in "abc"}
    assert counts == {"a": 18, "b": 9, "c": 9}
    assert all(int(i[1:]) % 2 == 0 for i in within.ids)
    few = draw_pool(groups, comparisons(0, groups)[0], 300, 0)
    assert few.sizes == (30, 40)  # as many of each as the smallest persona has
    rows = dict(few.members)
    assert [len(rows[p]) for p in "abcde"] == [10, 10, 10, 20, 20]
    for persona, numbers in rows.items():
        named = [groups[persona][i].id for i in numbers]
        assert named == [i for i in few.ids if i[0] == persona]


def test_what_is_drawn_does_not_hang_on_others():
    groups = groups_of({"a": 40, "b": 40, "c": 40})
    two = groups_of({"a": 40, "b": 40})
    pair = draw_pool(two, comparisons(1, two)[0], 6, 3)
    more = draw_pool(groups, comparisons(1, groups)[0], 6, 3)
    assert {i for i in pair.ids if i[0] == "a"} == {i for i in more.ids if i[0] == "a"}
    assert {i for i in more.ids if i[0] == "b"} < {i for i in pair.ids if i[0] == "b"}
    other = draw_pool(groups, comparisons(1, groups)[0], 6, 4)
    assert set(other.ids) != set(more.ids)
    assert isinstance(other.positive_N, np.ndarray)


def examples_of(*rows):
    """Examples from (id, positive, entity)."""
    return [Row(id_, positive, entity) for id_, positive, entity in rows]


def test_a_group_without_negatives_stands_against_those_without_positives():
    groups = {
        "clean": examples_of(("c0", False, ""), ("c1", False, "")),
        "attacked": examples_of(("a0", True, "")),
        "own": examples_of(("o0", True, ""), ("o1", False, "")),
    }
    found = {c.name: c for c in comparisons(2, groups)}
    assert list(found) == ["attacked", "own"]
    assert found["attacked"].h0 == (("clean", "negative"),)
    assert found["own"].h0 == (("own", "negative"),)
    assert draw_pool(groups, found["attacked"], 9, 0).ids == ("c0", "c1", "a0")
    with pytest.raises(personascan.InputError, match="'attacked' has no negative rows"):
        comparisons(2, {"attacked": groups["attacked"]})
    with pytest.raises(personascan.InputError, match="no group has positive rows"):
        comparisons(2, {"clean": groups["clean"]})


def test_an_entity_is_on_one_side_alone():
    rows = [(f"{e}{side}{i}", side == "+", f"entity {e}")
            for e in range(10) for side in "+-" for i in range(2)]  # fmt: skip
    groups = {"capitals": examples_of(*rows)}
    (comparison,) = comparisons(2, groups)
    pool = draw_pool(groups, comparison, 300, 0)
    assert pool.sizes == (10, 10)
    entities = np.array([i[0] for i in pool.ids])
    assert not set(entities[pool.positive_N]) & set(entities[~pool.positive_N])
    assert len(set(entities)) == 10
    # Rows of an entity have one number, and others have other numbers.
    assert len(set(zip(entities, pool.clusters.tolist(), strict=True))) == 10
    other = draw_pool(groups, comparison, 300, 1)
    assert set(other.ids) != set(pool.ids)


def test_rows_without_entities_are_no_clusters():
    groups = groups_of({"a": 4})
    assert draw_pool(groups, comparisons(2, groups)[0], 9, 0).clusters is None


def test_an_entity_that_is_called_as_a_row_is_another_thing():
    """Ids are often numbers, and so are the names of patients."""
    rows = [(str(i), i >= 8, "" if i < 8 else str(1 + i % 4)) for i in range(16)]
    groups = {"p": examples_of(*rows)}
    pool = draw_pool(groups, comparisons(2, groups)[0], 300, 0)
    assert pool.sizes == (8, 8)
    assert len(set(pool.clusters[:8].tolist())) == 8
    assert len(set(pool.clusters[8:].tolist())) == 4
    assert not set(pool.clusters[:8].tolist()) & set(pool.clusters[8:].tolist())


def test_rows_that_a_comparison_does_without_are_counted():
    rows = [(f"{side}{i}", side == "+", f"entity {i % 6}") for i in range(12) for side in "+-"]
    groups = {"capitals": examples_of(*rows)}
    pool = draw_pool(groups, comparisons(2, groups)[0], 5, 0)
    assert pool.sizes == (5, 5)
    assert pool.left_out == LeftOut(shared=(6, 6), beyond=(1, 1))
    several = groups_of({"a": 12, "b": 6, "c": 4})
    within = draw_pool(several, comparisons(1, several)[0], 300, 0)
    assert within.left_out == LeftOut(beyond=(0, 1))  # of b, so that c counts as much


def test_personas_of_few_entities_are_not_told_from_one_another():
    def topics(each):
        def row(p, i):
            entity = f"{p}{i // each}"
            return personascan.Statement(f"{p}{i}", f"I am {i}", p, "x", True, 1.0, "", entity)

        return draw_topics({p: [row(p, i) for i in range(24)] for p in "ab"}, 100, 0)

    (pool,) = topics(2)
    assert len(set(pool.clusters.tolist())) == 24
    assert topics(1)[0].clusters is None
    assert topics(4) == []


def test_what_comparisons_share_is_trained_on_or_judged():
    """Two groups against the same clean rows, one of which is about what a row of H1 is about."""
    clean = [Row(f"c{i}", False, entity="e" if i == 3 else "") for i in range(11)]
    a = [Row(f"a{i}", True, entity="e" if i == 0 else "") for i in range(4)]
    groups = {"a": a, "b": [Row(f"b{i}", True) for i in range(5)], "clean": clean}
    pool_a, pool_b = (draw_pool(groups, c, 100, seed=3) for c in comparisons(2, groups))
    judged, (trained,) = deal_entities(groups, pool_a, [pool_b], seed=3)
    sides = [set(entities_of(groups, pool)) for pool in (judged, trained)]
    assert not sides[0] & sides[1]
    whole = set(entities_of(groups, pool_a)) | set(entities_of(groups, pool_b))
    assert sides[0] | sides[1] == whole
    assert min((~pool.positive_N).sum() for pool in (judged, trained)) >= 4
    for pool in (judged, trained):
        rows = [groups[persona][i] for persona, rows in pool.members for i in rows]
        assert [row.id for row in rows] == list(pool.ids)
        assert [row.positive for row in rows] == pool.positive_N.tolist()


def test_comparisons_that_share_nothing_are_dealt_out_as_they_are():
    groups = groups_of({"a": 6, "b": 6})
    pool_a, pool_b = (draw_pool(groups, c, 100, seed=3) for c in comparisons(2, groups))
    judged, (trained,) = deal_entities(groups, pool_a, [pool_b], seed=3)
    assert (judged.ids, trained.ids) == (pool_a.ids, pool_b.ids)
