"""Rows that belong together: permuted as one, never both background and scanned, in one half."""

import itertools

import numpy as np
import pytest

import personascan
from personascan.analysis.detection import DetectionOptions, Labels, detect
from personascan.analysis.localisation import in_half
from personascan.analysis.personas import persona_separation
from personascan.analysis.separation import SeparationOptions, place_separation
from personascan.analysis.wording import bag_of_words_accuracy
from personascan.calibration.cluster_labellings import check_exchange, count_labellings
from personascan.calibration.scan_labellings import draw_labellings
from personascan.scan.options import ScanOptions
from personascan.scan.samples import SampleOptions, draw_samples

SAMPLES = SampleOptions(background=12, clean=6, positive=6, runs=40)
# 20 clusters of 3 rows and 10 of 2; every second one is H1.
CLUSTERS = np.concatenate([np.repeat(np.arange(20), 3), np.repeat(np.arange(20, 30), 2)])
POSITIVE = CLUSTERS % 2 == 0


def clusters(mask):
    return set(CLUSTERS[mask].tolist())


@pytest.mark.parametrize("redraw", [True, False])
def test_no_cluster_is_both_expected_and_scanned(redraw):
    samples = SampleOptions(12, 6, 6, 40, redraw)
    background_RN, evaluation_RN = draw_samples(POSITIVE, samples, 3, CLUSTERS)
    spread = []
    for background, evaluation in zip(background_RN, evaluation_RN, strict=True):
        assert not clusters(background) & clusters(evaluation)
        assert (background.sum(), (evaluation & POSITIVE).sum()) == (12, 6)
        assert (evaluation & ~POSITIVE).sum() == 6
        spread.append(len(clusters(background)))
    assert np.mean(spread) > 7  # of 15 that H0 has: four would be enough
    assert (len(np.unique(background_RN, axis=0)) > 1) == redraw


def test_a_half_may_have_more_cluster_numbers_than_rows():
    """The draws of clusters are of those that are there, whatever their numbers."""
    known = draw_samples(POSITIVE, SAMPLES, 3, CLUSTERS)
    np.testing.assert_array_equal(draw_samples(POSITIVE, SAMPLES, 3, CLUSTERS + 1000), known)


def test_labels_move_between_clusters_of_any_size():
    labels_TN = draw_labellings(POSITIVE, SAMPLES, 50, 0, CLUSTERS).labels_TN
    assert (labels_TN[0] == POSITIVE).all()
    first = np.unique(CLUSTERS, return_index=True)[1]
    for labels in labels_TN:
        np.testing.assert_array_equal(labels, labels[first][CLUSTERS])
        assert labels[first].sum() == 15
    assert len(set(labels_TN.sum(1).tolist())) > 3  # rows of H1
    assert len(np.unique(labels_TN, axis=0)) == 51
    # Each cluster is H1 about half of the time.
    share = labels_TN[1:].mean(0)
    assert 0.25 < share.min() < share.max() < 0.75
    fewer = draw_labellings(POSITIVE, SAMPLES, 20, 0, CLUSTERS).labels_TN
    np.testing.assert_array_equal(fewer, labels_TN[:21])


UNEQUAL = np.repeat(np.arange(6), [2, 3, 4, 5, 6, 7])  # no two clusters of one size
SIDES = np.isin(UNEQUAL, [0, 3, 4])
SMALL = SampleOptions(background=4, clean=2, positive=8, runs=4)


def every_labelling(samples):
    """By hand: choices of three clusters whose sides can give the samples."""
    sizes = np.bincount(UNEQUAL)
    found = []
    for chosen in itertools.combinations(range(6), 3):
        h1 = sizes[list(chosen)].sum()
        if h1 > samples.positive and 27 - h1 >= samples.background + samples.clean + 6:
            found.append(np.isin(UNEQUAL, chosen))
    return np.unique(found, axis=0)


def test_all_distinct_labellings_are_counted_and_can_be_drawn():
    every = every_labelling(SMALL)
    assert count_labellings(SIDES, SMALL, UNEQUAL) == (len(every), True)
    assert 10 < len(every) < 20
    drawn = draw_labellings(SIDES, SMALL, len(every) - 1, 0, UNEQUAL).labels_TN
    np.testing.assert_array_equal(np.unique(drawn, axis=0), every)


@pytest.mark.parametrize("sizes", [[1] * 12, [1, 2] * 6, [2, 7, 3, 3, 9, 4]])
def test_labellings_are_counted_as_by_hand(sizes):
    samples, sizes = SampleOptions(2, 1, 3, 4), np.array(sizes)
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    positive = numbers % 3 == 0
    h1 = [
        sizes[list(chosen)].sum()
        for chosen in itertools.combinations(range(len(sizes)), len(set(numbers[positive])))
    ]
    fits = [3 < rows <= len(numbers) - 3 - (sizes.max() - 1) for rows in h1]
    assert count_labellings(positive, samples, numbers).number == sum(fits)


def test_too_few_labellings_are_refused_with_their_number():
    number = len(every_labelling(SMALL))
    said = rf"6 entities have {number} distinct.*at most {number - 1} \(no p is then below"
    with pytest.raises(personascan.InputError, match=said):
        draw_labellings(SIDES, SMALL, number, 0, UNEQUAL)
    three = np.repeat([0, 1, 2], [12, 9, 10])
    with pytest.raises(personascan.InputError, match="labels of 3 entities cannot be exchanged"):
        check_exchange(three == 0, SampleOptions(1, 1, 10, 4), 5, three)
    with pytest.raises(personascan.InputError, match="6 rows have 20 distinct labellings"):
        draw_labellings(np.arange(6) < 3, SampleOptions(1, 1, 2, 4), 20, 0)


def test_many_clusters_are_counted_up_to_a_bound():
    numbers = np.repeat(np.arange(300), 2)
    assert str(count_labellings(numbers % 2 == 0, SAMPLES, numbers)) == "at least 1,000,000"


def test_rows_of_a_cluster_with_both_labels_cannot_be_permuted():
    with pytest.raises(personascan.InputError, match="have both labels"):
        draw_labellings(np.arange(80) % 2 == 0, SAMPLES, 5, 0, CLUSTERS)


def test_a_cluster_is_in_one_half():
    strata = np.where(POSITIVE, "+", "-")
    half_N = in_half(strata, 5, CLUSTERS)
    assert all(len(set(half_N[np.equal(CLUSTERS, c)].tolist())) == 1 for c in range(30))
    assert 32 <= half_N.sum() <= 48


def test_samples_leave_room_for_the_largest_cluster():
    # 40 H0 rows: 35 and 4 leave one, where a cluster of three may lose two.
    with pytest.raises(personascan.InputError, match=r"40 H0 rows \(up to 3 of them stay together"):
        draw_samples(POSITIVE, SampleOptions(35, 4, 6, 40), 3, CLUSTERS)
    draw_samples(POSITIVE, SampleOptions(34, 4, 6, 40), 3, CLUSTERS)


def test_what_only_clusters_share_is_no_signal():
    """Rows that repeat within their cluster, at random otherwise: held out by cluster, chance."""
    rng = np.random.default_rng(0)
    found = {"together": [], "apart": []}
    samples = SeparationOptions(seeds=1, folds=4)
    for seed in range(12):
        rows = rng.normal(size=(30, 60))[CLUSTERS] + 0.01 * rng.normal(size=(80, 60))
        for name, numbers in (("together", CLUSTERS), ("apart", None)):
            probe = place_separation(rows, POSITIVE, samples, seed, numbers).mean["probe_auroc"]
            found[name].append(probe)
    assert np.mean(found["apart"]) > 0.85
    assert abs(np.mean(found["together"]) - 0.5) < 3 * np.std(found["together"]) / np.sqrt(12)


def test_words_that_only_clusters_share_tell_nothing():
    names = [f"name{chr(97 + c % 26)}{c}" for c in CLUSTERS]
    texts = [f"{name} is a city" for name in names]
    apart, _ = bag_of_words_accuracy(texts, POSITIVE, seed=0)
    together, _ = bag_of_words_accuracy(texts, POSITIVE, seed=0, clusters_N=CLUSTERS)
    assert apart > 0.9
    assert together < 0.7


@pytest.mark.parametrize("sizes", [[3] * 20 + [2] * 10, [1, 2, 3, 4, 5] * 6])
def test_permutation_p_is_uniform_where_clusters_alone_differ(sizes):
    """Rows repeat within clusters: p of single rows would be small far too often."""
    samples = SampleOptions(background=12, clean=6, positive=6, runs=4)
    rng, numbered = np.random.default_rng(1), np.repeat(np.arange(30), sizes)
    p = {"together": [], "apart": []}
    for seed in range(60):
        rows = (rng.normal(size=(30, 8))[numbered]).astype(np.float32)
        positive = rng.permutation(np.arange(30) < 15)[numbered]
        for name, numbers in (("together", numbered), ("apart", None)):
            labels_TN = draw_labellings(positive, samples, 39, seed, numbers).labels_TN
            # A statistic that any scan resembles: how far apart the means of the sides lie.
            means = [np.abs(rows[h1].mean(0) - rows[~h1].mean(0)).sum() for h1 in labels_TN]
            p[name].append(np.mean(np.array(means) >= means[0]))
    few = {name: np.mean(np.array(values) <= 0.1) for name, values in p.items()}
    assert few["together"] <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 60)
    assert few["apart"] > 0.3


def test_fewer_clusters_than_folds_are_no_constant_place():
    """Rows alone would do for the folds; a fold without a side has no AUROC."""
    numbers = np.repeat(np.arange(8), 10)
    rows = np.random.default_rng(0).normal(size=(80, 6)) + (numbers % 2)[:, None]
    with pytest.raises(personascan.InputError, match=r"4 entities of H1 and 4 of H0.*for 5 folds"):
        place_separation(rows, numbers % 2 == 0, SeparationOptions(seeds=1), 0, numbers)
    found = place_separation(
        rows, numbers % 2 == 0, SeparationOptions(seeds=1, folds=4), 0, numbers
    )
    assert found.mean["probe_auroc"] > 0.8


def test_words_and_backgrounds_count_clusters_too():
    numbers = np.repeat(np.arange(3), 10)
    texts = [f"word {n} here" for n in numbers]
    with pytest.raises(personascan.InputError, match="two entities a direction"):
        bag_of_words_accuracy(texts, numbers == 0, seed=0, clusters_N=numbers)
    with pytest.raises(personascan.InputError, match="rows of every entity of H0"):
        detect(
            np.zeros((30, 2)), Labels(numbers > 0, np.minimum(numbers, 1)),
            DetectionOptions(splits=1, draw=False), (ScanOptions(),), 0,
        )  # fmt: skip


def test_personas_are_told_from_one_another_by_rows_of_other_entities():
    """Rows repeat within entities and tell nothing of personas: only a row's copies do."""
    numbers, rng = np.repeat(np.arange(16), 4), np.random.default_rng(0)
    rows, personas = rng.normal(size=(16, 5))[numbers], np.where(numbers < 8, "a", "b")
    apart = persona_separation(rows, personas, 0, folds=4)
    together = persona_separation(rows, personas, 0, folds=4, clusters_N=numbers)
    assert apart.accuracy > 0.95 > 0.75 > together.accuracy
    with pytest.raises(personascan.InputError, match="has 8 entities, fewer than the 10 folds"):
        persona_separation(rows, personas, 0, clusters_N=numbers)
