"""Files that look like ours and are not as we write them: one line, whatever they hold."""

import gzip
import json
import pathlib

import numpy as np
import pytest

import personascan
from personascan import memory
from personascan.hashes import seal
from personascan.report import document
from personascan.sources.array_files import read_array
from personascan.sources.arrays import open_rows
from personascan.visible import cell

KNOWN = {"layout": 2, "title": "t", "parts": [], "across": [], "rows": "rows", "seed": 0}
DOCUMENTS = {
    "deep": "[" * 200_000 + "]" * 200_000,
    "bare": '{"layout": 2}',
    "no parts": json.dumps(KNOWN | {"sheets": {}}),
    "no sheets": json.dumps(KNOWN | {"parts": [{}], "sheets": {}}),
    "a list of sheets": json.dumps(KNOWN | {"sheets": []}),
    "parts that are numbers": json.dumps(KNOWN | {"sheets": {}, "parts": [1]}),
}


def report_of(folder: pathlib.Path, text: str) -> pathlib.Path:
    folder.mkdir()
    (folder / document.FILE).write_bytes(gzip.compress(text.encode()))
    return folder


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_that_no_study_wrote_are_one_line(tmp_path, name):
    folder = report_of(tmp_path / "a", DOCUMENTS[name])
    for call in (
        lambda: personascan.write_report(folder),
        lambda: personascan.write_report(folder, "md", texts=False),
        lambda: personascan.compare_studies(
            [folder, report_of(tmp_path / "b", DOCUMENTS[name])], out=str(tmp_path / "c.html")
        ),
    ):
        with pytest.raises(personascan.InputError, match=r"report\.json\.gz .*run the study's"):
            call()
    assert [p.name for p in folder.iterdir()] == [document.FILE]


def test_a_document_that_unpacks_beyond_all_bounds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "MOST_BYTES", 1000)
    folder = report_of(tmp_path / "a", json.dumps(KNOWN | {"title": "x" * 2000, "sheets": {}}))
    with pytest.raises(personascan.InputError, match="not as the study wrote it"):
        document.read_document(folder)


def doubled(record):
    return {k: v * 2 for k, v in record.items() if isinstance(v, list) and k != "places"}


CHANGES = {
    "no groups": lambda r, f: r.pop("groups"),
    "fewer ids": lambda r, f: r.update(ids=r["ids"][:2]),
    "an id twice": lambda r, f: r.update(ids=["0"] * 6),
    "more places than arrays": lambda r, f: r.update(places=["a", "b"]),
    "a place twice": lambda r, f: r.update(places=["a", "a"]),
    "labels as texts": lambda r, f: r.update(positive=["no"] * 6),
    "labels as numbers": lambda r, f: r.update(positive=[1] * 6),
    "a name that is none": lambda r, f: r.update(network=["x"]),
    "more rows than the array": lambda r, f: r.update(doubled(r), ids=[str(i) for i in range(12)]),
    "no rows": lambda r, f: r.update({k: [] for k in doubled(r)}),
    "objects": lambda r, f: np.save(f / "0.npy", np.array([{}] * 6), allow_pickle=True),
    "one axis": lambda r, f: np.save(f / "0.npy", np.zeros(6, np.float32)),
    "whole numbers": lambda r, f: np.save(f / "0.npy", np.zeros((6, 2), int)),
    "an empty file": lambda r, f: (f / "0.npy").write_bytes(b""),
}


@pytest.mark.parametrize("name", CHANGES)
def test_rows_that_are_sealed_and_not_as_they_are_written_are_refused(tmp_path, name):
    place = tmp_path / "rows"
    folder = personascan.write_rows(place, {"a": np.zeros((6, 2))}, np.arange(6) > 2)
    record = json.loads((place / "rows.json").read_text())
    CHANGES[name](record, place)
    (place / "rows.json").write_text(json.dumps(record))
    seal(place)
    with pytest.raises(personascan.InputError, match=r"write_rows|read as a \.npy file"):
        open_rows(folder)


def test_activations_that_are_elsewhere_or_do_not_fit_are_refused(tmp_path, monkeypatch):
    kept = personascan.Activations({("s", "last"): np.ones((1, 1, 2))}, ["a"], {}, np.arange(2))
    kept.save(tmp_path / "a.npz")
    monkeypatch.setattr(memory, "free_bytes", lambda: 100)
    with pytest.raises(personascan.InputError, match=r"a\.npz needs about .* are free"):
        personascan.Activations.load(tmp_path / "a.npz")
    np.save(tmp_path / "elsewhere.npy", np.ones((1, 1, 2)))
    (tmp_path / "folder").mkdir()
    for file in ("../elsewhere.npy", str(tmp_path / "elsewhere.npy")):
        record = {"ids": ["a"], "layer_names": {}, "offsets": [0, 1], "arrays": {"s/last": file}}
        (tmp_path / "folder/activations.json").write_text(json.dumps(record))
        with pytest.raises(personascan.InputError, match="lies outside of it"):
            personascan.Activations.load(tmp_path / "folder")


def test_memory_that_runs_out_is_no_damage(tmp_path, monkeypatch):
    def out_of_memory(*_, **__):
        raise MemoryError("Unable to allocate 3 GiB")

    np.save(tmp_path / "a.npy", np.ones((2, 2)))
    monkeypatch.setattr(np, "load", out_of_memory)
    with pytest.raises(MemoryError):
        read_array(tmp_path / "a.npy")


def test_cells_that_begin_with_wide_signs_are_no_formulas():
    for sign in "＝＋－＠":
        assert cell(f"{sign}1+1") == f"'{sign}1+1"
