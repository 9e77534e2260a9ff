"""What is compiled is forgotten before a process holds more than the system lets it."""

import jax
import pytest

from personascan import compilations


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
