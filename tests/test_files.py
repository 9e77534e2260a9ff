"""What is written appears whole, by one writer at a time; what is stored is checked when read."""

import errno
import multiprocessing
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny_models import save_tiny_llama, write_tiny_gguf

import personascan
from personascan.files import hold, hold_folder, partial_of, sweep, whole_file, whole_folder
from personascan.hashes import SEAL, cached_sha256, damaged_files, file_sha256, seal
from personascan.models import parameter_cache

HOLDER = """
import pathlib, sys, time
from personascan.files import partial_of
with partial_of(pathlib.Path(sys.argv[1]), folder=True) as partial:
    (partial / "half").write_text("half")
    print("held", flush=True)
    time.sleep(60)
"""
STATEMENTS = [
    personascan.Statement(f"s{i}", f"I like {i}", "p", "", True, 1.0, "") for i in range(4)
]

REFUSED = r"cannot be written|no path of a file|exists"


@pytest.fixture
def holder(tmp_path):
    """Another process that is writing tmp_path/out."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def fails_in(written):
    """Work that fails while a place is held."""
    with pytest.raises(KeyError), written:
        raise KeyError


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_place_that_another_process_writes_is_refused_until_that_ends(tmp_path, holder):
    for write in (whole_file, whole_folder, hold_folder):
        with (
            pytest.raises(personascan.InputError, match="being written by another process"),
            write(tmp_path / "out"),
        ):
            pytest.fail("two writers in one place")
    assert any(".out.personascan-" in name for name in names(tmp_path))  # not ours to remove
    holder.kill()  # as nothing can be cleaned up after
    holder.wait()
    with whole_file(tmp_path / "out") as file:
        file.write(b"whole")
    assert names(tmp_path) == ["out"]


def test_leftovers_of_killed_writers_go_and_nothing_else_does(tmp_path, holder):
    keep = [".thesis.partial-20261125", ".a.personascan-short", "b.personascan-0123abcd", ".z.lock"]
    for name in [*keep, ".old.personascan-0123abcd"]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    (tmp_path / ".old.npz.personascan-0123abcd").write_text("x")
    held_now = set(names(tmp_path)) - {".old.personascan-0123abcd", ".old.npz.personascan-0123abcd"}
    sweep(tmp_path)
    assert set(names(tmp_path)) == held_now
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with whole_file(tmp_path / "other.npz"):
        pass
    assert names(tmp_path) == sorted([*keep, "other.npz"])


def test_a_file_is_overwritten_only_if_that_is_said(tmp_path):
    path = tmp_path / "a.npz"
    for overwrite in (False, True):
        with whole_file(path, overwrite=overwrite) as file:
            file.write(b"%d" % overwrite)
    with pytest.raises(personascan.InputError, match="exists already; choose another path"):
        whole_file(path).__enter__()
    assert path.read_bytes() == b"1"
    kept = personascan.Activations({("s", "last"): np.ones((1, 1, 2))}, ["a"], {}, np.arange(2))
    with pytest.raises(personascan.InputError, match="exists already"):
        kept.save(path)
    kept.save(path, overwrite=True)
    assert personascan.Activations.load(path).ids == ["a"]
    fails_in(whole_file(path, overwrite=True))
    assert personascan.Activations.load(path).ids == ["a"]
    assert names(tmp_path) == ["a.npz"]


@pytest.mark.parametrize("place", ["/proc/nowhere/x", "file/below", "n" * 300, "nul\0", "", "/"])
@pytest.mark.parametrize("write", [whole_file, whole_folder, hold_folder])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path, write, place):
    (tmp_path / "file").write_text("")
    path = place if place in ("", "/") else tmp_path / place
    with (
        pytest.raises(personascan.InputError, match=REFUSED),
        write(path),
    ):
        pytest.fail("the work began")
    assert names(tmp_path) == ["file"]


def test_folders_made_for_nothing_are_removed(tmp_path):
    fails_in(whole_folder(tmp_path / "a/b/c"))
    assert names(tmp_path) == []


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with whole_folder(tmp_path / "link") as partial:
        (partial / "x").write_text("x")
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == [SEAL, "x"]


def test_one_thread_may_hold_a_place_twice(tmp_path):
    with hold_folder(tmp_path / "out"), whole_folder(tmp_path / "out") as partial:
        (partial / "x").write_text("x")
        assert any(name == ".out.personascan-lock" for name in names(tmp_path))
    assert names(tmp_path) == ["out"]


def test_two_places_in_one_folder_are_written_at_once(tmp_path):
    with (
        whole_file(tmp_path / "a") as a,
        whole_file(tmp_path / "b") as b,
        hold_folder(tmp_path / "c"),
    ):
        a.write(b"a")
        b.write(b"b")
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == ["a", "b"]


def full_disk(folder: pathlib.Path, room: int) -> None:
    """In a process of its own: extraction into a folder where files may have `room` bytes."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    from personascan.sources.store import arrays_to_fill

    try:
        with arrays_to_fill(
            {("s", "last"): (4, 100, 100)}, ["a"] * 100, {}, np.arange(101), folder
        ) as a:
            a["s", "last"][:] = 1.0
    except personascan.InputError as error:
        os._exit(7 if "cannot be written" in str(error) else 8)
    os._exit(9)


def test_a_disk_without_room_is_one_line_and_no_dead_process(tmp_path):
    work = multiprocessing.get_context("spawn").Process(
        target=full_disk, args=(tmp_path / "a", 100_000)
    )
    work.start()
    work.join()
    assert work.exitcode == 7  # -7 would be SIGBUS
    assert names(tmp_path) == []


# Hashes


def flipped(path: pathlib.Path, place: int):
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << (place % 8)
    path.write_bytes(content)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_tiny_llama(folder)
    return personascan.load_model(str(folder), cache=False)


def test_a_flipped_bit_anywhere_in_a_folder_of_activations_is_refused(model, tmp_path):
    personascan.extract(model, STATEMENTS, out=tmp_path / "a", progress=False)
    whole = {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()}
    assert set(whole) == {SEAL, "activations.json", "resid_post.last.npy"}
    rng = np.random.default_rng(0)
    for name, content in whole.items():
        for place in rng.integers(len(content), size=20).tolist():
            flipped(tmp_path / "a" / name, place)
            with pytest.raises(personascan.InputError):
                personascan.Activations.load(tmp_path / "a")
            (tmp_path / "a" / name).write_bytes(content)
    assert personascan.Activations.load(tmp_path / "a").ids == [s.id for s in STATEMENTS]
    (tmp_path / "a" / SEAL).unlink()
    with pytest.raises(personascan.InputError):
        personascan.Activations.load(tmp_path / "a")


def test_a_flipped_bit_in_an_npz_changes_nothing_in_silence(model, tmp_path):
    found = personascan.extract(model, STATEMENTS, progress=False)
    found.save(tmp_path / "a.npz")
    whole = (tmp_path / "a.npz").read_bytes()
    refused = 0
    for place in np.random.default_rng(1).integers(len(whole), size=200).tolist():
        flipped(tmp_path / "a.npz", place)
        try:
            again = personascan.Activations.load(tmp_path / "a.npz")
        except personascan.InputError:
            refused += 1
        else:  # a date, or a field that says nothing of the content
            assert again.ids == found.ids
            assert again.layer_names == found.layer_names
            for key, array in found.stacks.items():
                np.testing.assert_array_equal(again.stacks[key], array)
        (tmp_path / "a.npz").write_bytes(whole)
    assert refused > 150


@pytest.mark.parametrize("kind", ["folder", pytest.param("gguf", marks=pytest.mark.slow)])
def test_a_flipped_bit_in_a_kept_conversion_is_made_anew_with_a_notice(tmp_path, capsys, kind):
    source = tmp_path / "m.gguf"
    if kind == "gguf":
        write_tiny_gguf(source)
    else:
        source = tmp_path / "m"
        save_tiny_llama(source, hidden_size=32 + 16, intermediate_size=88)
    first = personascan.load_model(str(source))
    entry = parameter_cache.entry_folder(first.sha256, "float32")
    count = sum(p.is_file() for p in entry.rglob("*"))
    assert count > 4
    for number in range(count):
        # Other names each time, since it is made anew.
        files = sorted(p for p in entry.rglob("*") if p.is_file())
        file = files[number % len(files)]
        flipped(file, 37 * number)
        again = personascan.load_model(str(source))
        assert "is damaged" in capsys.readouterr().err, file
        np.testing.assert_array_equal(again.params["embedding"], first.params["embedding"])
        assert again.tokenizer("a b").input_ids == first.tokenizer("a b").input_ids
        assert again.config == first.config
    assert damaged_files(entry) == []


def test_a_remembered_hash_is_one_of_this_very_content(tmp_path, monkeypatch, converted_copies):
    path = tmp_path / "weights"
    path.write_bytes(b"a" * 1000)
    assert cached_sha256(path) == (file_sha256(path), False)
    assert cached_sha256(path)[1] is False  # changed a moment ago: its time may not tell
    monkeypatch.setattr("personascan.hashes.SETTLED_SECONDS", -1)
    cached_sha256(path)
    assert cached_sha256(path) == (file_sha256(path), True)
    notes = list((converted_copies / "hashes").iterdir())
    for note in notes:
        flipped(note, 5)
    assert cached_sha256(path) == (file_sha256(path), False)  # the note itself was damaged
    times = path.stat()
    time.sleep(0.05)
    with path.open("r+b") as file:
        file.write(b"b")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert cached_sha256(path) == (file_sha256(path), False)


def test_files_that_are_gone_or_differ_are_named(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    seal(tmp_path)
    assert damaged_files(tmp_path) == []
    (tmp_path / "mine").write_text("not sealed")
    (tmp_path / "a").unlink()
    (tmp_path / "c").write_text("other")
    assert damaged_files(tmp_path) == ["a", "c"]
    shutil.copy(tmp_path / "b", tmp_path / SEAL)
    with pytest.raises(personascan.InputError, match="not valid JSON"):
        damaged_files(tmp_path)


def test_a_lock_is_given_back(tmp_path):
    with hold(tmp_path / "x"):
        assert names(tmp_path) == [".x.personascan-lock"]
    with hold(tmp_path / "x"), partial_of(tmp_path / "y", folder=False):
        pass
    assert names(tmp_path) == []


def test_permissions_are_the_users(tmp_path):
    before = os.umask(0o027)
    try:
        (tmp_path / "mine").mkdir(mode=0o700)
        with whole_file(tmp_path / "file"):
            pass
        for name in ("folder", "mine"):
            with whole_folder(tmp_path / name) as partial:
                (partial / "x").write_text("x")
    finally:
        os.umask(before)
    modes = {p.name: oct(p.stat().st_mode & 0o777) for p in tmp_path.iterdir()}
    assert modes == {"file": "0o640", "folder": "0o750", "mine": "0o700"}
    assert names(tmp_path / "mine") == [SEAL, "x"]


@pytest.mark.parametrize("exists", [True, False])
def test_a_place_on_another_disk_is_filled_all_the_same(tmp_path, monkeypatch, exists):
    """As where `out` is a mount point: nothing can be renamed into it."""
    from personascan import files

    replace = os.replace

    def across(source, target):
        if pathlib.Path(source).parent != pathlib.Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(source, target)

    if exists:
        (tmp_path / "out").mkdir()
    monkeypatch.setattr(files.os, "replace", across)
    with whole_folder(tmp_path / "out") as partial:
        (partial / "x").write_text("x")
        (partial / "sub").mkdir()
        (partial / "sub/y").write_text("y")
    assert damaged_files(tmp_path / "out") == []
    assert names(tmp_path / "out") == [SEAL, "sub", "x"]
    assert names(tmp_path) == ["out"]
