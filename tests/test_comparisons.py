"""Which statements are compared with which, at every level."""

import numpy as np
import pytest

import personascan
from personascan.study.comparisons import Comparison, comparisons, draw_pool


def test_levels_compare_what_they_say():
    topics = {"a": "x", "b": "x", "c": "y"}
    assert comparisons(2, topics)[0] == Comparison(
        2, "a", (("a", "positive"),), (("a", "negative"),)
    )
    within = comparisons(1, {"a": "x", "b": "x"})
    assert within[1] == Comparison(1, "b", (("b", "positive"),), (("a", "positive"),))
    between = comparisons(0, topics)
    assert [c.name for c in between] == ["x", "y"]
    assert between[0].h1 == (("a", "positive"), ("b", "positive"))
    assert between[0].h0 == (("c", "positive"),)
    with pytest.raises(personascan.InputError, match="nothing to compare 'c'"):
        comparisons(1, topics)
    with pytest.raises(personascan.InputError, match="'a' has no topic"):
        comparisons(0, {"a": ""})


def groups_of(sizes):
    """{persona: statements, every other one positive}."""
    return {
        persona: [
            personascan.Statement(f"{persona}{i}", f"I am {i}", persona, "x", i % 2 == 0, 1.0, "")
            for i in range(size)
        ]
        for persona, size in sizes.items()
    }


def test_a_pool_holds_both_directions_in_order():
    pool = draw_pool(groups_of({"a": 4, "b": 6}), comparisons(2, {"a": "x", "b": "x"})[1], 9, 0)
    assert pool.ids == ("b0", "b1", "b2", "b3", "b4", "b5")
    assert pool.positive_N.tolist() == [True, False] * 3
    assert pool.strata[:2] == ("b/positive", "b/negative")
    ((group, rows),) = pool.members
    assert (group, rows.tolist()) == ("b", [0, 1, 2, 3, 4, 5])


def test_sides_are_balanced_over_their_personas():
    topics = {"a": "x", "b": "x", "c": "x", "d": "y", "e": "y"}
    groups = groups_of(dict(zip("abcde", (40, 40, 20, 40, 40), strict=True)))
    within = draw_pool(groups, comparisons(1, topics)[0], 18, 0)
    assert within.sizes == (18, 18)
    counts = {p: sum(i[0] == p for i in within.ids) for p in "abc"}
    assert counts == {"a": 18, "b": 9, "c": 9}
    assert all(int(i[1:]) % 2 == 0 for i in within.ids)
    few = draw_pool(groups, comparisons(0, topics)[0], 300, 0)
    assert few.sizes == (30, 40)  # as many of each as the smallest persona has
    rows = dict(few.members)
    assert [len(rows[p]) for p in "abcde"] == [10, 10, 10, 20, 20]
    for persona, numbers in rows.items():
        named = [groups[persona][i].id for i in numbers]
        assert named == [i for i in few.ids if i[0] == persona]


def test_what_is_drawn_does_not_hang_on_others():
    groups = groups_of({"a": 40, "b": 40, "c": 40})
    pair = draw_pool(groups_of({"a": 40, "b": 40}), comparisons(1, {"a": "x", "b": "x"})[0], 6, 3)
    more = draw_pool(groups, comparisons(1, dict.fromkeys("abc", "x"))[0], 6, 3)
    assert {i for i in pair.ids if i[0] == "a"} == {i for i in more.ids if i[0] == "a"}
    assert {i for i in more.ids if i[0] == "b"} < {i for i in pair.ids if i[0] == "b"}
    other = draw_pool(groups, comparisons(1, dict.fromkeys("abc", "x"))[0], 6, 4)
    assert set(other.ids) != set(more.ids)
    assert isinstance(other.positive_N, np.ndarray)
