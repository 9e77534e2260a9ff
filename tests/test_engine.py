"""The engine behind the scans: memory, devices, accelerators, conditional p-values, tails."""

import dataclasses
import json
import subprocess
import sys

import jax
import numpy as np
import oracle
import pytest
from test_scan import oracle_pvalues, planted

import personascan
from benchmarks.starts import measure_starts
from personascan.memory import human_bytes
from personascan.scan import backgrounds
from personascan.scan import devices as search
from personascan.scan.masks import plan_searches
from personascan.scan.options import FIXED_STARTS, ScanOptions
from personascan.scan.ranks import rank_tables
from personascan.scan.samples import run_keys
from personascan.scan.tails import TAILS


def same(one, other):
    for field in dataclasses.fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def conditional_pvalues(background, evaluation, labels_b, labels_e, tail):
    p = np.empty((len(evaluation), evaluation.shape[1] * (2 if tail == "signed" else 1)))
    for label in set(labels_e):
        inside = np.array(labels_e) == label
        p[inside] = oracle_pvalues(
            background[np.array(labels_b) == label], evaluation[inside], tail
        )
    return p


@pytest.mark.parametrize("tail", [pytest.param("two", marks=pytest.mark.slow), "signed"])
def test_conditional_p_values_compare_each_row_with_its_own_label(tail):
    background, evaluation = planted(21, rows=9, background=25, nodes=14, digits=1)
    labels = (list("abbab" * 5), list("aabbabbab"))
    p = conditional_pvalues(background, evaluation, *labels, tail)
    keywords = dict(background_groups=labels, tail=tail)
    found = personascan.empirical_pvalues(background, evaluation, **keywords)
    np.testing.assert_allclose(found.p_max, p, rtol=1e-12)
    alphas = oracle.exact_alphas(p, 0.5)
    alone = personascan.individual_scan(background, evaluation, **keywords)
    expected = [oracle.best_for_row(row, alphas, "bj")[0] for row in p]
    np.testing.assert_allclose(alone.score, expected, rtol=1e-12)
    together = personascan.group_scan(background, evaluation, starts=1, **keywords)
    assert together.score == pytest.approx(oracle.ascend(p, range(9), alphas, "bj")[0], rel=1e-9)
    with pytest.raises(personascan.InputError, match="background group 'c'"):
        personascan.group_scan(
            background, evaluation, background_groups=(labels[0], list("aabbabbac"))
        )
    with pytest.raises(personascan.InputError, match="must be a pair"):
        personascan.empirical_pvalues(background, evaluation, background_groups="ab")


@pytest.mark.slow
def test_alphas_in_chunks_give_the_same_bits_of_one_background(monkeypatch):
    background, evaluation = planted(22)
    held = personascan.group_scan(background, evaluation, starts=4)
    monkeypatch.setattr(search, "PLANES_BYTES", 1000)
    options = ScanOptions(starts=4)
    tables = rank_tables(np.array([[24]]), options)
    searches = plan_searches(np.ones((1, 12), bool), 4)
    layout = search.search_layout(searches, tables, options, 20, 12, True)
    assert not layout.holds_planes
    assert not layout.shares_planes
    assert layout.chunk < layout.n_alphas
    same(held, personascan.group_scan(background, evaluation, starts=4))


def test_a_large_background_is_exact():
    rng = np.random.default_rng(0)
    background, evaluation = rng.normal(size=(20_000, 3)), rng.normal(size=(5, 3))
    evaluation[:2] += 4.5
    found = personascan.group_scan(background, evaluation, tail="right", starts=1)
    p = oracle_pvalues(background, evaluation, "right")
    alphas = oracle.exact_alphas(p, 0.5)
    assert found.score == pytest.approx(oracle.ascend(p, range(5), alphas, "bj")[0], rel=1e-9)
    assert set(found.rows) == {0, 1}


def test_every_node_has_the_tail_it_was_extreme_in():
    background, evaluation = planted(23, shift=3.0)
    evaluation[:4, 3:6] *= -1
    found = personascan.group_scan(background, evaluation, tail="two", starts=2)
    assert set(range(6)) <= set(found.nodes)
    high = oracle_pvalues(background, evaluation, "right")
    low = oracle_pvalues(background, evaluation, "left")
    for node, tail in zip(found.nodes, found.tails, strict=True):
        significant = np.minimum(2 * np.minimum(high, low), 1)[found.rows, node] <= found.alpha
        lean = np.sign((low - high)[found.rows, node] * significant)
        expected = {1: "right", -1: "left", 0: "both"}[int(np.sign(lean.sum()))]
        assert tail == expected
    assert {"right", "left"} <= set(found.tails)


@pytest.mark.parametrize("starts", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_signed_is_to_the_bit_the_right_tail_of_the_nodes_and_their_negatives(starts):
    """One background, or several and starts of every kind; ties: scores, rows and half-nodes."""
    background, evaluation = planted(28, rows=15, background=40, nodes=30, shift=1.0, digits=1)
    evaluation[:5, 10:15] -= 1.5
    pool = np.concatenate([background, evaluation])
    masks = np.zeros((2, 2, len(pool)), bool)
    masks[0, :, :40], masks[1, :, 40:] = True, True
    masks[0, 1, :5] = starts == 2
    signed = personascan.scan_runs(pool, *masks, tail="signed", starts=starts)
    doubled = np.concatenate([pool, -pool], axis=1)
    right = personascan.scan_runs(doubled, *masks, tail="right", starts=starts)
    halves = np.concatenate([signed.high_LRD, signed.low_LRD], axis=-1)
    np.testing.assert_array_equal(halves, right.high_LRD)
    assert not right.low_LRD.any()
    for name in ("score", "alpha", "rows", "start_scores", "at_smallest_alpha"):
        np.testing.assert_array_equal(getattr(signed, name), getattr(right, name))
    alone = personascan.individual_scan(background, evaluation, tail="signed")
    both = [np.concatenate([part, -part], axis=1) for part in (background, evaluation)]
    right = personascan.individual_scan(*both, tail="right")
    np.testing.assert_array_equal(alone.score, right.score)
    np.testing.assert_array_equal(alone.size, right.size)


def test_a_node_whose_halves_are_both_returned_says_so():
    """At an alpha above one half a middling value is significant in both tails."""
    background = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    middle = np.array([[0, 9]], np.float32)
    found = personascan.group_scan(background, middle, alphas=[0.9], alpha_max=0.9, starts=1)
    assert found.tails.tolist() == ["both", "right"]
    assert (found.nodes.tolist(), found.high.tolist(), found.low.tolist()) == ([0, 1], [0, 1], [0])


def test_more_memory_than_there_is_is_refused_with_the_figure(monkeypatch):
    background, evaluation = planted(24)
    monkeypatch.setattr("personascan.memory.free_bytes", lambda: 1000)
    with pytest.raises(personascan.InputError, match=r"needs about .* KiB but 1.0 KiB are free"):
        personascan.group_scan(background, evaluation)
    assert human_bytes(3 * 2**30) == "3.0 GiB"


def problem_of_a_search(tail):
    background, evaluation = planted(25)
    pool = np.concatenate([background, evaluation])
    masks = np.zeros((2, 3, len(pool)), bool)
    masks[0, :, :24], masks[1, :, 24:] = True, True
    masks[0, 0, 0] = False
    options = ScanOptions(tail=tail, starts=4)
    tables = rank_tables(masks[0].sum(1)[:, None], options)
    searches = plan_searches(masks[1], 4)
    layout = search.search_layout(searches, tables, options, 20, 12, False)
    group_N = np.zeros(len(pool), np.int32)
    source = backgrounds.open_source(
        pool, masks[0], masks[1].any(0), tables, group_N, options.sides
    )
    return source, searches, tables, run_keys(jax.random.key(0), 3), layout


@pytest.fixture(scope="module")
def one_by_one():
    """The inputs of a search of three backgrounds, its layout, and what a CPU finds."""
    *inputs, layout = problem_of_a_search(tail="two")
    assert not layout.side_by_side
    return inputs, layout, search.run_search(*inputs, layout)


@pytest.mark.parametrize(
    "way",
    [
        "starts side by side",
        pytest.param("searches side by side", marks=pytest.mark.slow),
        "in parts",
        pytest.param("alphas in chunks", marks=pytest.mark.slow),
    ],
)
def test_every_way_of_making_a_search_gives_the_same_bits(one_by_one, way, monkeypatch):
    inputs, layout, expected = one_by_one
    if way == "in parts":
        monkeypatch.setattr(search, "SEARCHES_AT_ONCE", 2)
    changes = {
        "starts side by side": dict(side_by_side=True),
        "searches side by side": dict(side_by_side=True, searches_side_by_side=2),
        "in parts": {},
        "alphas in chunks": dict(holds_planes=False, chunk=4),
    }[way]
    assert layout.holds_planes
    assert layout.chunk > 4
    found = search.run_search(*inputs, dataclasses.replace(layout, **changes))
    jax.tree.map(np.testing.assert_array_equal, expected, found)


@pytest.mark.parametrize("kind", [np.int16, np.int32])
def test_rows_add_up_alike_one_by_one_and_together(kind):
    from personascan.scan.counts import add_up_rows, add_up_together

    members_ND = np.random.default_rng(0).integers(0, 2, (300, 7)).astype(kind)
    for add_up in (add_up_rows, add_up_together):
        found = jax.jit(add_up)(members_ND)
        assert found.dtype == kind
        np.testing.assert_array_equal(found, members_ND.cumsum(0))


@pytest.mark.parametrize("searches", [1, 3])
@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_the_search_lowers_for_accelerators(platform, searches):
    *inputs, layout = problem_of_a_search(tail="signed")
    layout = dataclasses.replace(layout, side_by_side=True, searches_side_by_side=searches)
    arrays = search.search_inputs(*inputs, layout)
    lowered = jax.export.export(
        jax.jit(lambda source, own: search.search(source, own, layout=layout)), platforms=[platform]
    )(*arrays)
    assert lowered.platforms == (platform,)
    assert "popcnt" in lowered.mlir_module()


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_ranks_lower_for_accelerators(platform):
    from personascan.scan import counts

    background, evaluation = map(counts.order_keys, planted(26))
    arrays = counts.sort_nodes(background.T), evaluation.T
    for kernel, inputs in (
        (counts.count_sorted, arrays),
        (backgrounds.finish_shared, None),
    ):
        if inputs is None:
            ranks = np.zeros((20, 12), np.uint8)
            exported = jax.export.export(
                jax.jit(
                    lambda a, b: backgrounds.finish_shared(a, b, n_alphas=9, sides=TAILS["two"])
                ),
                platforms=[platform],
            )(ranks, ranks)
        else:
            exported = jax.export.export(kernel, platforms=[platform])(*inputs)
        assert exported.platforms == (platform,)


FOUR_DEVICES = """
import json
import jax
import numpy as np, personascan

rng = np.random.default_rng(5)
pool = rng.normal(size=(40, 16)).astype("f4"); pool[30:, :5] += 1

def starts():
    found = personascan.group_scan(pool[:25], pool[25:], starts=6)
    return [found.start_scores.tolist(), found.nodes.tolist()]

def runs():
    masks = np.zeros((2, 5, 40), bool)
    for run in range(5):
        order = rng.permutation(40)
        masks[0, run, order[:20]], masks[1, run, order[20:32]] = True, True
    found = personascan.scan_runs(pool, *masks, starts=6)
    return [found.start_scores.tolist(), found.nodes.sum(-1).tolist(),
            found.rows.astype(int).tolist()]
"""


@pytest.mark.parametrize("shared", ["starts", pytest.param("runs", marks=pytest.mark.slow)])
def test_four_devices_share_them_out_and_give_the_same_bits_as_one(shared):
    here = {}
    exec(FOUR_DEVICES, here)
    assert jax.local_device_count() == 1
    script = f"{FOUR_DEVICES}\njax.config.update('jax_num_cpu_devices', 4)"
    script += f"\nprint(json.dumps([jax.local_device_count(), {shared}()]))"
    there = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    assert json.loads(there.stdout) == [4, here[shared]()]


@pytest.mark.slow
def test_the_fixed_starts_reach_what_two_hundred_random_ones_do():
    """A small part of the benchmark in docs/scan.md: one problem of each kind."""
    (found,) = measure_starts([(40, 576)], ["hc"])
    assert found["problems"] == 8
    assert found["reached"][FIXED_STARTS - 1] >= 0.995
    assert found["reached"] == sorted(found["reached"])  # never below the all-rows start


def test_degenerate_inputs_are_legal():
    background, evaluation = planted(27)
    one = personascan.empirical_pvalues(background[:1], evaluation)
    assert one.p_max.max() == 1
    constant = personascan.group_scan(
        np.ones_like(background), np.ones_like(evaluation), tail="two", starts=2
    )
    assert constant.score == 0
    assert len(constant.rows) == len(constant.nodes) == len(constant.tails) == 0
    assert np.isnan(constant.alpha)
