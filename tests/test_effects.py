"""Effects of edits: intervals that cover, p-values that keep their level, and pages of them."""

import dataclasses
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from scipy.stats import binom, norm, t

from personascan.analysis.effects import (
    apart,
    apart_weights,
    control_p,
    even_weights,
    measured,
    summed,
)
from personascan.interventions.design import (
    COHEN,
    DIFFERENCE,
    FOUND,
    PROJECT,
    STEER,
    ablation,
)
from personascan.interventions.plan import MATCHED, RANDOM, RANDOM_DIRECTION, InterventionPlan
from personascan.interventions.ways import UNEDITED, Way
from personascan.places import Place
from personascan.report.intervened import draw_doses, draw_specificity, intervened_section
from personascan.study import intervened
from personascan.study.effects import (
    ANSWER,
    BAND,
    LIKELIHOOD,
    MATCHING,
    YES,
    crossed_effects,
    effects_of,
)
from personascan.study.effects import tested_effects as family_effects  # no test itself
from personascan.study.intervened import NodeSet, set_seed

MEAN = ablation("mean")
PLACE = Place("resid_post", 3, "last")
PLAN = InterventionPlan(controls=4, bootstrap=50, strengths=(-2.0, 2.0))
PROBLEMS = 2000


def sides(rows):
    """So many of H1, then as many of H0."""
    return np.arange(2 * rows) < rows


def judged_set(
    ways, margin, positive, *, likelihood=None, clusters=None, name="a", half="A", owners=()
):
    margin = np.asarray(margin, float)
    likelihood = np.full(margin.shape, np.nan) if likelihood is None else likelihood
    side = np.where([way.number == way.draw == 0 for way in ways], 0.5, np.nan)
    return intervened.Tested(
        name, PLACE, half, 4, list(ways), positive, clusters, margin, likelihood,
        0.0 + side, 10.0 + side, owners,
    )  # fmt: skip


def beside_controls(controls, action=MEAN, strength=np.nan, kinds=(RANDOM,)):
    """The unedited model, the found set, and so many of each kind of control."""
    return [
        UNEDITED,
        Way(FOUND, action, strength),
        *(Way(kind, action, strength, number=k) for kind in kinds for k in range(controls)),
    ]


# Intervals


def normal(rng, shape):
    return rng.normal(size=shape)


def exponential(rng, shape):
    return rng.exponential(size=shape) - 1


def misses(draw, rows, effect, sizes=None, seed=0):
    """In how many problems the interval is above the effect, and below it.

    All rows change by 3 besides; where there is an effect, H1 spreads twice as far. With sizes of
    clusters, half of the variance is theirs.
    """
    rng = np.random.default_rng([seed, rows, int(effect)])
    positive, clusters = sides(rows), None
    noise = draw(rng, (PROBLEMS, 2 * rows))
    if sizes:
        clusters = np.repeat(np.arange(2 * len(sizes)), 2 * sizes)
        shared = draw(rng, (PROBLEMS, 2 * len(sizes)))[:, clusters]
        noise = np.sqrt(0.5) * (noise + shared)
    noise *= np.where(positive & (effect > 0), 2, 1)
    made = measured(
        noise + 3 + effect * positive, apart_weights(positive), positive, resamples=500,
        level=0.95, rng=rng, clusters_N=clusters,
    )  # fmt: skip
    return np.array([(made.low_W > effect).sum(), (made.high_W < effect).sum()])


def likely(count, share, problems=PROBLEMS):
    low, high = binom.ppf([0.0005, 0.9995], problems, share)
    return low <= count <= high


@pytest.mark.parametrize("effect", [0.0, 2.0])
@pytest.mark.parametrize("rows", [10, 20])
def test_the_interval_covers_normal_changes(rows, effect):
    missed = misses(normal, rows, effect)
    assert likely(missed.sum(), 0.05)
    assert all(likely(m, 0.025) for m in missed)


@pytest.mark.parametrize("rows", [10, 20])
def test_the_interval_covers_changes_that_are_skewed_alike(rows):
    """The difference of the sides is not skewed."""
    assert likely(misses(exponential, rows, 0.0, seed=1).sum(), 0.05)


def one_sided(rng, shape):
    """Exponential in H1 alone."""
    half = shape[0], shape[1] // 2
    return np.concatenate([exponential(rng, half), normal(rng, half)], axis=1)


@pytest.mark.parametrize("rows", [10, 20])
@pytest.mark.parametrize("draw", [exponential, one_sided])
def test_where_a_side_is_more_skewed_the_interval_misses_on_its_long_side(rows, draw):
    """Percentiles go out too little there: seen .94 covered, and .04 to .06 above the interval."""
    above, below = misses(draw, rows, 2.0, seed=2)
    assert likely(above + below, 0.06)
    assert above < 0.025 * PROBLEMS
    assert binom.ppf(0.9995, PROBLEMS, 0.025) < below < binom.ppf(0.9995, PROBLEMS, 0.055)


@pytest.mark.parametrize(
    ("draw", "effect", "missed"),
    [(normal, 0.0, 0.05), (normal, 2.0, 0.05), (exponential, 0.0, 0.05), (exponential, 2.0, 0.06)],
)
@pytest.mark.parametrize("sizes", [[2] * 10, [1] * 7 + [3, 5, 5]])
def test_the_interval_covers_what_clusters_share(sizes, draw, effect, missed):
    """What all rows share widens nothing, whatever the sizes of the clusters."""
    assert likely(misses(draw, 20, effect, sizes, seed=3).sum(), missed)


def test_rows_that_clusters_join_are_not_counted_one_by_one():
    rng, positive = np.random.default_rng(4), sides(20)
    clusters = np.repeat(np.arange(10), 4)
    change = rng.normal(size=(300, 10))[:, clusters]
    asked = {"resamples": 300, "level": 0.95}
    joined, apart_rows = (
        measured(change, apart_weights(positive), positive, rng=rng, clusters_N=c, **asked)
        for c in (clusters, None)
    )
    np.testing.assert_array_equal(joined.effect_W, apart_rows.effect_W)
    wider = (joined.high_W - joined.low_W) / (apart_rows.high_W - apart_rows.low_W)
    assert np.mean(wider) > 1.8  # twice the deviation, and fewer degrees of freedom


def test_the_interval_is_the_expanded_percentile():
    rng, positive = np.random.default_rng(5), sides(8)
    change = rng.normal(size=(1, 16))
    made = measured(
        change, apart_weights(positive), positive, resamples=40000, level=0.9,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    h1, h0 = change[0, :8], change[0, 8:]
    drawn = rng.choice(h1, (40000, 8)).mean(1) - rng.choice(h0, (40000, 8)).mean(1)
    out = norm.cdf(np.sqrt(8 / 7) * t.ppf(0.05, 7))
    expected = np.quantile(drawn, [out, 1 - out])
    np.testing.assert_allclose([made.low_W[0], made.high_W[0]], expected, atol=0.04)


def test_effects_are_weighted_means():
    rng = np.random.default_rng(6)
    positive = rng.permutation(np.arange(15) < 6)
    change = rng.normal(size=(4, 15))
    asked = {"resamples": 20, "level": 0.95, "rng": rng}
    h1, h0 = change[:, positive].mean(1), change[:, ~positive].mean(1)
    made = measured(change, apart_weights(positive), positive, **asked)
    np.testing.assert_allclose(made.effect_W, h1 - h0)
    np.testing.assert_allclose(apart(change, positive), h1 - h0)
    made = measured(change, even_weights(positive), positive, **asked)
    np.testing.assert_allclose(made.effect_W, change.mean(1))
    assert (made.low_W < made.high_W).all()


@pytest.mark.parametrize("weights", [apart_weights, even_weights])
def test_what_never_differs_has_no_width(weights):
    positive, clusters = sides(7), np.repeat(np.arange(6), [1, 2, 4, 3, 3, 1])
    change = np.where(positive, 0.3, -0.1)[None]
    made = measured(
        change, weights(positive), positive, resamples=50, level=0.95,
        rng=np.random.default_rng(0), clusters_N=clusters,
    )  # fmt: skip
    np.testing.assert_allclose([made.low_W, made.high_W], [made.effect_W] * 2, rtol=1e-12)


def test_a_single_cluster_of_a_side_has_no_interval():
    positive = sides(3)
    made = measured(
        np.arange(6.0)[None], apart_weights(positive), positive, resamples=50, level=0.95,
        rng=np.random.default_rng(0), clusters_N=np.array([0, 0, 0, 1, 2, 3]),
    )  # fmt: skip
    assert made.effect_W == pytest.approx([-3])
    assert np.isnan([made.low_W, made.high_W]).all()


# P-values


@pytest.mark.parametrize("controls", [19, 50])
def test_p_keeps_its_level_where_the_found_are_as_the_controls(controls):
    effects = np.random.default_rng(controls).normal(0.5, 1, (PROBLEMS, controls + 1))
    p = np.array([control_p(found, others) for found, *others in effects])
    for level in (0.05, 0.1, 0.2):
        reached = np.floor(level * (controls + 1) + 1e-9) / (controls + 1)
        assert likely((p <= level + 1e-12).sum(), reached)


def test_p_counts_controls_as_large_either_way():
    assert control_p(-2.0, [1, -1, 1.9]) == 1 / 4
    assert control_p(2.0, [1, -3, 2.0, 5]) == 4 / 5
    assert control_p(9.0, np.zeros(19)) == 1 / 20
    assert control_p(0.0, [0.0, 0.0]) == 1.0


def test_equal_shares_are_equal_in_whatever_order_they_are_summed():
    """Of 40 rows, twenty come to match and eight do no more: 12/40, but for the rounding."""
    rng, positive = np.random.default_rng(1), sides(20)
    change = np.array([rng.permutation([1.0] * 20 + [-1] * 8 + [0] * 12) for _ in range(200)])
    made = measured(
        change, even_weights(positive), positive, resamples=2, level=0.95, rng=rng
    ).effect_W
    assert len(set(made)) > 1  # what this is about
    assert control_p(made.max(), made) == 1.0


def null_study(rng, sets, controls, effect=0.0, joined=False):
    """Sets without effect, their random sets alike; those of joined ones move together."""
    positive, every = sides(5), []
    ways = beside_controls(controls)
    common = rng.normal(size=(len(ways), 10))
    for number in range(sets):
        change = common if joined else rng.normal(size=(len(ways), 10))
        margin = rng.normal(size=10) + np.exp(number) * change  # of every scale
        margin[1] += effect * np.exp(number) * positive
        every.append(judged_set(ways, margin, positive, name=f"set {number}"))
    return every


QUICK = dataclasses.replace(PLAN, bootstrap=1)
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
    ways, positive = beside_controls(4), sides(3)
    every = [judged_set(ways, np.ones((6, 6)), positive, name=name) for name in "abcdefgh"]
    found = family_effects(every, PLAN, 3)
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


# Outcomes, by hand: H1, H1, H0, H0

POSITIVE = np.array([True, True, False, False])
UNEDITED_MARGIN = [1.0, -1.0, 1.0, -3.0]  # matches in the first and the last


def small(**more):
    ways = [
        UNEDITED,
        Way(FOUND, MEAN),
        Way(FOUND, ablation("patch"), draw=0),
        Way(FOUND, ablation("patch"), draw=1),
        Way(RANDOM, MEAN, number=0),
        Way(RANDOM, MEAN, number=1),
        Way(RANDOM, MEAN, number=2),
        Way(MATCHED, MEAN, number=0),
    ]
    margin = [
        UNEDITED_MARGIN,
        [3.0, 1.0, -1.0, -1.0],
        [2.0, -1.0, 1.0, -3.0],
        [4.0, 3.0, -1.0, -3.0],
        [1.0, -1.0, 1.0, -3.0],
        [3.0, -1.0, 1.0, -3.0],
        [1.0, -1.0, 1.0, 5.0],
        [9.0, 9.0, -9.0, -9.0],
    ]
    return judged_set(ways, margin, POSITIVE, **more)


def effect_of(found, method, action, outcome):
    (one,) = (e for e in found if (e.method, e.action, e.outcome) == (method, action, outcome))
    return one


def test_answers_by_hand():
    found = effects_of(small(), PLAN, 0)
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
    random = effect_of(effects_of(small(), PLAN, 0), RANDOM, MEAN, ANSWER)
    assert random.effect == (0 + 1 - 4) / 3
    np.testing.assert_allclose([random.low, random.high], np.quantile([0, 1, -4], BAND))
    assert (random.controls, random.p) == (3, {})
    assert (random.divergence, random.perplexity) == (0.5, 10.5)  # of the first of them


def test_matching_answers_by_hand():
    found = effects_of(small(), PLAN, 0)
    ablated = effect_of(found, FOUND, MEAN, MATCHING)
    assert (ablated.unedited, ablated.effect) == (0.5, 0.5)  # all four match
    patched = effect_of(found, FOUND, ablation("patch"), MATCHING)
    assert patched.effect == (0 + 0.5) / 2
    assert effect_of(found, RANDOM, MEAN, MATCHING).effect == pytest.approx((0 + 0 - 0.25) / 3)


def test_a_margin_of_nothing_is_no():
    ways = [UNEDITED, Way(FOUND, MEAN), Way(RANDOM, MEAN)]
    found = effects_of(judged_set(ways, [[1.0, 1, -1, -1], [0.0, 0, 0, -1], [1.0, 1, -1, -1]],
                              POSITIVE), PLAN, 0)  # fmt: skip
    assert effect_of(found, FOUND, MEAN, MATCHING).effect == -0.5


def test_likelihoods_by_hand_and_left_out_where_not_looked_at():
    likelihood = np.zeros((8, 4))
    likelihood[0] = [-1, -2, -3, -4]
    likelihood[1] = [-1, -1, -5, -5]
    found = effects_of(small(likelihood=likelihood), PLAN, 0)
    ablated = effect_of(found, FOUND, MEAN, LIKELIHOOD)
    assert (ablated.unedited, ablated.effect) == (2.0, 2.0)
    assert {e.outcome for e in found} == {ANSWER, YES, MATCHING, LIKELIHOOD}
    likelihood[3, 2] = np.nan
    part = small(likelihood=likelihood)
    assert {e.outcome for e in effects_of(part, PLAN, 0)} == {ANSWER, YES, MATCHING}
    (one,) = family_effects([part], PLAN, 0)
    assert {outcome for _, _, outcome in one.p_family} == {ANSWER, YES, MATCHING}
    assert {action for action, _, _ in one.p_family} == {MEAN}  # what random sets have


def test_effects_come_by_strength():
    strengths = (4.0, -2.0, 2.0)
    ways = [UNEDITED, *(Way(m, STEER, s) for m in (FOUND, RANDOM) for s in strengths)]
    margin = [[0.0] * 4, *([s, 0, 0, 0] for s in strengths), *[[0.0] * 4] * 3]
    (one,) = family_effects([judged_set(ways, margin, POSITIVE)], PLAN, 0)
    assert [(e.strength, e.effect) for e in one.of(FOUND, STEER)] == [
        (-2.0, -1.0), (2.0, 1.0), (4.0, 2.0),
    ]  # fmt: skip
    assert {e.key for e in one.of(FOUND, STEER)} <= set(one.p_family)
    assert one.perplexity == 10.5


def empty(**more):
    return judged_set([], np.empty((0, 0)), POSITIVE, **more)


def test_a_set_without_nodes_has_no_effects_and_changes_no_other():
    (alone,) = family_effects([empty()], PLAN, 0)
    assert (alone.effects, alone.p_family) == ([], {})
    assert np.isnan(alone.perplexity)
    beside = family_effects([empty(name="b"), small()], PLAN, 0)[1]
    (itself,) = family_effects([small()], PLAN, 0)
    assert beside.p_family == itself.p_family != {}
    assert [dataclasses.replace(e, strength=0) for e in beside.effects] == [
        dataclasses.replace(e, strength=0) for e in itself.effects
    ]


def crossed_set(name="b", half="B"):
    ways = [UNEDITED, Way("a", MEAN), Way("a", STEER, 2.0), Way("b", MEAN)]
    margin = [UNEDITED_MARGIN, [2.0, 0, 1, -3], [1.0, -1, 1, -3], [1.0, -1, 3, -3]]
    return judged_set(ways, margin, POSITIVE, name=name, half=half, owners=("", "a", "a", "b"))


def test_crossed_effects_by_hand():
    found = crossed_effects(crossed_set(), PLAN, 0)
    assert [(c.judged, c.owner, c.half, c.action, c.effect) for c in found] == [
        ("b", "a", "B", MEAN, 1.0), ("b", "a", "B", STEER, 0.0), ("b", "b", "B", MEAN, -1.0),
    ]  # fmt: skip
    assert np.isnan(found[0].strength)
    assert found[1].strength == 2.0
    assert found[0].low == found[0].high == 1.0  # both rows of H1 by 1, none of H0
    assert found[2].low < -1 < found[2].high
    assert crossed_effects(empty(), PLAN, 0) == []
    assert crossed_effects(judged_set([UNEDITED], [UNEDITED_MARGIN], POSITIVE), PLAN, 0) == []


# The page

ODD = "a|b*[x](y)`$\\frac$\n<b>_#\u202e"


def steered(name, half="A", rows=6, clusters=None, likelihood=True, seed=0):
    """Every method and kind of control that the page names."""
    kinds = RANDOM, MATCHED, RANDOM_DIRECTION
    ways = beside_controls(3, kinds=kinds[:2])
    for strength in PLAN.strengths:
        ways += beside_controls(3, STEER, strength, kinds)[1:]
        ways += [Way(method, STEER, strength) for method in (COHEN, DIFFERENCE)]
    ways += [Way(DIFFERENCE, PROJECT), *(Way(kinds[2], PROJECT, number=k) for k in range(3))]
    rng = np.random.default_rng(seed)
    shape = len(ways), 2 * rows
    return judged_set(
        ways, rng.normal(size=shape), sides(rows), name=name, half=half, clusters=clusters,
        likelihood=rng.normal(size=shape) if likelihood else None,
    )  # fmt: skip


def part(every, crossed=(), plan=PLAN):
    return SimpleNamespace(
        interventions=family_effects(every, plan, 0),
        specificity=[c for one in crossed for c in crossed_effects(one, plan, 0)],
        config=SimpleNamespace(intervention=plan),
        terms=SimpleNamespace(rows="statements"),
    )


def page(shown):
    """The section, with both pictures drawn as the report draws them."""
    figures = {"doses": {}, "specificity": {}}
    with matplotlib.rc_context({"text.parse_math": False}):
        if any(found.of(FOUND, STEER) for found in shown.interventions):
            draw_doses(shown).canvas.draw()
            figures["doses"] = {"doses.png": None}
        if shown.specificity:
            draw_specificity(shown).canvas.draw()
            figures["specificity"] = {"specificity.png": None}
    text = intervened_section(shown, figures)
    assert "nan" not in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith(" |")
    return text


def tables(text):
    """Rows of cells, table by table."""
    found = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append(line.strip("|").split(" | "))
        elif found[-1]:
            found.append([])
    return [rows for rows in found if rows]


def test_a_page_of_sets_with_and_without_nodes():
    shown = part([steered("plain"), empty(name="hollow", half="B")])
    text = page(shown)
    main, methods = tables(text)
    assert {len(row) for row in main} == {13}
    assert {len(row) for row in methods} == {9}
    assert len(main) == 2 + 2  # the ablation, and the strongest push
    (e,) = (e for e in shown.interventions[0].of(FOUND, STEER) if e.strength == 2.0)
    row = [cell.strip() for cell in main[3]]
    assert row[4:6] == ["steer +2", f"{e.effect:+.2f} ({e.low:+.2f} to {e.high:+.2f})"]
    assert row[7] == f"{e.p[RANDOM]:.3f}"
    assert row[10] == f"{shown.interventions[0].p_family[e.key]:.3f}"
    assert [row[2].strip() for row in methods[2:]] == [
        FOUND, RANDOM, MATCHED, RANDOM_DIRECTION, "largest Cohen's d", DIFFERENCE,
    ]  # fmt: skip
    assert "No nodes were found to test for hollow (half B)." in text
    assert "of 1 node sets" in text
    assert text.startswith("## Do the found nodes carry it?\n\n")
    assert "by their own nodes' deviations, and along directions as long as the found set's" in text


def test_pages_of_nothing():
    assert intervened_section(part([]), {}) == ""
    text = page(part([empty(), empty(half="B")]))
    assert "in 0 of 0 node sets" in text
    assert not tables(text)


def test_odd_names_break_no_page_and_no_picture():
    crossed = [crossed_set(), crossed_set("a")]
    odd = [dataclasses.replace(one, owners=("", ODD, ODD, "b"), name=name)
           for one, name in zip(crossed, ("b", ODD), strict=True)]  # fmt: skip
    text = page(part([steered(ODD), steered(ODD, "B", seed=1)], odd))
    assert {len(row) for row in tables(text)[0]} == {13}
    assert not set("*<>\\$\n\u202e`[") & set(text.split("| a?b")[1].split("|")[0])
    plain = page(part([steered("x"), steered("x", "B", seed=1)], crossed))
    assert text.count("\n") == plain.count("\n")


def test_what_was_asked_is_what_the_page_says():
    plan = dataclasses.replace(PLAN, level=0.8, ablations=("zero",), against=(RANDOM, MATCHED))
    text = page(part([empty()], plan=plan))
    assert "80% interval" in text
    assert "sets the nodes to zero" in text
    assert "like variance" in text
    assert "random directions" not in text
    text = page(part([steered("x")]))
    assert "a 95% interval" in text
    assert "the background's mean" in text
    assert "random directions as long" in text


def test_pages_without_strengths_likelihoods_or_intervals():
    plan = dataclasses.replace(PLAN, strengths=())
    ablated = judged_set(beside_controls(3), np.random.default_rng(0).normal(size=(5, 4)), POSITIVE)
    (main,) = tables(page(part([ablated], plan=plan)))
    assert len(main) == 3
    clusters = np.r_[np.zeros(6, int), np.arange(1, 7)]  # H1 is one cluster
    text = page(part([steered("x", clusters=clusters, likelihood=False)]))
    cells = [cell.strip() for cell in tables(text)[1][2]]
    assert "(" not in cells[3]
    assert cells[6] == "-"


@pytest.mark.parametrize("bootstrap", [1, 50])
def test_bars_of_few_resamples_and_of_rounding_are_drawn(bootstrap):
    plan = dataclasses.replace(PLAN, bootstrap=bootstrap)
    same = steered("same", clusters=np.repeat(np.arange(6), [1, 2, 3, 3, 2, 1]))
    same.margin_WN[:] = np.where(same.positive_N, 0.3, -0.1) * np.arange(len(same.ways))[:, None]
    shown = part([steered("x"), same], plan=plan)
    outside = [e for found in shown.interventions for e in found.of(FOUND, STEER)
               if not e.low <= e.effect <= e.high]  # fmt: skip
    assert outside or bootstrap > 1  # what this is about
    page(shown)


def test_specificity_is_averaged_over_halves_and_missing_sets_are_left_blank():
    """Half A of b found nothing."""

    def under(name, half, of_a, of_b=None):
        sets = [("a", of_a), ("b", of_b)][: 1 + (of_b is not None)]
        changed = [(UNEDITED, "", 0.0)]
        for owner, change in sets:
            changed += [(Way(owner, *way), owner, change) for way in ((MEAN,), (STEER, 2.0))]
        ways, owners, changes = zip(*changed, strict=True)
        margin = UNEDITED_MARGIN + np.outer(changes, POSITIVE)
        return judged_set(ways, margin, POSITIVE, name=name, half=half, owners=owners)

    halves = [under("a", "A", 4), under("b", "A", 1), under("a", "B", 2, 0.5)]
    shown = part([steered("a")], [*halves, under("b", "B", 2, -1)])
    text = page(shown)
    for action in (MEAN, "steer +2"):  # own: 3 and -1; others: a's on b 1.5, b's on a 0.5
        assert f"{action}: +1.00 on a comparison's own statements on average, +1.00 on" in text
    drawn = [t.get_text() for axis in draw_specificity(shown).axes for t in axis.texts]
    assert drawn == 2 * ["+3.00", "+0.50", "+1.50", "-1.00"]
    without = page(part([steered("a")], halves[:2]))
    assert f"{MEAN}: +4.00 on a comparison's own statements on average, +1.00 on" in without


def test_many_sets_are_drawn():
    page(part([steered(name, half) for name in "abc" for half in "AB"]))


def test_a_push_that_moves_all_answers_alike_is_no_effect():
    """What float32 leaves of a difference is 0, in every method, and so is ranked as equal."""
    rng = np.random.default_rng(0)
    positive_N = np.arange(20) < 10
    unedited_N = rng.normal(size=20).astype(np.float32)
    shifted_WN = unedited_N + rng.normal(size=(30, 1)).astype(np.float32)
    change_WN = shifted_WN.astype(float) - unedited_N
    assert np.abs(change_WN @ apart_weights(positive_N)).max() > 0
    np.testing.assert_array_equal(summed(change_WN, apart_weights(positive_N)), 0)
    assert np.abs(summed(change_WN, even_weights(positive_N))).min() > 0
    change_WN[3, positive_N] += 0.01
    assert summed(change_WN, apart_weights(positive_N))[3] == pytest.approx(0.01, rel=1e-3)
