"""The notebooks run, at small size, and what is committed of them is whole and clean."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
LARGEST = 700_000  # bytes of a committed notebook
# Of this machine, and of whichever one the outputs were made on.
PATHS = re.escape(str(ROOT)), re.escape(str(pathlib.Path.home())), re.escape(tempfile.gettempdir())
PATH = re.compile("|".join([*PATHS, r"/(home|Users|tmp|root|work|usr|opt)/", r"\b[A-Z]:\\"]))


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def kinds(cell):
    """What a cell leaves: the forms of its outputs."""
    return {
        form
        for output in cell["outputs"]
        for form in (output["data"] if "data" in output else [output["name"]])
    }


def without_pictures(notebook) -> str:
    for cell in code_cells(notebook):
        for output in cell["outputs"]:
            output.get("data", {}).pop("image/png", None)
    return json.dumps(notebook)


def test_there_are_three():
    assert NAMES == ["extraction_and_layers", "nodes_and_overlaps", "scanning"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_small_and_has_the_committed_outputs(name, tmp_path):
    """A failing cell ends the command with its traceback; notices of a download are none."""
    command = [sys.executable, str(ROOT / "scripts/notebooks.py"), "--small"]
    done = subprocess.run(
        [*command, f"--only={name}", f"--out={tmp_path}"],
        capture_output=True, text=True, cwd=tmp_path, env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    small, committed = read(tmp_path / f"{name}.ipynb"), read(FOLDER / f"{name}.ipynb")
    for made, kept in zip(small["cells"], committed["cells"], strict=True):
        assert made["source"] == kept["source"]
    for made, kept in zip(code_cells(small), code_cells(committed), strict=True):
        assert kinds(made) - {"stderr"} == kinds(kept), "".join(kept["source"])


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_notebook_is_whole_and_clean(name):
    notebook = read(FOLDER / f"{name}.ipynb")
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not {"stderr", "error"} & {
        output.get("name", output["output_type"]) for cell in cells for output in cell["outputs"]
    }
    assert all(cell["metadata"] == {} for cell in notebook["cells"])
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["language_info"] == {"name": "python"}
    assert (FOLDER / f"{name}.ipynb").stat().st_size < LARGEST
    assert not PATH.search(without_pictures(notebook))


@pytest.mark.parametrize("name", NAMES)
def test_what_prints_or_draws_has_an_output(name):
    shows = re.compile(r"^\s*(table\(|say\(|plt\.show\()", re.MULTILINE)
    for cell in code_cells(read(FOLDER / f"{name}.ipynb")):
        if shows.search("".join(cell["source"])):
            assert kinds(cell), "".join(cell["source"])
        if "plt.show(" in "".join(cell["source"]):
            assert "image/png" in kinds(cell)


def test_an_unknown_notebook_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/notebooks.py"), "--only=none", f"--out={tmp_path}"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no notebook 'none': extraction_and_layers" in done.stderr
    assert not list(tmp_path.iterdir())
