import numpy as np

from personascan.analysis.rates import precision_recall
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
