"""What is compiled: forgotten in time, kept between processes, shared by sizes, and said."""

import os
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

import personascan
from personascan import bars, compilations
from personascan.scan import backgrounds, devices, ranks


@pytest.fixture
def maps(tmp_path, monkeypatch):
    """A process that holds 300 maps of at most so many."""
    held, limit = tmp_path / "maps", tmp_path / "limit"
    held.write_text("7f00-7f01 r-xp\n" * 300)
    monkeypatch.setattr(compilations, "MAPS", held)
    monkeypatch.setattr(compilations, "MAPS_LIMIT", limit)
    return limit


def compiled():
    double = jax.jit(lambda x: x * 2)
    double(3.0)
    assert double._cache_size() == 1
    return double


def test_few_maps_are_left_alone(maps):
    maps.write_text("65530\n")
    double = compiled()
    assert not compilations.make_room()
    assert double._cache_size() == 1


def test_near_the_limit_everything_is_compiled_anew(maps):
    maps.write_text("1000\n")
    double = compiled()
    assert compilations.make_room()
    assert double._cache_size() == 0
    assert double(4.0) == 8


def test_a_system_without_the_limit_is_left_alone(maps):
    double = compiled()
    assert not compilations.make_room()
    assert double._cache_size() == 1


def planted(rows: int, nodes: int = 40):
    rng = np.random.default_rng(rows)
    background, evaluation = rng.normal(size=(40, nodes)), rng.normal(size=(rows, nodes))
    evaluation[: rows // 3, : nodes // 4] += 1.5
    return background, evaluation


@pytest.mark.parametrize("tail", ["signed", "two"])
@pytest.mark.slow
def test_padding_changes_no_number_and_saves_compilations(monkeypatch, tail):
    """Sizes between two steps of `rounded_size` share a program, whose answers are those alone."""
    compiled = devices.search._cache_size()
    padded = [personascan.group_scan(*planted(rows), tail=tail) for rows in (29, 30, 31)]
    assert devices.search._cache_size() == compiled + 1
    for module in (ranks, devices, backgrounds):
        monkeypatch.setattr(module, "rounded_size", lambda size: size)
    alone = personascan.group_scan(*planted(30), tail=tail)
    assert alone.record() == padded[1].record()


def test_sizes_are_rounded_to_few():
    sizes = [ranks.rounded_size(size) for size in range(1, 1025)]
    assert all(rounded >= size for size, rounded in enumerate(sizes, 1))
    assert all(rounded <= max(16, 1.25 * size) for size, rounded in enumerate(sizes, 1))
    assert len(set(sizes)) < 30


def test_a_first_compilation_is_said_after_a_while_and_never_again(monkeypatch, capfd):
    monkeypatch.setattr(compilations, "NOTICE_SECONDS", 0)
    monkeypatch.setattr(compilations, "compiled_keys", set())
    for _ in range(2):
        with compilations.notice("a key", "a scan of 3 rows x 4 nodes"):
            time.sleep(0.2)
    assert capfd.readouterr().err.count("note: a scan of 3 rows x 4 nodes is compiled") == 1
    with bars.hidden(), compilations.notice("another", "a scan"):
        time.sleep(0.1)
    assert not capfd.readouterr().err


@pytest.mark.slow
def test_a_process_keeps_what_it_compiles_without_being_asked(tmp_path):
    """A library call alone fills the user's cache, and the next process compiles nothing."""
    code = (
        "import jax, numpy as np, personascan\n"
        "jax.jit(lambda x: x + 1)(1)\n"  # a program of the user's, before any of ours
        "seen = []\n"
        "jax.monitoring.register_event_listener(lambda event, **_: seen.append(event))\n"
        "rows = np.random.default_rng(0).normal(size=(30, 8))\n"
        "personascan.group_scan(rows[:15], rows[15:])\n"
        "print(sum('cache_hits' in event for event in seen))\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    environment["PERSONASCAN_CACHE"] = str(tmp_path)
    hits = [
        int(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                           text=True, check=True).stdout)
        for _ in range(2)
    ]  # fmt: skip
    assert hits[0] == 0
    assert hits[1] >= 1
    assert list((tmp_path / "compiled").glob("*-cache"))
