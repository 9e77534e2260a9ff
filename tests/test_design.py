"""All edits by which a node set is tested."""

import dataclasses

import numpy as np
import pytest
from tiny_statistics import (
    AT,
    FOUND_NODES,
    HEADS_AT,
    NODES,
    OPTIONS,
    POSITIVE,
    WIDTH,
    by_key,
    edits_of,
    found_set,
    heads,
    key,
    rows,
    statistics,
)

import personascan
from personascan.direction import Direction
from personascan.interventions import design
from personascan.interventions.design import (
    COHEN,
    DIFFERENCE,
    FOUND,
    FOUND_DIFFERENCE,
    HEADS,
    PROJECT,
    READOUT,
    STEER,
    TOP,
    ablation,
)
from personascan.interventions.directions import (
    PlaceStatistics,
)
from personascan.interventions.edits import UNEDITED
from personascan.interventions.options import (
    MATCHED,
    RANDOM,
    RANDOM_DIRECTION,
    check_interventions,
)


def test_every_way_is_there_once():
    imported = (Direction("theirs", {("resid_post", 1): np.ones(4)}),)
    edits = edits_of(heads=heads(), imported=imported)
    assert edits[0] is UNEDITED
    mean, count = ablation("mean"), {}
    by_key(edits)
    for edit in edits[1:]:
        count.setdefault((edit.method, edit.action), []).append((edit.number, edit.draw))
        if edit.action == STEER:
            assert edit.strength in OPTIONS.strengths
        else:
            assert np.isnan(edit.strength)
        assert set(edit.changes) == {
            HEADS: {HEADS_AT}, "theirs": {("resid_post", 1)},
        }.get(edit.method, {AT})  # fmt: skip
    numbers = [(k, 0) for k in range(OPTIONS.controls)]
    expected = {
        (FOUND, mean): [(0, 0)],
        (FOUND, ablation("zero")): [(0, 0)],
        (FOUND, ablation("resample")): [(0, d) for d in range(4)],
        (FOUND, ablation("patch")): [(0, d) for d in range(4)],
        ("theirs", STEER): [(0, 0)] * 2,
        **{(m, mean): [(0, 0)] for m in (TOP, COHEN, HEADS)},
        **{(m, STEER): [(0, 0)] * 2 for m in (FOUND, TOP, COHEN, HEADS)},
        **{(m, mean): numbers for m in (RANDOM, MATCHED)},
        **{(m, STEER): sorted(2 * numbers) for m in (RANDOM, MATCHED, RANDOM_DIRECTION)},
        (RANDOM_DIRECTION, PROJECT): numbers,
        **{(m, PROJECT): [(0, 0)] for m in (FOUND_DIFFERENCE, DIFFERENCE, READOUT)},
        **{(m, STEER): [(0, 0)] * 2 for m in (FOUND_DIFFERENCE, DIFFERENCE, READOUT)},
    }
    assert count == expected


def test_controls_are_as_large_and_none_of_them_the_same():
    edits, sets = edits_of(heads=heads()), {}
    for edit in edits:
        if edit.action == ablation("mean"):
            (change,) = edit.changes.values()
            sets.setdefault(edit.method, []).append(frozenset(np.flatnonzero(change.scale_D == 0)))
    assert sets[FOUND] == [frozenset(FOUND_NODES)]
    assert {len(s) for m in (FOUND, TOP, COHEN, RANDOM, MATCHED) for s in sets[m]} == {4}
    assert len(sets[HEADS][0]) == WIDTH
    for kind in (RANDOM, MATCHED):
        assert len(set(sets[kind])) == OPTIONS.controls
    assert not any(s & sets[FOUND][0] for s in sets[MATCHED])
    d = np.abs(statistics().cohen_D)
    assert min(d[list(sets[COHEN][0])]) >= np.sort(d)[-4]
    difference = np.abs(statistics().difference_D)
    assert min(difference[list(sets[TOP][0])]) >= np.sort(difference)[-4]


def test_draws_hang_on_the_seed_alone():
    one, same, other = (by_key(edits_of(seed=seed)) for seed in (5, 5, 6))
    assert one == same
    drawn = {RANDOM, MATCHED, RANDOM_DIRECTION}
    for edit in one:
        changed = edit[0] in drawn or edit[1] in (ablation("resample"), ablation("patch"))
        if not changed:
            assert one[edit] == other[edit], edit
    for kind in drawn:
        assert any(one[edit] != other[edit] for edit in one if edit[0] == kind)


@pytest.mark.parametrize(
    "change",
    [
        {"controls": 5},
        {"against": (RANDOM,)},
        {"against": (RANDOM, RANDOM_DIRECTION)},
        {"against": (MATCHED, RANDOM)},
        {"strengths": (3.0,)},
        {"draws": 2},
        {"ablations": ("mean",)},
    ],
)
def test_ways_do_not_change_when_others_come_or_go(change):
    full = by_key(edits_of())
    found = by_key(edits_of(dataclasses.replace(OPTIONS, **change)))
    shared = full.keys() & found.keys()
    assert all(full[edit] == found[edit] for edit in shared)
    if "controls" in change:
        assert full.keys() < found.keys()
    else:
        assert found.keys() < full.keys()


@pytest.mark.parametrize("kind", ["mean", "zero", "resample", "patch"])
def test_ablated_nodes_are_set_and_the_others_left(kind):
    there = statistics()
    source = {"resample": there.background_BD, "patch": there.positive_ND}.get(kind)
    x = np.random.default_rng(9).normal(size=NODES).astype(np.float32)
    edits = [w for w in edits_of() if (w.method, w.action) == (FOUND, ablation(kind))]
    rest, seen = np.setdiff1d(np.arange(NODES), FOUND_NODES), set()
    for edit in edits:
        change = edit.changes[AT]
        assert change.read_D is None
        after = x * change.scale_D + change.shift_D
        np.testing.assert_array_equal(after[rest], x[rest])
        put = after[FOUND_NODES]
        if source is None:
            expected = {"mean": there.mean_D, "zero": np.zeros(NODES)}[kind]
            np.testing.assert_array_equal(put, expected[FOUND_NODES].astype(np.float32))
        else:
            matches = (source[:, FOUND_NODES].astype(np.float32) == put).all(1)
            assert matches.sum() == 1
            seen.add(int(matches.argmax()))
    assert len(seen) == (0 if source is None else OPTIONS.draws)  # no row twice


def test_controls_are_set_to_the_same_rows():
    """What differs is the nodes alone."""
    options = dataclasses.replace(OPTIONS, ablations=("resample", "zero"))
    by_draw = {}
    for edit in edits_of(options):
        if edit.action == ablation("resample"):
            by_draw.setdefault(edit.draw, []).append(edit.changes[AT])
    assert {len(changes) for changes in by_draw.values()} == {3 + 2 * OPTIONS.controls}
    background = statistics().background_BD.astype(np.float32)
    taken = set()
    for changes in by_draw.values():
        rows_of = [
            np.flatnonzero((background[:, c.scale_D == 0] == c.shift_D[c.scale_D == 0]).all(1))
            for c in changes
        ]
        assert {tuple(r) for r in rows_of} == {tuple(rows_of[0])}
        taken.add(tuple(rows_of[0]))
    assert len(taken) == OPTIONS.draws


def test_more_draws_than_rows_are_all_rows():
    options = dataclasses.replace(OPTIONS, draws=100)
    actions = [w.action for w in edits_of(options) if w.method == FOUND]
    assert actions.count(ablation("resample")) == (~POSITIVE).sum()
    assert actions.count(ablation("patch")) == POSITIVE.sum()


def test_steering_is_so_many_deviations_at_found_nodes():
    deviation = rows()[~POSITIVE].astype(np.float64).std(0)
    steered = {w.strength: w.changes[AT] for w in edits_of() if key(w)[:2] == (FOUND, STEER)}
    assert set(steered) == set(OPTIONS.strengths)
    for strength, change in steered.items():
        expected = strength * found_set() * deviation
        np.testing.assert_allclose(change.shift_D, expected, rtol=1e-6)
        assert (change.scale_D == 1).all()
        assert change.read_D is None


def test_all_directions_are_as_long_as_the_found_push():
    imported = (
        Direction("one", {("resid_post", 1): np.arange(4.0)}),
        Direction("several", {("resid_post", 0): np.ones(4), ("mlp_out", 2): -np.ones(NODES)}),
    )
    edits = edits_of(imported=imported)
    norm = np.linalg.norm(statistics().push(found_set()))
    along = {FOUND, FOUND_DIFFERENCE, DIFFERENCE, READOUT, RANDOM_DIRECTION, "one", "several"}
    seen = set()
    for edit in edits:
        if edit.action == STEER and edit.method in along:
            squares = sum((c.shift_D.astype(float) ** 2).sum() for c in edit.changes.values())
            assert np.sqrt(squares) == pytest.approx(abs(edit.strength) * norm, rel=1e-5)
            seen.add(edit.method)
    assert seen == along


def test_directions_point_where_they_say():
    difference = statistics().difference_D
    shifts = {w.method: w.changes[AT].shift_D for w in edits_of() if w.strength == 3.0}
    only = np.where(found_set() != 0, difference, 0)
    for method, expected in ((DIFFERENCE, difference), (FOUND_DIFFERENCE, only)):
        unit = shifts[method] / np.linalg.norm(shifts[method])
        np.testing.assert_allclose(unit, expected / np.linalg.norm(expected), atol=1e-6)


def test_what_is_projected_out_is_that_of_the_background():
    there, x = statistics(), np.random.default_rng(2).normal(size=NODES)
    for edit in edits_of():
        if edit.action != PROJECT:
            continue
        c = edit.changes[AT]
        after = x * c.scale_D + c.shift_D + (x @ c.read_D) * c.write_D
        unit = c.read_D.astype(float)
        assert np.linalg.norm(unit) == pytest.approx(1)
        assert after @ unit == pytest.approx(there.mean_D @ unit, abs=1e-4)
        rest = (after - x) - ((after - x) @ unit) * unit
        np.testing.assert_allclose(rest, 0, atol=1e-4)


def test_a_cap_keeps_a_direction_at_a_quantile_of_the_background():
    """Of every method that is steered; rows at or below it keep their values."""
    options, there = dataclasses.replace(OPTIONS, caps=(0.9,)), statistics()
    capped = [w for w in edits_of(options, heads=heads()) if w.action == "cap (0.9)"]
    assert {w.method for w in capped} == set(design.METHODS)
    for edit in capped:
        ((at, c),) = edit.changes.items()
        if at != AT:
            continue
        unit, x = c.read_D.astype(float), there.background_BD
        assert np.linalg.norm(unit) == pytest.approx(1)
        bound = np.quantile(x @ unit, 0.9)
        assert c.bound == pytest.approx(bound, rel=1e-5, abs=1e-6)
        after = x + np.maximum(x @ c.read_D - c.bound, 0)[:, None] * c.write_D
        np.testing.assert_allclose(after @ unit, np.minimum(x @ unit, bound), atol=1e-5)


def test_imported_names_are_told_apart():
    """Ways of one name are averaged as draws of one."""
    shift = {("resid_post", 1): np.ones(4)}
    names = ("x", "x", FOUND, "x (2)", "x")
    edits = edits_of(imported=tuple(Direction(name, shift) for name in names))
    by_key(edits)
    assert list(dict.fromkeys(w.method for w in edits[-10:])) == [
        "x", "x (2)", f"{FOUND} (2)", "x (2) (2)", "x (3)",
    ]  # fmt: skip


def test_a_background_that_never_varies_is_pushed_nowhere():
    place = rows()
    place[np.ix_(~POSITIVE, FOUND_NODES)] = 0  # as nodes of a ReLU
    for edit in edits_of(there=PlaceStatistics(place, POSITIVE)):
        for change in edit.changes.values():
            parts = [a for a in dataclasses.astuple(change) if a is not None]
            assert np.isfinite(parts).all()
            if edit.action == STEER and edit.method in (FOUND, FOUND_DIFFERENCE, DIFFERENCE):
                assert not change.shift_D.any()


def test_no_strengths_and_no_other_controls_leave_the_ablations():
    options = dataclasses.replace(OPTIONS, strengths=(), against=(RANDOM,))
    actions = {(w.method, w.action) for w in edits_of(options)}
    assert {method for method, _ in actions} == {
        "unedited", FOUND, TOP, COHEN, RANDOM, FOUND_DIFFERENCE, DIFFERENCE, READOUT,
    }  # fmt: skip
    assert STEER not in {action for _, action in actions}


def test_names_of_methods_are_all_known_to_the_design():
    edits = edits_of(heads=heads())
    assert {w.method for w in edits[1:]} == set(design.METHODS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"statements": 1}, "use statements of at least 2"),
        ({"controls": 0}, "controls, draws and bootstrap of at least 1"),
        ({"draws": 0}, "draws and bootstrap of at least 1"),
        ({"bootstrap": 0}, "bootstrap of at least 1"),
        ({"nodes": -1}, r"intervention\.nodes = -1"),
        ({"against": ()}, r"intervention\.against = \(\): use 'random nodes'"),
        ({"against": (MATCHED,)}, "use 'random nodes', and besides some of nodes of like"),
        ({"against": (RANDOM, "all")}, r"against = \('random nodes', 'all'\)"),
        ({"ablations": ()}, "ablations must name each once, and at least one"),
        ({"ablations": ("mean", "mean")}, "ablations must name each once"),
        ({"ablations": ("mean", "noise")}, "'noise' is unknown; use some of mean, zero"),
        ({"strengths": (0.0, 1.0)}, "name each once, finite and not 0"),
        ({"strengths": (1.0, 1.0)}, "name each once"),
        ({"strengths": (np.nan,)}, "finite"),
        ({"strengths": (1.0, np.inf)}, "finite"),
        ({"caps": (0.95, 95)}, r"caps = \(0\.95, 95\): name quantiles from 0 to 1, each once"),
        ({"caps": (0.9, 0.9)}, "each once"),
        ({"level": 0.0}, r"level = 0.0 is outside \(0, 1\)"),
        ({"level": 95}, r"level = 95 is outside"),
        ({"tokens": "generated"}, "tokens = 'generated'; use one of all, statement, last"),
        ({"tokens": "first"}, "tokens = 'first'"),
    ],
)
def test_what_cannot_be_tested_is_refused(change, message):
    with pytest.raises(personascan.InputError, match=message):
        check_interventions(dataclasses.replace(OPTIONS, **change))


@pytest.mark.parametrize(
    "change", [{}, {"strengths": ()}, {"against": (RANDOM,)}, {"tokens": "last"}, {"nodes": 5}]
)
def test_what_can_be_tested_is_not(change):
    check_interventions(dataclasses.replace(OPTIONS, **change))


@pytest.mark.parametrize(
    "change",
    [
        {},
        dict(ablations=("patch", "zero")),
        dict(against=(RANDOM,)),
        dict(strengths=(1.0,)),
        dict(caps=(0.9, 0.95)),
    ],
)
def test_ways_are_counted_before_they_are_made(change):
    options = dataclasses.replace(OPTIONS, **change)
    assert design.count_edits(options) == len(edits_of(options))
