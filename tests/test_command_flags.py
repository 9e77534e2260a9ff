"""Flags of commands that read statements: words and columns of one's own, early refusals."""

import os
import pathlib
import re
import subprocess
import sys
import types

import pytest
from in_process import run_here

import personascan

ROOT = pathlib.Path(__file__).parents[1]


def run_command(*arguments: str):
    """In this process."""
    return run_here("../personascan/__main__.py", *arguments)


OWN_COLUMNS = "sentence,temper\nI hide.,shy\nI lead.,bold\n"
READING = {
    "locate": ["--model=no/model"],
    "extract": ["--model=no/model", "--out=a.npz"],
    "study": ["--model=no/model", "--out=out"],
    "verify": ["--model=no/model"],
}


@pytest.mark.parametrize("name", READING)
def test_a_command_has_the_flags_that_its_refusal_of_statements_names(name):
    source = (ROOT / f"personascan/commands/{name}.py").read_text()
    with pytest.raises(personascan.InputError) as refused:
        personascan.load_statements([{"sentence": "x"}])
    named = set(re.findall(r"--(\w+)=", str(refused.value)))
    assert named == {"positive", "columns"}
    assert named <= set(re.findall(r"DEFINE_\w+\(\s*\"(\w+)\"", source))


@pytest.mark.parametrize("name", ["locate", "extract", "study"])
def test_a_file_is_refused_before_what_takes_seconds_is_imported(name, tmp_path):
    (tmp_path / "own.csv").write_text(OWN_COLUMNS)
    code = (
        "import runpy, sys\n"
        "try:\n    runpy.run_module('personascan', run_name='__main__')\n"
        "except SystemExit as ended:\n    print(ended.code)\n"
        "print(sorted({'jax', 'pandas', 'transformers'} & set(sys.modules)))"
    )
    given = [name, f"--statements={tmp_path}/own.csv", *READING[name]]
    done = subprocess.run([sys.executable, "-c", code, *given], capture_output=True, text=True,
                          cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert "has sentence, temper, and needs a text (named statement or text)" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.parametrize("name", READING)
def test_columns_and_words_of_ones_own_are_read_by_every_command(name, tmp_path):
    (tmp_path / "own.csv").write_text(OWN_COLUMNS)
    flags = [*READING[name], "--columns=text=sentence,direction=temper"]
    flags = [flag.replace("--out=", f"--out={tmp_path}/") for flag in flags]
    flags = [flag.replace("no/model", f"{tmp_path}/no") for flag in flags]
    if name != "verify":  # which reads the model first
        done = run_command(name, f"--statements={tmp_path}/own.csv", *flags)
        assert "the direction is 'shy'; use positive or negative" in done.stderr
    done = run_command(name, f"--statements={tmp_path}/own.csv", *flags, "--positive=shy")
    assert done.returncode == 1
    assert "no is not a folder" in done.stderr or f"{tmp_path}/no" in done.stderr, done.stderr


@pytest.mark.parametrize("recipe", [True, False])
def test_flags_of_a_study_change_fields_of_its_recipe(recipe, monkeypatch, tmp_path):
    (tmp_path / "own.csv").write_text(OWN_COLUMNS)
    (tmp_path / "recipe.py").write_text(
        "import personascan\nfrom ml_collections import ConfigDict\n"
        "def get_config():\n    return ConfigDict(personascan.recipe("
        "models=('m',), statements='s', out='o', personas=('a', 'b')))\n"
    )
    seen = []
    monkeypatch.setattr(
        personascan, "study_status",
        lambda config, jobs: seen.append(config) or types.SimpleNamespace(summary=str),
        raising=False,
    )  # fmt: skip
    done = run_command(
        "study", *[f"--config={tmp_path}/recipe.py"] * recipe, f"--statements={tmp_path}/own.csv",
        "--model=m", "--out=o", "--positive=shy", "--columns=text=sentence,direction=temper",
        "--persona=own", "--status",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    config = personascan.StudyConfig.from_dict(seen[0].to_dict())
    assert (config.positive, config.personas) == ("shy", ("own",))
    assert config.columns == ("text=sentence", "direction=temper")
