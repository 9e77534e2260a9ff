"""Which labellings a comparison allows: all of them, each once, and none that it does not allow."""

import itertools
import math

import numpy as np
import pytest

import personascan
from personascan.calibration.label_exchange import draw_exchanges, exchange_of, label_contrasts

SIX = np.array([1, 1, 1, 0, 0, 0], bool)


def as_set(labels_TN):
    return {tuple(row) for row in labels_TN.tolist()}


def test_few_rows_have_all_their_labellings():
    exchange = exchange_of(SIX)
    labels_TN = draw_exchanges(exchange, 999, 0)
    expected = {
        tuple(i in chosen for i in range(6)) for chosen in itertools.combinations(range(6), 3)
    }
    assert exchange.distinct == len(labels_TN) == 20
    assert as_set(labels_TN) == expected
    np.testing.assert_array_equal(labels_TN[0], SIX)
    assert exchange.floor(19) == 2 / 20  # a labelling and its mirror image


def test_the_two_rows_of_a_pair_swap():
    exchange = exchange_of(SIX, pairs=["a", "b", "c", "c", "a", "b"])
    labels_TN = draw_exchanges(exchange, 19, 0)
    assert len(labels_TN) == exchange.distinct == 8
    assert (labels_TN[:, :3] == ~labels_TN[:, [4, 5, 3]]).all()
    assert exchange.floor(19) == 2 / 2**3


def test_entities_keep_their_rows_together_whatever_their_size():
    entity = np.repeat(np.arange(6), [1, 2, 3, 4, 5, 6])
    positive_N = np.isin(entity, [0, 5])
    labels_TN = draw_exchanges(exchange_of(positive_N, entities=entity), 99, 0)
    assert len(labels_TN) == math.comb(6, 2)
    for number in range(6):
        of_one = labels_TN[:, entity == number]
        assert (of_one == of_one[:, :1]).all()
    assert len(set(labels_TN.sum(1))) > 1


def test_labels_stay_within_groups_and_entities_within_theirs():
    group = np.repeat([0, 1], 8)
    entity = np.arange(16) // 2
    positive_N = np.isin(entity, [0, 1, 2, 4])
    exchange = exchange_of(positive_N, entities=entity, within=group)
    labels_TN = draw_exchanges(exchange, 99, 0)
    assert exchange.distinct == len(labels_TN) == math.comb(4, 3) * math.comb(4, 1)
    assert (labels_TN[:, :8].sum(1) == 6).all()
    assert not exchange.mirrored


def test_many_labellings_are_drawn_evenly_and_none_twice():
    positive_N = np.arange(12) < 5
    exchange = exchange_of(positive_N, within=np.arange(12) % 2)
    labels_TN = draw_exchanges(exchange, 150, 3)
    assert len(as_set(labels_TN)) == 151
    np.testing.assert_array_equal(draw_exchanges(exchange, 40, 3), labels_TN[:41])
    share_N = draw_exchanges(exchange_of(np.arange(40) < 20), 4000, 1)[1:].mean(0)
    assert np.abs(share_N - 0.5).max() < 4 * 0.5 / np.sqrt(4000)


@pytest.mark.parametrize(
    ("positive", "how", "said"),
    [
        (np.full(6, 0.4), {}, "probability > 0.5"),
        (np.ones(6, bool), {}, r"H0 \(False\) has 0 of 6 rows"),
        (np.arange(6) < 1, {}, r"H1 \(True\) has 1 of 6 rows"),
        (SIX, dict(pairs=list("aabbcc")), "pair a has 2 rows of H1 and 0 of H0"),
        (SIX, dict(pairs=list("abcabd")), "pair c has 1 rows of H1 and 0 of H0"),
        (SIX, dict(pairs=list("abcabc"), within=SIX), "pairs cannot be combined"),
        (SIX, dict(entities=list("abcadd")), "entity a is on both sides; give it as `within`"),
        (SIX, dict(entities=list("aabbcc"), within=[0, 1, 0, 0, 0, 0]), "entity b is on both"),
        (SIX, dict(entities=list("aabccc"), within=[0, 1, 0, 0, 0, 0]), "is in several groups"),
        (SIX, dict(within=SIX), "no other labelling of these rows within groups"),
        (SIX, dict(entities=[0, 0, 0, 1, 1]), "one label for each of 6 rows"),
        (SIX, dict(entities=[0, 0, 0, 1, 1, np.nan]), "missing labels"),
        (SIX, dict(within=["a", None, "b", "a", "b", "b"]), "missing labels"),
    ],
)  # fmt: skip
def test_what_cannot_be_exchanged_is_refused(positive, how, said):
    with pytest.raises(personascan.InputError, match=said):
        exchange_of(positive, **how)


@pytest.mark.parametrize("permutations", [18, 0, True, 9.5, 10**7])
def test_too_few_permutations_are_refused(permutations):
    with pytest.raises(personascan.InputError, match="permutations"):
        draw_exchanges(exchange_of(SIX), permutations, 0)


def test_contrasts_are_centred_within_groups_and_of_length_one():
    group = np.repeat([0, 1, 2], 5)
    labels_TN = draw_exchanges(exchange_of(np.arange(15) % 2 == 0, within=group), 30, 0)
    found_NT = label_contrasts(labels_TN, group)
    np.testing.assert_allclose((found_NT**2).sum(0), 1)
    for number in range(3):
        np.testing.assert_allclose(found_NT[group == number].sum(0), 0, atol=1e-12)
