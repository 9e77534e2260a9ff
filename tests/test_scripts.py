"""The scripts as a user runs them: exit codes and what is printed."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from tiny_models import save_tiny_llama

import personascan

ROOT = pathlib.Path(__file__).parents[1]


def run(script, *flags, cwd=ROOT):
    command = [sys.executable, str(ROOT / "scripts" / script), *flags]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def test_scan_of_two_files(tmp_path):
    rng = np.random.default_rng(0)
    background, evaluation = rng.normal(size=(40, 12)), rng.normal(size=(10, 12))
    evaluation[:4, :5] += 3
    np.save(tmp_path / "b.npy", background)
    np.save(tmp_path / "e.npy", evaluation)
    files = [f"--background={tmp_path}/b.npy", f"--evaluation={tmp_path}/e.npy"]
    done = run("scan.py", *files, "--starts=3", f"--out={tmp_path}/found.json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads((tmp_path / "found.json").read_text())
    expected = personascan.group_scan(background, evaluation, starts=3)
    assert found["score"] == expected.score
    assert found["rows"] == expected.rows.tolist()
    assert f"rows:  {' '.join(map(str, expected.rows))}" in done.stdout


def test_extract_writes_a_file(tmp_path):
    save_tiny_llama(tmp_path / "model")
    done = run(
        "extract.py",
        f"--model={tmp_path}/model",
        f"--statements={ROOT}/data/statements/optimism.jsonl",
        "--limit=3",
        f"--out={tmp_path}/a.npz",
    )
    assert done.returncode == 0, done.stderr
    assert "(3, 6, 48) (layers, statements, nodes)" in done.stdout
    assert len(personascan.Activations.load(tmp_path / "a.npz").ids) == 6


@pytest.mark.parametrize(
    ("script", "flags", "message"),
    [
        ("scan.py", ["--background=no.npy", "--evaluation=no.npy"], "no.npy cannot be read"),
        ("scan.py", ["--background=no.npy"], "--evaluation"),
        ("study.py", [], "--config"),
        ("study.py", ["--config=no.py"], "no.py"),
        ("study.py", ["--config=configs/demo.py", "--config.colour=red"], "colour"),
        ("study.py", ["--config=configs/demo.py", "--config.runs.runs=many"], "many"),
        ("study.py", ["--config=configs/demo.py", "--config.personas=('x',)"], "persona 'x'"),
        (
            "extract.py",
            ["--statements=s.csv", "--out=x.npz", "stray"],
            "unexpected argument 'stray'",
        ),
    ],
)
def test_mistakes_are_one_line_and_a_non_zero_exit(script, flags, message, tmp_path):
    if script == "study.py" and flags:
        flags = [*flags, f"--config.out={tmp_path}/out"] if len(flags) > 1 else flags
    done = run(script, *flags)
    assert done.returncode not in (0, None)
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()
    assert len(last) == 1, done.stderr
    assert message in last[0]
    assert not (tmp_path / "out").exists()
