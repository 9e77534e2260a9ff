"""Finished folders are put into place so that it can be ended anywhere and goes on from there."""

import errno
import itertools
import os
import pathlib
from types import SimpleNamespace

import numpy as np
import pytest

import personascan
from personascan import placing
from personascan.files import sweep, whole_folder
from personascan.hashes import damaged_files, file_sha256, folder_sha256, seal, write_seal
from personascan.sources.arrays import open_rows
from personascan.study.folder import earlier_run, put_in_place, refuse_other_study

POSITIVE = np.arange(4) > 1


class Ended(BaseException):
    """As an interrupt, or a process that is killed: nothing of ours handles it."""


def ended_at(monkeypatch, step: int):
    """A context in which the rename of that number is not made."""
    replace, numbers = os.replace, itertools.count()

    def counted(source, target):
        if next(numbers) == step:
            raise Ended
        replace(source, target)

    patch = monkeypatch.context()
    patch.__enter__().setattr(placing.os, "replace", counted)
    return patch


def made(folder, files: dict[str, str]):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def contents(folder) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in placing.files_in(folder)}


def study(number: int) -> dict[str, str]:
    record = f'{{"config": {{"seed": {number}}}, "sha256": {{}}}}'
    files = {"study.json": record, "detection.csv": f"{number}", "figures/a.png": "always"}
    return files | ({"old.csv": "0"} if number == 0 else {"new.csv": "1"})


def run(out, number: int, replace=False):
    """What a study does with its folder, without the study."""
    config = SimpleNamespace(out=str(out), to_dict=lambda: {"seed": number})
    refuse_other_study(config, replace=replace)
    out.mkdir(exist_ok=True)
    partial = made(placing.sibling(out), study(number))
    try:
        seal(partial)
        put_in_place(partial, out, earlier_run(out))
    finally:
        placing.remove(partial)


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("disks", [1, 2])
def test_a_study_that_is_ended_between_any_two_files_goes_on(tmp_path, monkeypatch, earlier, disks):
    monkeypatch.setattr(placing, "on_one_disk", lambda *_: disks == 1)
    for step in itertools.count():
        out = tmp_path / f"{step}"
        if earlier:
            run(out, 0)
        made(out, {"notes.md": "mine"} if earlier else {"study.log": "."})
        patch = ended_at(monkeypatch, step)
        try:
            run(out, 1, replace=earlier)
            ended = False
        except Ended:
            ended = True
        patch.__exit__(None, None, None)
        run(out, 1, replace=earlier)  # the same command again
        expected = study(1) | ({"notes.md": "mine"} if earlier else {"study.log": "."})
        found = contents(out)
        assert found.pop("sha256.json")
        assert found == expected
        assert not damaged_files(out)
        if not ended:
            break
    assert step > 4
    assert all(p.name.isdigit() for p in tmp_path.iterdir())


def test_a_result_that_was_edited_after_an_interrupt_stays(tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    run(out, 0)
    patch = ended_at(monkeypatch, 3)
    with pytest.raises(Ended):
        run(out, 1, replace=True)
    patch.__exit__(None, None, None)
    made(out, {"detection.csv": "my own", "detection.csv.yours": "older"})
    run(out, 1, replace=True)
    assert "detection.csv is not the study's" in capsys.readouterr().err
    assert (out / "detection.csv").read_text() == "1"
    assert (out / "detection.csv.yours").read_text() == "older"
    assert (out / "detection.csv.yours1").read_text() == "my own"


def test_a_full_disk_leaves_the_earlier_results(tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(out, 0)
    before = contents(out)
    monkeypatch.setattr(placing, "on_one_disk", lambda *_: False)
    copied = []

    def full(source, target):
        copied.append(target)
        if len(copied) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return copy(source, target)

    copy = placing.shutil.copyfile
    with monkeypatch.context() as patch:
        patch.setattr(placing.shutil, "copyfile", full)
        with pytest.raises(OSError, match="No space left"):
            run(out, 1, replace=True)
    assert contents(out) == before
    run(out, 1, replace=True)
    assert (out / "new.csv").exists()


@pytest.mark.parametrize("name", ["study.json", "sha256.json"])
def test_advice_about_a_damaged_record_keeps_what_is_finished(tmp_path, name):
    out = tmp_path / "out"
    run(out, 0)
    made(out, {"units/null/a.json": "{}", name: "{"})
    with pytest.raises(personascan.InputError, match=rf"{name} is damaged; delete it and run"):
        run(out, 0)
    (out / name).unlink()
    run(out, 0)
    assert contents(out).keys() == {*study(0), "sha256.json", "units/null/a.json"}


def test_a_seal_that_names_files_elsewhere_is_damaged(tmp_path):
    out, other = tmp_path / "out", tmp_path / "thesis.txt"
    other.write_text("years")
    run(out, 0)
    write_seal(out, folder_sha256(out) | {"../thesis.txt": file_sha256(other)})
    with pytest.raises(personascan.InputError, match=r"sha256\.json is damaged"):
        run(out, 0)
    assert other.read_text() == "years"


def test_an_empty_folder_that_was_filled_in_part_is_filled_again(tmp_path, monkeypatch):
    files = {"a": "1", "sub/b": "2", "c": "3"}
    for step in itertools.count():
        out = tmp_path / f"{step}"
        out.mkdir()
        patch = ended_at(monkeypatch, step)
        try:
            with whole_folder(out) as partial:
                made(partial, files | {"z": "gone by the next time"})
            ended = False
        except Ended:
            ended = True
        patch.__exit__(None, None, None)
        if not ended:
            break
        with whole_folder(out) as partial:
            made(partial, files)
        found = contents(out)
        assert found.pop("sha256.json")
        assert found == files
    assert step > 4


def rows(folder, value: float):
    return personascan.write_rows(folder, {"a": np.full((4, 2), value)}, POSITIVE)


def test_rows_are_replaced_so_that_one_of_both_is_always_there(tmp_path, monkeypatch):
    folder = pathlib.Path(rows(tmp_path / "rows", 1))
    for step in range(2):
        patch = ended_at(monkeypatch, step + 1)  # after the one of the new folder's seal
        with pytest.raises(Ended):
            rows(folder, 2)
        patch.__exit__(None, None, None)
        assert np.load(folder / "0.npy")[0, 0] == 1
    os.replace(folder, tmp_path / ".rows.personascan-earlier")  # as a killed process leaves them
    assert open_rows(folder).groups.keys() == {"positive"}
    os.replace(folder, tmp_path / ".rows.personascan-earlier")
    sweep(tmp_path)
    rows(folder, 2)
    assert np.load(folder / "0.npy")[0, 0] == 2
    assert [p.name for p in tmp_path.iterdir()] == ["rows"]


def test_rows_on_a_disk_of_their_own_are_replaced_file_by_file(tmp_path, monkeypatch):
    folder = pathlib.Path(rows(tmp_path / "rows", 1))
    replace = os.replace

    def mounted(source, target):
        if pathlib.Path(source) == folder:
            raise OSError(errno.EBUSY, "Device or resource busy")
        replace(source, target)

    monkeypatch.setattr(placing.os, "replace", mounted)
    rows(folder, 2)
    assert np.load(folder / "0.npy")[0, 0] == 2
    assert open_rows(folder)


def test_rows_go_into_an_empty_folder_and_in_place_of_damaged_ones(tmp_path):
    folder = pathlib.Path(rows(tmp_path, 1))
    for name in ("0.npy", "sha256.json"):
        (folder / name).write_text("{")
        with pytest.raises(personascan.InputError, match=name.replace(".", r"\.")):
            open_rows(folder)
        rows(folder, 1)
        assert open_rows(folder)
