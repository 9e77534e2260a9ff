"""GGUF files in shards, and with more tokens than rows."""

import functools
import shutil

import gguf
import jax
import pytest
from tiny_models import write_tiny_gguf

import personascan

STATEMENT = personascan.Statement("s1", "a th b", "p", "", True, 1.0, "")


@pytest.fixture
def shards(tmp_path, monkeypatch):
    """A tiny model as one file and in shards; the folder."""
    write_tiny_gguf(tmp_path / "whole.gguf")
    split = functools.partial(gguf.GGUFWriter, split_max_tensors=4)
    monkeypatch.setattr(gguf, "GGUFWriter", split)
    write_tiny_gguf(tmp_path / "m.gguf")
    assert len(list(tmp_path.glob("m-*-of-*.gguf"))) == 3
    return tmp_path


def same(a, b):
    return all(jax.tree.leaves(jax.tree.map(lambda x, y: bool((x == y).all()), a.params, b.params)))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_any_part_stands_for_all(shards, number):
    whole = personascan.load_model(str(shards / "whole.gguf"), cache=False)
    model = personascan.load_model(str(shards / f"m-0000{number}-of-00003.gguf"), cache=False)
    assert same(model, whole)
    assert model.tokenizer("a th b").input_ids == whole.tokenizer("a th b").input_ids
    assert len(model.files) == 3


def test_missing_and_mixed_parts_are_named(shards):
    first, second, third = (shards / f"m-0000{i}-of-00003.gguf" for i in (1, 2, 3))
    third.rename(shards / "aside")
    missing = r"one of the 3 shards of a split file, and others are missing: m-00003-of-00003\.gguf"
    for given in (first, second):
        with pytest.raises(personascan.InputError, match=missing):
            personascan.load_model(str(given), cache=False)
    shutil.copy(second, third)
    with pytest.raises(personascan.InputError, match="is not shard 3 of 3"):
        personascan.load_model(str(first), cache=False)
    first.rename(shards / "renamed.gguf")
    with pytest.raises(personascan.InputError, match="one of the 3 shards of a split file"):
        personascan.load_model(str(shards / "renamed.gguf"), cache=False)


def test_a_token_beyond_the_rows_is_refused(tmp_path, monkeypatch):
    """The tokenizer of the file knows one more than the embedding."""
    add = gguf.GGUFWriter.add_token_list
    types = gguf.GGUFWriter.add_token_types
    monkeypatch.setattr(
        gguf.GGUFWriter, "add_token_list", lambda self, tokens: add(self, [*tokens, "<persona>"])
    )
    monkeypatch.setattr(
        gguf.GGUFWriter, "add_token_types", lambda self, kinds: types(self, [*kinds, 4])
    )
    write_tiny_gguf(tmp_path / "m.gguf")
    model = personascan.load_model(str(tmp_path / "m.gguf"), cache=False)
    personascan.extract(model, [STATEMENT], progress=False)
    evil = personascan.Statement("s2", "a <persona> b", "p", "", True, 1.0, "")
    with pytest.raises(personascan.InputError, match="s2 has the token '<persona>' with id 260"):
        personascan.extract(model, [STATEMENT, evil], progress=False)
