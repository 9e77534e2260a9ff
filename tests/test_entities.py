"""What a study says and refuses of entities before anything is computed."""

from types import SimpleNamespace

import numpy as np
import pytest

import personascan
from personascan.calibration.label_exchange import exchange_of
from personascan.report.page import left_out_sentence
from personascan.report.sections.exchanged import exchanged_sentence
from personascan.sources.base import Terms
from personascan.study.comparisons import LeftOut
from personascan.study.config import StudyConfig
from personascan.study.opening import open_study

POSITIVE = np.arange(80) < 40


def opened(place, each, **changes):
    """A study of 80 rows, so many of them an entity."""
    entities = [f"{'a' if p else 'b'}{i // each}" for i, p in enumerate(POSITIVE)]
    rows = np.random.default_rng(0).normal(size=(80, 3))
    folder = personascan.write_rows(place / "rows", {"layer": rows}, POSITIVE, entities=entities)
    asked = {
        "rows": (folder,), "out": str(place / "out"), "separation": {"folds": 2},
        "runs": {"background": 10, "clean": 4, "positive": 4, "runs": 6},
        "scan": {"places": ("layer",), "permutations": 39},
    }  # fmt: skip
    return open_study(StudyConfig.from_dict(personascan.recipe(**asked | changes)))


def test_entities_that_cannot_be_exchanged_so_often_are_refused_at_once(tmp_path):
    opened(tmp_path, 10)  # four of each side: 70 labellings
    with pytest.raises(personascan.InputError, match="positive: 8 entities have 70 distinct"):
        opened(tmp_path, 10, scan={"places": ("layer",), "permutations": 70})
    opened(tmp_path, 10, scan={"places": ("layer",), "permutations": 0})


def test_the_halves_that_choose_a_place_are_looked_at_as_they_are(tmp_path):
    runs = {"background": 6, "clean": 4, "positive": 6, "runs": 6}
    halves = {"places": ("chosen",), "permutations": 5}
    opened(tmp_path, 10, runs=runs, scan=halves)
    said = "of half A of the rows, which chooses a place, 4 entities have 6 distinct labellings"
    with pytest.raises(personascan.InputError, match=said):
        opened(tmp_path, 10, runs=runs, scan=halves | {"permutations": 6})


def test_entities_are_enough_for_the_folds_or_refused_at_once(tmp_path):
    with pytest.raises(personascan.InputError, match="4 entities of H1 and 4 of H0 are too few"):
        opened(tmp_path, 10, separation={"folds": 5})


def part_of(**changes):
    return SimpleNamespace(terms=Terms(), **{"left_out": {}, "entities": {}, **changes})


def test_a_page_counts_the_rows_that_were_left_out():
    assert left_out_sentence(part_of(left_out={"calm": LeftOut()})) == ""
    said = left_out_sentence(part_of(left_out={"calm": LeftOut((3, 4), (0, 2)), "x": LeftOut()}))
    assert "3 H1 and 4 H0 rows of calm, whose entity" in said
    assert "0 H1 and 2 H0 rows of calm, beyond the limit" in said
    many = {f"p{i}": LeftOut((1000, 1)) for i in range(9)}
    assert "9,009 rows of 9 comparisons, whose entity" in left_out_sentence(part_of(left_out=many))


def test_a_page_says_how_many_labellings_there_are():
    assert exchanged_sentence(part_of()) == ""
    entity = np.arange(32) // 2
    exchange = exchange_of(entity < 8, entities=entity)
    said = exchanged_sentence(part_of(entities={"calm": (16, exchange)}))
    assert "calm 12,870 of 16 entities" in said
    many = {f"p{i}": (16, exchange) for i in range(8)}
    few = {"p8": (6, exchange_of(entity[:12] < 3, entities=entity[:12]))}
    assert "the fewest are 20, of 6 entities, for p8" in exchanged_sentence(
        part_of(entities=many | few)
    )
