"""A study that is ended goes on: nothing finished is lost, redone, or taken when damaged."""

import errno
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny_studies import files_of, recipe, run_study, write_recipe

import personascan
from personascan.study import run, store

ROOT = pathlib.Path(__file__).parents[1]


def units_in(folder):
    """{name of a finished unit's record: when it was last written}."""
    return {p.name: p.stat().st_mtime_ns for p in folder.glob("*/*.json")}


@pytest.fixture(scope="module")
def finished(place):
    """A study with units of its own, once undisturbed: (recipe, folder, its files)."""
    config = recipe(place, out="first", units="")
    shutil.copytree(place / "units", place / "first/units")
    run_study(config)
    return config, place / "first", files_of(place / "first")


def begun(finished, out, missing):
    """The recipe of that study in another folder, of which some kinds of units are finished."""
    config, whole, _ = finished
    shutil.copytree(whole / "units", out / "units", ignore=shutil.ignore_patterns(*missing))
    return config | {"out": str(out)}


def unit_files(out):
    """The files of its finished units."""
    return sorted(p for p in (out / "units").rglob("*") if p.is_file() and p.name[0] != ".")


def start(config, folder, *flags):
    """The study's command, in a process of its own."""
    path = write_recipe(folder / "recipe.py", config)
    return subprocess.Popen(
        [sys.executable, str(ROOT / "scripts/study.py"), f"--config={path}", *flags],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PERSONASCAN_CACHE": str(folder / "cache")}, start_new_session=True,
    )  # fmt: skip


def wait_for(process, folder, count):
    """Until so many units are finished, or the process is."""
    while process.poll() is None and len(units_in(folder)) < count:
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_three_times_it_ends_with_the_same_files(finished, tmp_path):
    config, _, expected = finished
    out = tmp_path / "out"
    config = config | {"out": str(out)}
    for count in (3, 9, 25):
        process = start(config, tmp_path)
        before = units_in(out / "units")
        wait_for(process, out / "units", count)
        assert process.poll() is None, process.communicate(timeout=300)[1]
        process.kill()
        process.communicate(timeout=300)
        assert before.items() <= units_in(out / "units").items()
        assert not (out / "study.json").exists()
    kept = units_in(out / "units")
    process = start(config, tmp_path)
    assert process.communicate(timeout=300)[0].startswith("comparison")
    assert process.returncode == 0
    # The record and its hash name the number of devices, of which a process of its own has another.
    differing = {n for n, content in files_of(out).items() if expected[n] != content}
    assert files_of(out).keys() == expected.keys()
    assert differing <= {"study.json", "sha256.json"}
    assert kept.items() <= units_in(out / "units").items()  # none was written again
    assert not list((out / "units").glob("*/.*"))


@pytest.mark.slow
def test_an_interrupt_says_how_to_go_on(finished, tmp_path):
    config, _, expected = finished
    out = tmp_path / "out"
    process = start(config | {"out": str(out)}, tmp_path)
    wait_for(process, out / "units", 10)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 130
    assert "Traceback" not in said
    line = said.strip().splitlines()[-1]
    assert re.match(r"interrupted: what is finished is kept; go on with: \S*python", line)
    assert "recipe.py" in line
    assert "ended: " in (out / "study.log").read_text()
    status = start(config | {"out": str(out)}, tmp_path, "--status")
    shown = status.communicate(timeout=300)[0]
    assert re.search(r"activations +10 of 10", shown)
    assert re.search(r"localisation +0 of 6", shown)
    assert "remain" in shown or "no finished unit tells how long" in shown
    run_study(config | {"out": str(out)})
    assert files_of(out) == expected


def test_a_changed_input_changes_only_what_depends_on_it(finished, place, tmp_path):
    config, whole, _ = finished
    out = shutil.copytree(whole, tmp_path / "out")
    config = config | {"out": str(out)}
    before = units_in(out / "units")
    path = place / "statements/1.jsonl"
    text = path.read_text()
    path.write_text(text.replace("I am", "I stay", 1))
    try:
        with pytest.raises(personascan.InputError, match=r"1\.jsonl.*--replace"):
            run_study(config)
        personascan.run_study(config, jobs=1, replace=True)
        after = units_in(out / "units")
        new = {p.name: p.parent.name for p in (out / "units").glob("*/*.json")}
        new = [kind for name, kind in new.items() if name not in before]
        assert before.items() <= after.items()
        # Of the second persona alone, and all of that: the first has as many of each kind. The
        # personas of their topic are told apart by both.
        own = [kind for kind in new if kind != "personas"]
        shared = len(new) - len(own)
        assert (shared, len(own)) == (4, (len(before) - 4) // 2)
        personascan.run_study(config, jobs=1, replace=True)
        assert units_in(out / "units") == after
    finally:
        path.write_text(text)
    personascan.run_study(config, jobs=1, replace=True)
    assert units_in(out / "units") == after


def test_a_flipped_byte_in_any_kind_of_file_is_found_and_named(finished, tmp_path, capfd):
    config, whole, expected = finished
    out = tmp_path / "out"
    config = config | {"out": str(out)}
    shutil.copytree(whole, out)
    chosen = {(p.parent.name, p.name.partition(".")[2]): p for p in unit_files(out)}
    assert {kind for kind, _ in chosen} >= {
        "activations",
        "where",
        "separation",
        "localisation",
        "nodes",
    }
    rng = np.random.default_rng(0)
    for path in chosen.values():
        content = bytearray(path.read_bytes())
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
    capfd.readouterr()
    run_study(config)
    said = capfd.readouterr().err
    # Of two damaged files of one unit the first is enough.
    by_unit = {}
    for path in chosen.values():
        by_unit.setdefault(path.name.partition(".")[0], []).append(path.name)
    for names in by_unit.values():
        assert any(name in said for name in names), names
    assert files_of(out) == expected


def test_a_full_disk_says_what_is_needed_and_keeps_what_is_done(finished, tmp_path, monkeypatch):
    expected = finished[2]
    config = begun(finished, tmp_path / "out", ["localisation", "validation"])
    before = units_in(tmp_path / "out/units")
    written = []

    def full(file, array, **options):
        written.append(array)
        if len(written) > 25:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, array, **options)

    write = np.lib.format.write_array
    with monkeypatch.context() as patch:
        patch.setattr(store.np.lib.format, "write_array", full)
        with pytest.raises(personascan.InputError, match=r"No space left.* are needed .* are free"):
            run_study(config)
    kept = units_in(tmp_path / "out/units")
    assert before.items() < kept.items()
    assert not list((tmp_path / "out/units").glob("*/.*"))
    run_study(config)
    assert files_of(tmp_path / "out") == expected
    assert kept.items() <= units_in(tmp_path / "out/units").items()


@pytest.mark.parametrize(
    ("error", "journal"),
    [
        (personascan.InputError("this unit fails"), "ended: this unit fails"),
        (KeyboardInterrupt(), "ended: KeyboardInterrupt"),
    ],
)
def test_a_unit_that_ends_the_study_ends_no_other_unit(
    finished, tmp_path, monkeypatch, error, journal
):
    expected = finished[2]
    config = begun(finished, tmp_path / "out", ["localisation"])
    done = []

    def fails(folder, unit, function, arguments):
        if len(done) > 1:
            raise error
        done.append(unit)
        finish(folder, unit, function, arguments)

    finish = run.finish
    with monkeypatch.context() as patch:
        patch.setattr(run, "finish", fails)
        with pytest.raises(type(error)):
            run_study(config)
    assert {f"{unit.key}.json" for unit in done} <= set(units_in(tmp_path / "out/units"))
    assert journal in (tmp_path / "out/study.log").read_text()
    shown = personascan.study_status(config, jobs=1).summary()
    assert re.search(r"activations +10 of 10", shown)
    assert re.search(r"localisation +2 of 6", shown)
    assert "remain" in shown
    run_study(config)
    assert files_of(tmp_path / "out") == expected


def test_a_status_writes_nothing(finished, place):
    config = recipe(place, out="never", units="")
    status = personascan.study_status(config, jobs=1)
    counts = {kind: (p.done, p.total) for kind, p in status.kinds.items()}
    expected = {"activations": (0, 10), "where": (0, 24), "localisation": (0, 6)}
    assert counts.items() >= expected.items()
    assert status.summary().splitlines()[-1].startswith("nothing of this study is done, and so no")
    assert not (place / "never").exists()
    whole = personascan.study_status(finished[0], jobs=1)
    assert whole.summary().endswith("everything is done")


def test_a_status_of_another_study_names_what_differs(finished):
    config, out, _ = finished
    same = personascan.study_status(config, jobs=1)
    assert same.note == ""
    other = personascan.study_status(config | {"layers": (0,), "node_q": 0.2}, jobs=1)
    last = other.summary().splitlines()[-1]
    assert last.startswith(f"note: {out} holds another study (different: layers, node_q); ")
