"""What is read again is checked again: an input that was changed meanwhile ends in one line."""

import pathlib
from types import SimpleNamespace

import numpy as np
import pytest

import personascan
from personascan.hashes import file_sha256
from personascan.sources.arrays import open_rows
from personascan.sources.images import workshop as image_workshop
from personascan.sources.images.options import ImageOptions
from personascan.sources.language import source as language
from personascan.study import node_sets, opening
from personascan.study.rows import StoredRows, activations_unit
from personascan.study.run import extract_group
from personascan.study.store import Store, read_stored
from personascan.study.units import Unit

POSITIVE = np.arange(6) > 2
UNIT = Unit("null", {"seed": 0})


@pytest.fixture
def store(tmp_path):
    """A store with one finished unit."""
    found = Store(tmp_path / "units")
    found.write(UNIT, {"a": 1}, {"rows": np.arange(12.0).reshape(6, 2), "b": np.zeros(0)}, 0.1)
    return found


def flip(path: pathlib.Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_rows_that_are_rewritten_are_not_stored_as_those_that_were_hashed(tmp_path):
    rows = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)
    source = open_rows(personascan.write_rows(tmp_path / "rows", {"a": rows}, POSITIVE))
    personascan.write_rows(tmp_path / "rows", {"a": rows + 1}, POSITIVE)
    store, (place,) = Store(tmp_path / "units"), source.places
    with pytest.raises(personascan.InputError, match=r"0\.npy has changed since it was first read"):
        extract_group(store.folder, source, "positive", [place])
    assert not store.has(activations_unit(source, "positive", place))
    assert not list(store.folder.rglob("*.npy"))
    personascan.write_rows(tmp_path / "rows", {"a": rows}, POSITIVE)
    extract_group(store.folder, source, "positive", [place])
    kept = store.read(activations_unit(source, "positive", place)).arrays["rows"]
    np.testing.assert_array_equal(kept, rows)


def test_a_unit_is_checked_whenever_it_is_read(store):
    path = store.array_path(UNIT, "rows")
    rows = StoredRows(((str(path), np.array([1, 0])),), (UNIT.key,), (2, 2))
    np.testing.assert_array_equal(rows.array(), [[2, 3], [0, 1]])
    assert store.read(UNIT).arrays["b"].size == 0
    flip(path)
    for read in (rows.array, lambda: read_stored(path), lambda: store.read(UNIT)):
        with pytest.raises(personascan.InputError, match=r"rows\.npy is not as it was written"):
            read()
    path.unlink()
    for read in (rows.array, lambda: store.read(UNIT)):
        with pytest.raises(personascan.InputError, match="run the study's command again"):
            read()


def test_a_record_that_was_changed_vouches_for_nothing(store):
    record = store.record_path(UNIT)
    record.write_text(record.read_text().replace(file_sha256(store.array_path(UNIT, "rows")), "0"))
    with pytest.raises(personascan.InputError, match=r"json is not as it was written"):
        read_stored(store.array_path(UNIT, "rows"))


@pytest.mark.parametrize("content", [b"", None])
def test_a_status_does_not_count_arrays_that_are_empty_or_cut_short(store, content):
    path = store.array_path(UNIT, "rows")
    assert store.seems_whole(UNIT)
    path.write_bytes(path.read_bytes()[:-8] if content is None else content)
    assert not store.seems_whole(UNIT)
    path.unlink()
    assert not store.seems_whole(UNIT)


def test_a_model_whose_files_were_changed_is_not_taken_for_the_one_that_was_hashed(monkeypatch):
    files = {"model.safetensors": "1"}
    model = SimpleNamespace(files=dict(files))
    monkeypatch.setattr(language, "load_model", lambda *_, **__: model)
    language.load_cached.cache_clear()
    content = language.content_sha256(files)
    reader = language.Reader("m", "float32", "", None, 0, content)
    assert reader.model() is model
    changed = SimpleNamespace(files={"model.safetensors": "2"})
    monkeypatch.setattr(language, "load_model", lambda *_, **__: changed)
    assert reader.model() is model  # still in memory, and still the right one
    other = language.Reader("m", "float32", "", None, 0, language.content_sha256(changed.files))
    assert other.model() is changed  # a later study of the same process sees the new files
    with pytest.raises(personascan.InputError, match="files of m have changed"):
        reader.model()
    language.load_cached.cache_clear()


def test_images_and_directions_that_were_changed_are_refused(tmp_path, monkeypatch):
    workshop = image_workshop.Workshop(ImageOptions(data="digits"))
    monkeypatch.setattr(image_workshop, "image_files", lambda _: {"digits.csv.gz": "another"})
    with pytest.raises(personascan.InputError, match="images of digits have changed"):
        workshop.images("test")
    path = tmp_path / "d.safetensors"
    path.write_text("later")
    monkeypatch.setattr(node_sets, "read_direction", lambda *_, **__: None)
    reader = SimpleNamespace(model=lambda: SimpleNamespace(config=None, sha256=""))
    with pytest.raises(personascan.InputError, match="has changed since it was first read"):
        node_sets.unchanged_direction(str(path), "0" * 64, reader)
    assert node_sets.unchanged_direction(str(path), file_sha256(path), reader) is None


def test_statements_that_change_while_they_are_read_are_refused(monkeypatch):
    hashes = iter([{"a.jsonl": "1"}, {"a.jsonl": "2"}])
    monkeypatch.setattr(opening, "statements_sha256", lambda _: next(hashes))
    monkeypatch.setattr(opening, "open_sources", lambda _: [])
    with pytest.raises(personascan.InputError, match="has changed while it was read"):
        opening.open_study(SimpleNamespace(statements="a.jsonl", tables="csv"))
