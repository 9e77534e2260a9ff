"""What a scan takes: .npy files of any float, or a layer of what extraction has kept."""

import json
import os

import ml_dtypes
import numpy as np
import pytest
from in_process import run_here
from tiny_models import save_tiny_llama

import personascan
from personascan.sources.array_files import read_array
from personascan.sources.rows import read_rows, refuse_shared

STATEMENTS = [
    personascan.Statement(f"s{i}", f"I like {i} walks", "p", "", True, 1.0, "") for i in range(12)
]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with the same activations as an .npz file and as a folder."""
    folder = tmp_path_factory.mktemp("kept")
    save_tiny_llama(folder / "model")
    model = personascan.load_model(str(folder / "model"), cache=False)
    keywords = dict(sites=("resid_post", "final_norm"), positions=("last", -2), progress=False)
    personascan.extract(model, STATEMENTS, **keywords).save(folder / "a.npz")
    personascan.extract(model, STATEMENTS, out=folder / "a", **keywords)
    return folder


@pytest.mark.parametrize("name", ["a.npz", "a"])
def test_a_layer_and_statements_are_chosen_by_name(kept, name, tmp_path):
    whole = personascan.Activations.load(kept / name).stacks
    where = dict(site="resid_post", position="-2")
    for layer in ("1", "resid_post 1"):
        rows = read_rows(kept / name, layer=layer, ids="s7,s2", **where)
        np.testing.assert_array_equal(rows.array_ND, whole["resid_post", -2][1][[7, 2]])
        assert rows.ids == ["s7", "s2"]
    (tmp_path / "ids").write_text("s3\n\ns0\n")
    last = read_rows(kept / name, site="final_norm", position="last", ids=str(tmp_path / "ids"))
    np.testing.assert_array_equal(last.array_ND, whole["final_norm", "last"][0][[3, 0]])
    assert len(read_rows(kept / name, site="final_norm", position="last").ids) == 12


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (dict(), "site has several; choose one with site=; there are: resid_post, final_norm"),
        (dict(site="x"), "site has no 'x'"),
        (dict(site="resid_post"), "position has several"),
        (dict(site="resid_post", position="mean"), "position has no 'mean'; there are: last, -2"),
        (dict(site="resid_post", position="last"), "layer has several"),
        (dict(site="resid_post", position="last", layer="9"), "no 'resid_post 9'; there are"),
        (dict(site="final_norm", position="last", ids="s1,s99"), "no statement 's99'"),
        (dict(site="final_norm", position="last", ids="s1,s1"), "name one twice"),
    ],
)
def test_a_choice_that_is_not_there_is_told_what_is(kept, keywords, message):
    with pytest.raises(personascan.InputError, match=message):
        read_rows(kept / "a.npz", **keywords)


def test_the_script_scans_what_extraction_wrote(kept, tmp_path):
    def run(*ids):
        flags = [f"--{side}={kept}/a.npz" for side in ("background", "evaluation")]
        chosen = ["--site=resid_post", "--layer=2", "--position=last", "--starts=2", "--overwrite"]
        return run_here("scan.py", *flags, *ids, f"--out={tmp_path}/found.json", *chosen)

    ids = [f"s{i}" for i in range(12)]
    done = run(f"--background_ids={','.join(ids[:8])}", f"--evaluation_ids={','.join(ids[8:])}")
    assert done.returncode == 0, done.stderr
    layer = personascan.Activations.load(kept / "a.npz").stacks["resid_post", "last"][2]
    expected = personascan.group_scan(layer[:8], layer[8:], starts=2)
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["score"] == expected.score > 0
    assert found["statements"] == [ids[8 + i] for i in expected.rows]
    assert f"statements: {' '.join(found['statements'])}" in done.stdout
    again = run()
    assert again.returncode == 1
    assert "12 statements are in the background and scanned" in again.stderr


def test_rows_of_a_plain_file_have_no_names(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    rows = read_rows(tmp_path / "x.npy")
    assert rows.ids is None
    refuse_shared(rows, rows)
    with pytest.raises(personascan.InputError, match="has rows alone"):
        read_rows(tmp_path / "x.npy", layer="1")


def test_bfloat16_files_are_read(tmp_path):
    values = np.random.default_rng(0).normal(size=(12, 48)).astype(ml_dtypes.bfloat16)
    np.save(tmp_path / "x.npy", values)
    read = read_array(tmp_path / "x.npy")
    assert read.dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(read, values)
    found, expected = (
        personascan.group_scan(x[:8], x[8:], starts=2) for x in (read, values.astype("f4"))
    )
    assert found.score == expected.score


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("x.pt", r"numpy\.save.*tensor"),
        ("x.csv", r"numpy\.loadtxt"),
        ("x.safetensors", "one tensor"),
    ],
)
def test_other_kinds_of_file_are_told_how_to_become_one(tmp_path, name, advice):
    (tmp_path / name).write_text("1,2\n")
    with pytest.raises(personascan.InputError, match=advice):
        read_array(tmp_path / name)


def test_a_pipe_in_place_of_arrays_is_not_waited_for(tmp_path):
    for name in ("x.npy", "x.npz"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(personascan.InputError, match="not a regular file"):
            read_rows(tmp_path / name)
