"""Values are ordered exactly, whatever their size: subnormal, huge, whole numbers, minus zero."""

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import oracle
import pytest

import personascan
from personascan.scan.counts import order_keys

KEYWORDS = dict(starts=3, tail="two")


def subnormal_problem():
    """60 background and 20 evaluation rows of 50 nodes, all within the float32 subnormals."""
    rng = np.random.default_rng(1)
    rows = (rng.integers(-50, 50, size=(80, 50)) * np.float32(1e-44)).astype(np.float32)
    rows[60:68, :10] = np.float32(9e-43)
    assert np.abs(rows).max() < np.finfo(np.float32).tiny
    return rows


@pytest.mark.parametrize("tail", ["right", "left", "two", "signed"])
def test_p_values_of_subnormal_activations_follow_the_formula(tail):
    rows = subnormal_problem()
    found = personascan.empirical_pvalues(rows[:60], rows[60:], tail=tail)
    expected = oracle.pvalue_range(rows[:60].astype(np.float64), rows[60:].astype(np.float64), tail)
    np.testing.assert_array_equal(found.p_min, expected[0])
    np.testing.assert_array_equal(found.p_max, expected[1])


@pytest.mark.parametrize("exponent", [-1000, -149, -126, -1, 0, 120, 900])
def test_data_times_a_power_of_two_give_the_same_scan(exponent):
    """Through every path: one background, several, individual rows, ties in part."""
    rows = subnormal_problem().astype(np.float64) * 2.0**149  # whole numbers
    scaled = np.ldexp(rows, exponent)
    assert (np.ldexp(scaled, -exponent) == rows).all()
    one, other = (personascan.group_scan(x[:60], x[60:], **KEYWORDS) for x in (rows, scaled))
    assert one.score == other.score > 100
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.nodes, other.nodes)
    background_RN = np.zeros((2, 80), bool)
    background_RN[0, :60], background_RN[1, 10:60] = True, True
    evaluation_RN = np.broadcast_to(np.arange(80) >= 60, (2, 80))
    own = [
        personascan.scan_runs(x, background_RN, evaluation_RN, **KEYWORDS) for x in (rows, scaled)
    ]
    np.testing.assert_array_equal(own[0].score, own[1].score)
    assert own[0].score[0, 0] == one.score
    alone = [personascan.individual_scan(x[:60], x[60:], tail="right") for x in (rows, scaled)]
    np.testing.assert_array_equal(alone[0].score, alone[1].score)
    parts = [
        personascan.group_scan(x[:60], x[60:], ties="fractional", starts=2) for x in (rows, scaled)
    ]
    assert parts[0].score == parts[1].score


@pytest.mark.parametrize("kind", ["float32", "float64", "bfloat16", "float16", "jax"])
def test_every_kind_of_float_is_ordered_by_value(kind):
    values = np.array([-3.0, -1e-7, -0.0, 0.0, 6e-8, 1.0, 3.0])[:, None]
    if kind == "jax":
        values = jnp.asarray(values, jnp.float32)
    else:
        values = values.astype(getattr(ml_dtypes, kind, kind))
    found = personascan.empirical_pvalues(values, values, tail="right")
    np.testing.assert_array_equal(8 * found.p_min[:, 0], [6, 5, 3, 3, 2, 1, 0])


def test_minus_zero_ties_with_zero_and_order_is_that_of_the_values():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, size=20_000, dtype=np.uint32).view(np.float32)
    values = np.concatenate([bits[np.isfinite(bits)], np.float32([0.0, -0.0, 1e-45, -1e-45])])
    keys = order_keys(values[:, None])[:, 0]
    order = np.argsort(values.astype(np.float64), kind="stable")
    assert (np.diff(keys[order]) >= 0).all()
    np.testing.assert_array_equal(
        np.diff(keys[order].astype(np.int64)) == 0, np.diff(values[order].astype(np.float64)) == 0
    )


def test_whole_numbers_that_floats_cannot_tell_apart_are_refused():
    background = np.arange(9)[:, None] + 2**60
    with pytest.raises(personascan.InputError, match="whole numbers up to 11529215"):
        personascan.group_scan(background, background)
    exact = np.arange(9)[:, None] + 2**53 - 10
    found = personascan.empirical_pvalues(exact, exact, tail="right")
    np.testing.assert_array_equal(10 * found.p_min[:, 0], np.arange(8, -1, -1))
