"""Rows given as labels, such as statements, say what sides, pairs and entities would."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import personascan
from personascan.sources.rows_record import RECORD

ROWS = 40
POSITIVE = np.arange(ROWS) % 2 == 0
POOL = np.random.default_rng(0).normal(size=(2, ROWS, 6))
POOL[1, POSITIVE] += 0.5
PLAIN = personascan.load_statements(
    [{"text": f"text {i}", "direction": "+" if POSITIVE[i] else "-"} for i in range(ROWS)]
)
PAIRS = [f"question {i // 2}" for i in range(ROWS)]
ENTITIES = [f"thing {i % 2} {i // 4}" if i < 30 else "" for i in range(ROWS)]  # some of their own
OWN = [name or f"row {i}" for i, name in enumerate(ENTITIES)]


def given(name, values):
    return [replace(row, **{name: value}) for row, value in zip(PLAIN, values, strict=True)]


def test_locate_exchanges_labels_as_the_rows_say():
    fours = [f"question {i // 4}" for i in range(ROWS)]
    for rows, how in (
        (PLAIN, {}),
        (given("pair", PAIRS), {"pairs": PAIRS}),
        (given("pair", fours), {"within": fours}),
        (given("entity", ENTITIES), {"entities": OWN}),
        (tuple(given("entity", ENTITIES)), {"entities": OWN}),
    ):
        found = personascan.locate(POOL, rows, permutations=19)
        expected = personascan.locate(POOL, POSITIVE, permutations=19, **how)
        np.testing.assert_array_equal(found.values_PT, expected.values_PT)
        assert str(found.exchange) == str(expected.exchange)
    found = personascan.locate(POOL, given("pair", PAIRS), entities=OWN, permutations=19)
    assert found.exchange.kind == "entities"  # what is given counts


def test_what_keeps_clusters_together_takes_them_from_the_rows():
    rows, number = given("entity", ENTITIES), np.unique(OWN, return_inverse=True)[1]
    samples = personascan.SampleOptions(8, 4, 4, runs=3)
    masks = personascan.draw_samples(POSITIVE, samples, 0, number)
    drawn = personascan.draw_samples(rows, samples, 0)
    clusters = np.unique([name or f"\0{i}" for i, name in enumerate(ENTITIES)], return_inverse=True)
    expected = personascan.draw_samples(POSITIVE, samples, 0, clusters[1])
    np.testing.assert_array_equal(drawn, expected)
    assert np.shape(drawn) == np.shape(masks)
    for background_N, evaluation_N in zip(*drawn, strict=True):
        assert not set(number[background_N]) & set(number[evaluation_N & ~POSITIVE])
    one = personascan.detect(POOL[1], rows)
    other = personascan.detect(POOL[1], personascan.Labels(POSITIVE, clusters[1]))
    assert (one.auroc, one.auroc_low) == (other.auroc, other.auroc_low)
    options = personascan.SeparationOptions(seeds=1, folds=3)
    one = personascan.place_separation(POOL[1], rows, options)
    assert one == personascan.place_separation(POOL[1], POSITIVE, options, 0, clusters[1])
    texts = [row.text for row in rows]
    assert personascan.bag_of_words_accuracy(
        texts, rows, seed=0, repeats=1
    ) == personascan.bag_of_words_accuracy(
        texts, POSITIVE, seed=0, repeats=1, clusters_N=clusters[1]
    )


def test_written_rows_keep_the_pairs_of_statements(tmp_path):
    for rows, name, values in (
        (given("pair", PAIRS), "pairs", PAIRS),
        (given("entity", ENTITIES), "entities", ENTITIES),
    ):
        folder = personascan.write_rows(tmp_path / name, {"a": POOL[0]}, rows)
        record = json.loads((Path(folder) / RECORD).read_text())
        assert record["positive"] == POSITIVE.tolist()
        assert record[name] == values


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([*PLAIN[:-1], True], "positive: row 39 is 'True', and others are rows with a side"),
        (given("pair", [*PAIRS[:-1], ""]), "row 39 has no pair, and others have"),
        (given("pair", [*PAIRS[:-1], "x"]), "pair question 19 has rows on one side alone .2 such"),
        (given("entity", PAIRS), "question 0 is on both sides"),
        (["yes"] * ROWS, "^positive must hold real numbers"),
        (np.arange(ROWS), "^positive needs one label for each row"),
        (PLAIN[:-1], "place 0 of the pool has 40 rows and there are 39 labels"),
    ],
)
def test_labels_that_are_none_are_refused_by_the_name_of_the_argument(labels, said):
    with pytest.raises(personascan.InputError, match=said):
        personascan.locate(POOL, labels, permutations=19)


def test_labels_of_detect_are_refused_by_their_own_name():
    with pytest.raises(personascan.InputError, match=r"^labels needs one label for each row"):
        personascan.detect(POOL[0], np.arange(ROWS))


def test_scans_refuse_pairs_and_entities_of_both_sides():
    samples = personascan.SampleOptions(8, 4, 4, runs=3)
    with pytest.raises(personascan.InputError, match="in pairs, inside which calibrate cannot"):
        personascan.calibrate(POOL, given("pair", PAIRS), samples)
    with pytest.raises(personascan.InputError, match="the entity question 0 is on both sides"):
        personascan.calibrate(POOL, given("entity", PAIRS), samples)


def test_rows_that_were_not_extracted_in_this_order_are_refused():
    ids = [row.id for row in PLAIN]
    activations = personascan.Activations(
        {("resid_post", "last"): POOL[1:]}, ids, {"resid_post": ["resid_post 0"]}, np.arange(41)
    )
    assert personascan.locate(activations, PLAIN, permutations=19).p_family.size == 1
    with pytest.raises(personascan.InputError, match=r"^positive: row 0 is .* in their order"):
        personascan.locate(activations, PLAIN[::-1], permutations=19)
