"""Copies of what can be made again: whole, or made anew with a note, and never half-written."""

import threading

import pytest

import personascan
from personascan.copies import is_whole, keep_copy, make_copy
from personascan.hashes import SEAL, file_sha256


def filler(made: list, text: str = "content"):
    """Fills a copy with one file in a folder, and counts how often."""

    def fill(partial):
        made.append(partial)
        (partial / "inner").mkdir()
        (partial / "inner/file").write_text(text)

    return fill


def test_a_copy_is_made_once(tmp_path):
    made = []
    for _ in range(2):
        assert make_copy(tmp_path / "cache/copy", filler(made)) == tmp_path / "cache/copy"
    assert len(made) == 1
    assert {p.name for p in (tmp_path / "cache").iterdir()} == {"copy"}
    assert {p.name for p in (tmp_path / "cache/copy").iterdir()} == {"inner", SEAL}


@pytest.mark.parametrize("harm", ["change", "remove", "seal"])
def test_a_damaged_copy_is_made_anew_with_a_note(tmp_path, capsys, harm):
    made, copy = [], tmp_path / "copy"
    make_copy(copy, filler(made))
    if harm == "change":
        (copy / "inner/file").write_text("contents")
    else:
        (copy / (SEAL if harm == "seal" else "inner/file")).unlink()
    assert capsys.readouterr().err == ""
    make_copy(copy, filler(made), anew="fetched anew")
    said = capsys.readouterr().err
    assert said.startswith(f"note: {copy} is damaged (")
    assert said.endswith("; fetched anew\n")
    assert (copy / "inner/file").read_text() == "content"
    assert len(made) == 2


def test_hashes_that_are_known_beforehand_need_no_seal(tmp_path):
    (tmp_path / "file").write_text("content")
    hashes = {"inner/file": file_sha256(tmp_path / "file")}
    copy = make_copy(tmp_path / "copy", filler([]), hashes=hashes)
    assert {p.name for p in copy.iterdir()} == {"inner"}
    assert is_whole(copy, hashes)
    (copy / "inner/file").write_text("other")
    assert not is_whole(copy, hashes)
    assert not copy.exists()


def test_what_fails_meanwhile_leaves_nothing(tmp_path):
    def fill(partial):
        (partial / "half").write_text("half")
        raise personascan.InputError("no more")

    with pytest.raises(personascan.InputError, match="no more"):
        make_copy(tmp_path / "cache/copy", fill)
    assert list((tmp_path / "cache").iterdir()) == []


def test_one_makes_what_several_ask_for(tmp_path):
    made, begun = [], threading.Event()

    def fill(partial):
        begun.set()
        second.join(0.2)  # which waits all that time
        filler(made)(partial)

    def ask():
        begun.wait()
        make_copy(tmp_path / "copy", filler(made, "of the second"))

    second = threading.Thread(target=ask)
    second.start()
    make_copy(tmp_path / "copy", fill)
    second.join()
    assert len(made) == 1
    assert (tmp_path / "copy/inner/file").read_text() == "content"


@pytest.mark.parametrize("why", ["a file", "no room"])
def test_what_cannot_be_kept_is_done_without(tmp_path, capsys, why):
    (tmp_path / "file").write_text("")
    folder = tmp_path / ("file/copy" if why == "a file" else "copy")
    keep_copy(folder, filler([]), "trained parameters", 0 if why == "a file" else 2**60)
    said = capsys.readouterr().err
    assert said.startswith("note: trained parameters are not kept (")
    assert said.count("\n") == 1
    assert not folder.exists()
