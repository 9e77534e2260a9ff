import itertools

import numpy as np
import pytest

from personascan.analysis.detection import precision_recall
from personascan.analysis.overlaps import chance_interval, exclusive_counts, overlaps
from personascan.analysis.wording import bag_of_words_accuracy

POSITIVE = np.arange(60) < 30


def test_precision_and_recall():
    evaluation = np.zeros((3, 60), bool)
    evaluation[:, 25:35] = True  # five positives, five others
    returned = np.zeros((3, 60), bool)
    returned[0, 28:33] = True  # two positives of five rows
    returned[1, 25:30] = True
    precision, recall = precision_recall(returned, evaluation, POSITIVE)
    np.testing.assert_allclose(precision, [0.4, 1.0, np.nan])
    np.testing.assert_allclose(recall, [0.4, 1.0, 0.0])


def test_bag_of_words_knows_wording_only():
    plain = [
        f"I like the {w}"
        for w in ["sea", "sun", "moon", "wind", "rain", "hill", "lake", "road", "wood", "town"]
    ] * 2
    label = np.repeat([True, False], 10)
    assert bag_of_words_accuracy(plain, label, seed=0)[0] <= 0.5
    marked = [t + (" gladly" if side else "") for t, side in zip(plain, label, strict=True)]
    assert bag_of_words_accuracy(marked, label, seed=0)[0] == 1.0


def test_overlaps_against_chance():
    nodes = np.arange(20)
    sets = {"a": nodes < 10, "b": (nodes >= 5) & (nodes < 15), "c": nodes == 7}
    found = {o.names: (o.observed, o.expected, o.exclusive) for o in overlaps(sets)}
    assert found == {
        ("a", "b"): (5, pytest.approx(5.0), 4),
        ("a", "c"): (1, pytest.approx(0.5), 0),
        ("b", "c"): (1, pytest.approx(0.5), 0),
        ("a", "b", "c"): (1, pytest.approx(0.25), 1),
    }
    assert exclusive_counts(sets) == {("a",): 5, ("b",): 5, ("a", "b"): 4, ("a", "b", "c"): 1}


def test_the_interval_of_chance_holds_95_percent_of_all_pairs_of_sets():
    """Every set of 4 of 12 nodes beside a fixed set of 5."""
    shared = np.array([len(set(s) & set(range(5))) for s in itertools.combinations(range(12), 4)])
    low, high = chance_interval(5, 4, 12)
    assert (shared < low).mean() <= 0.025 <= (shared <= low).mean()
    assert (shared > high).mean() <= 0.025 <= (shared >= high).mean()
