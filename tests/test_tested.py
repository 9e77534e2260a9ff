"""What tested node sets change: families of sets, effects and the matrix by hand."""

import dataclasses

import numpy as np
import pytest
from tiny_tested import (
    MEAN,
    OPTIONS,
    PLACE,
    POSITIVE,
    UNEDITED_MARGIN,
    beside_controls,
    crossed_set,
    effect_of,
    empty,
    judged_set,
    likely,
    sides,
    small,
)

from personascan.interventions.design import (
    FOUND,
    STEER,
    ablation,
)
from personascan.interventions.edits import UNEDITED, NamedEdit
from personascan.interventions.options import MATCHED, RANDOM
from personascan.places import Place
from personascan.study.effects import (
    ANSWER,
    BAND,
    LIKELIHOOD,
    MATCHING,
    YES,
    cross_effects,
    effects_of,
)
from personascan.study.effects import set_effects as family_effects  # no test itself
from personascan.study.node_sets import NodeSet, set_seed


def null_study(rng, sets, controls, effect=0.0, joined=False):
    """Sets without effect, their random sets alike; those of joined ones move together."""
    positive, every = sides(5), []
    edits = beside_controls(controls)
    common = rng.normal(size=(len(edits), 10))
    for number in range(sets):
        change = common if joined else rng.normal(size=(len(edits), 10))
        margin = rng.normal(size=10) + np.exp(number) * change  # of every scale
        margin[1] += effect * np.exp(number) * positive
        every.append(judged_set(edits, margin, positive, name=f"set {number}"))
    return every


QUICK = dataclasses.replace(OPTIONS, bootstrap=1)
ANSWERED = (MEAN, None, ANSWER)


@pytest.mark.parametrize("joined", [False, True])
def test_the_family_keeps_its_level_over_several_sets(joined):
    rng, problems, controls = np.random.default_rng(7), 250, 19
    least = []
    for seed in range(problems):
        found = family_effects(null_study(rng, 3, controls, joined=joined), QUICK, seed)
        least.append(min(one.p_family[ANSWERED] for one in found))
    for level in (0.05, 0.2):
        assert likely((np.array(least) <= level + 1e-12).sum(), level, problems)


def test_a_planted_effect_has_the_smallest_p():
    found = family_effects(null_study(np.random.default_rng(8), 3, 19, effect=9.0), QUICK, 0)
    for one in found:
        (effect,) = one.of(FOUND, MEAN)
        assert one.p_family[effect.key] == one.p_family[ANSWERED] == 1 / 20
        assert effect.p == {RANDOM: 1 / 20}


def test_the_family_is_stricter_than_a_set_by_itself():
    every = null_study(np.random.default_rng(9), 4, 19, effect=0.8)
    together = family_effects(every, QUICK, 0)
    alone = [family_effects([one], QUICK, 0)[0] for one in every]
    p = [[one.p_family[ANSWERED] for one in found] for found in (alone, together)]
    pairs = list(zip(*p, strict=True))
    assert all(one <= family for one, family in pairs)
    assert any(one < family for one, family in pairs)


def test_answers_that_never_change_are_never_beyond_chance():
    edits, positive = beside_controls(4), sides(3)
    every = [judged_set(edits, np.ones((6, 6)), positive, name=name) for name in "abcdefgh"]
    found = family_effects(every, OPTIONS, 3)
    p = [one.p_family[key] for one in found for key in one.p_family]
    assert set(p) <= {k / 5 for k in range(1, 6)}
    assert np.mean(p) > 0.4  # ties are broken at random
    assert [e.p[RANDOM] for one in found for e in one.of(FOUND, MEAN)] == [1.0] * 8


def test_controls_of_each_set_are_its_own():
    """Half by half and place by place: the same random sets twice would count as one."""
    base = NodeSet("a", PLACE, "A", None, np.arange(3), sides(2), None, "", "")
    seeds = {
        set_seed(seed, dataclasses.replace(base, half=half, place=place))
        for seed in (0, 1)
        for half in "AB"
        for place in (PLACE, Place("resid_post", 4, "last"), Place("resid_post", 3, -2))
    }
    assert len(seeds) == 12
    assert set_seed(0, base) == set_seed(0, base)
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_answers_by_hand():
    found = effects_of(small(), OPTIONS, 0)
    ablated = effect_of(found, FOUND, MEAN, ANSWER)
    assert ablated.unedited == (0 - -1)  # means of the margins: 0 and -1
    assert ablated.effect == (2 - -1) - 1
    assert ablated.p == {RANDOM: 2 / 4, MATCHED: 2 / 2}  # 0, 1, and -4; 18 - 1
    assert ablated.controls == 3
    patched = effect_of(found, FOUND, ablation("patch"), ANSWER)
    # Draws are averaged: 0.5 and (3.5 - -2) - 1.
    assert patched.effect == (0.5 + 4.5) / 2
    assert (patched.p, patched.controls) == ({}, 0)
    assert len([e for e in found if e.outcome == ANSWER]) == 4  # controls once a kind
    assert np.isnan(ablated.strength)
    assert ablated.low <= ablated.effect <= ablated.high


def test_a_kind_of_controls_is_its_mean_and_band():
    random = effect_of(effects_of(small(), OPTIONS, 0), RANDOM, MEAN, ANSWER)
    assert random.effect == (0 + 1 - 4) / 3
    np.testing.assert_allclose([random.low, random.high], np.quantile([0, 1, -4], BAND))
    assert (random.controls, random.p) == (3, {})
    assert (random.divergence, random.perplexity) == (0.5, 10.5)  # of the first of them


def test_matching_answers_by_hand():
    found = effects_of(small(), OPTIONS, 0)
    ablated = effect_of(found, FOUND, MEAN, MATCHING)
    assert (ablated.unedited, ablated.effect) == (0.5, 0.5)  # all four match
    patched = effect_of(found, FOUND, ablation("patch"), MATCHING)
    assert patched.effect == (0 + 0.5) / 2
    assert effect_of(found, RANDOM, MEAN, MATCHING).effect == pytest.approx((0 + 0 - 0.25) / 3)


def test_a_margin_of_nothing_is_no():
    edits = [UNEDITED, NamedEdit(FOUND, MEAN), NamedEdit(RANDOM, MEAN)]
    found = effects_of(judged_set(edits, [[1.0, 1, -1, -1], [0.0, 0, 0, -1], [1.0, 1, -1, -1]],
                              POSITIVE), OPTIONS, 0)  # fmt: skip
    assert effect_of(found, FOUND, MEAN, MATCHING).effect == -0.5


def test_likelihoods_by_hand_and_left_out_where_not_looked_at():
    likelihood = np.zeros((8, 4))
    likelihood[0] = [-1, -2, -3, -4]
    likelihood[1] = [-1, -1, -5, -5]
    found = effects_of(small(likelihood=likelihood), OPTIONS, 0)
    ablated = effect_of(found, FOUND, MEAN, LIKELIHOOD)
    assert (ablated.unedited, ablated.effect) == (2.0, 2.0)
    assert {e.outcome for e in found} == {ANSWER, YES, MATCHING, LIKELIHOOD}
    likelihood[3, 2] = np.nan
    part = small(likelihood=likelihood)
    assert {e.outcome for e in effects_of(part, OPTIONS, 0)} == {ANSWER, YES, MATCHING}
    (one,) = family_effects([part], OPTIONS, 0)
    assert {outcome for _, _, outcome in one.p_family} == {ANSWER, YES, MATCHING}
    assert {action for action, _, _ in one.p_family} == {MEAN}  # what random sets have


def test_effects_come_by_strength():
    strengths = (4.0, -2.0, 2.0)
    edits = [UNEDITED, *(NamedEdit(m, STEER, s) for m in (FOUND, RANDOM) for s in strengths)]
    margin = [[0.0] * 4, *([s, 0, 0, 0] for s in strengths), *[[0.0] * 4] * 3]
    (one,) = family_effects([judged_set(edits, margin, POSITIVE)], OPTIONS, 0)
    assert [(e.strength, e.effect) for e in one.of(FOUND, STEER)] == [
        (-2.0, -1.0), (2.0, 1.0), (4.0, 2.0),
    ]  # fmt: skip
    assert {e.key for e in one.of(FOUND, STEER)} <= set(one.p_family)
    assert one.perplexity == 10.5


def test_a_set_without_nodes_has_no_effects_and_changes_no_other():
    (alone,) = family_effects([empty()], OPTIONS, 0)
    assert (alone.effects, alone.p_family) == ([], {})
    assert np.isnan(alone.perplexity)
    beside = family_effects([empty(name="b"), small()], OPTIONS, 0)[1]
    (itself,) = family_effects([small()], OPTIONS, 0)
    assert beside.p_family == itself.p_family != {}
    assert [dataclasses.replace(e, strength=0) for e in beside.effects] == [
        dataclasses.replace(e, strength=0) for e in itself.effects
    ]


def test_crossed_effects_by_hand():
    found = cross_effects(crossed_set(), OPTIONS, 0)
    assert [(c.judged, c.owner, c.half, c.action, c.effect) for c in found] == [
        ("b", "a", "B", MEAN, 1.0), ("b", "a", "B", STEER, 0.0), ("b", "b", "B", MEAN, -1.0),
    ]  # fmt: skip
    assert np.isnan(found[0].strength)
    assert found[1].strength == 2.0
    assert found[0].low == found[0].high == 1.0  # both rows of H1 by 1, none of H0
    assert found[2].low < -1 < found[2].high
    assert cross_effects(empty(), OPTIONS, 0) == []
    assert cross_effects(judged_set([UNEDITED], [UNEDITED_MARGIN], POSITIVE), OPTIONS, 0) == []
