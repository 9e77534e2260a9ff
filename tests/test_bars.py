"""Bars of progress: what they say of the time that is left, and when they say nothing."""

import numpy as np
import pytest

from personascan.bars import Bar, Pace, duration, timed_soon
from personascan.workers import in_processes


def test_nothing_is_said_before_units_are_timed():
    pace = Pace(["where"] * 1572, processes=2)
    pace.add("where", 3.3)  # a compilation: as an estimate, an hour and a half
    assert pace.words() == ""
    for _ in range(2):
        pace.add("where", 0.04)
    assert pace.words() == ""


def test_what_waited_for_a_compilation_is_not_counted():
    pace = Pace(["where"] * 1004, processes=2)
    for seconds in (3.3, 0.04, 3.1, 0.04):
        pace.add("where", seconds)
    assert pace.of_kind("where") == pytest.approx(0.04)
    assert pace.words() == "about 20 s more"


def test_kinds_that_were_not_timed_make_it_a_bound():
    pace = Pace([*["where"] * 103, *["detection"] * 10], processes=1)
    for seconds in (9.0, 1.0, 1.0):
        pace.add("where", seconds)
    assert pace.words() == "at least 100 s more"
    for _ in range(92):
        pace.add("where", 1.0)
    assert pace.words() == ""  # most of what is left is detection
    for _ in range(8):
        pace.add("where", 1.0)
    for seconds in (5.0, 2.0, 2.0):
        pace.add("detection", seconds)
    assert pace.words() == "about 14 s more"


def test_some_units_of_every_kind_come_first():
    kinds = [*"a" * 6, *"b" * 5, "c"]
    order = timed_soon(list(range(12)), kinds, processes=2)
    assert sorted(order) == list(range(12))
    assert order == [0, 1, 2, 3, 6, 7, 8, 9, 11, 4, 5, 10]


def test_a_bar_shows_counts_and_the_time_that_is_known(capsys):
    with Bar("places", "units", ["a"] * 5, 1) as bar:
        for _ in range(4):
            bar.finish("a", 7.0)
    shown = capsys.readouterr().err
    assert "places: " in shown
    assert "4/5 units [" in shown
    assert "about 7 s more" in shown
    assert "?" not in shown


def test_calls_in_processes_are_counted_by_kind(capsys):
    kinds = ["a", "a", "b", "b"]
    assert in_processes(np.square, [(n,) for n in range(4)], 1, "work", "calls", kinds) == [
        0, 1, 4, 9,
    ]  # fmt: skip
    assert "4/4 calls [" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (600, "10 min"), (9000, "2.5 h")]
)
def test_durations_are_in_the_unit_that_a_person_reads(seconds, text):
    assert duration(seconds) == text
