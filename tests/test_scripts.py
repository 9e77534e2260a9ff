"""The scripts as a user runs them: exit codes and what is printed.

Those that JAX and Transformers need seconds to start run in this process, but for a few.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest
from conftest import alone
from in_process import run_here

import personascan
from personascan.study import plan
from personascan.study.timing import UnitTimes

ROOT = pathlib.Path(__file__).parents[1]


def run(script, *flags, cwd=ROOT, env=None):
    command = [sys.executable, str(ROOT / "scripts" / script), *flags]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env)


def test_scan_of_two_files(tmp_path):
    rng = np.random.default_rng(0)
    background, evaluation = rng.normal(size=(8, 48)), rng.normal(size=(4, 48))
    evaluation[:2, :9] += 3
    np.save(tmp_path / "b.npy", background)
    np.save(tmp_path / "e.npy", evaluation)
    files = [f"--background={tmp_path}/b.npy", f"--evaluation={tmp_path}/e.npy"]
    done = run("scan.py", *files, "--starts=2", f"--out={tmp_path}/found.json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads((tmp_path / "found.json").read_text())
    expected = personascan.group_scan(background, evaluation, starts=2)
    assert found["score"] == expected.score
    assert found["rows"] == expected.rows.tolist()
    assert f"rows:  {' '.join(map(str, expected.rows))}" in done.stdout


def test_extract_writes_a_file(tiny, tmp_path):
    done = run_here(
        "extract.py",
        "--nocache",
        f"--model={tiny[0]}",
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
        (
            "study.py",
            ["--config=configs/demo.py", "--config.colour=red"],
            "the recipe has no 'colour'; ",
        ),
        (
            "study.py",
            ["--config=configs/demo.py", "--config.detection.limit=9"],
            "the recipe has no 'detection'; ",
        ),
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
    done = run_here(script, *flags)
    assert done.returncode not in (0, None)
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()
    assert len(last) == 1, done.stderr
    assert message in last[0]
    assert not (tmp_path / "out").exists()


def test_a_mistake_is_one_line_also_of_a_process(tmp_path):
    done = run("study.py", "--config=configs/demo.py", "--config.colour=red")
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.match(r"error: .*colour.*; see --help\n$", done.stderr)


@pytest.fixture(scope="module")
def tiny(made, tmp_path_factory):
    """A tiny model's folder, and an environment whose cache is not the user's."""
    folder = tmp_path_factory.mktemp("tiny")
    shutil.copytree(made / "model", folder / "model")
    return folder / "model", os.environ | {"PERSONASCAN_CACHE": str(folder / "cache")}


OPTIMISM = f"--statements={ROOT}/data/statements/optimism.jsonl"


@pytest.mark.slow
def test_extract_fills_a_folder_with_every_token(tiny, tmp_path):
    model, env = tiny
    done = run(
        "extract.py", f"--model={model}", OPTIMISM, "--limit=3", "--positions=all,mean,-2",
        "--role=user", "--prefix=Would you say: ", f"--out={tmp_path}/a",
        "--sites=resid_post,mlp_hidden,head_out,final_norm", env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = personascan.Activations.load(tmp_path / "a")
    assert set(found.stacks) >= {("resid_post", "all"), ("resid_post", -2), ("final_norm", "mean")}
    assert found.stacks["resid_post", "all"].shape[1] == found.offsets[-1]
    assert [found.stacks[s, "mean"].shape for s in ("mlp_hidden", "head_out")] == [
        (3, 6, 80), (3, 6, 48),
    ]  # fmt: skip
    again = run_here("extract.py", f"--model={model}", OPTIMISM, f"--out={tmp_path}/a")
    assert again.returncode == 1
    assert "exists already" in again.stderr


def test_a_dry_run_reads_no_parameters(tiny, tmp_path):
    """It works where there are none: only the configuration and the tokenizer."""
    model, _ = tiny
    shutil.copytree(model, tmp_path / "bare")
    (tmp_path / "bare/model.safetensors").unlink()
    flags = (f"--model={tmp_path}/bare", OPTIMISM, "--dry_run", "--positions=all,last")
    done = run_here("extract.py", *flags)
    assert done.returncode == 0, done.stderr
    parameters = personascan.load_model(str(model), cache=False).params
    count = sum(p.size for p in jax.tree.leaves(parameters))
    assert f"parameters        {count:,} ({count * 4 / 1000:.3g} kB)" in done.stdout
    for name in ("tokens", "batches", "memory", "activations kept", "FLOPs", "time"):
        assert f"\n{name}" in done.stdout


def test_layers_that_are_named_are_all_that_is_read(tiny, tmp_path):
    """final_norm comes with every layer, or where it is named."""
    model, _ = tiny
    asked = [f"--model={model}", OPTIMISM, "--limit=2", "--layers=1"]
    for more, sites in (([], {"resid_post"}), (["--sites=final_norm"], {"final_norm"})):
        out = tmp_path / f"{len(more)}.npz"
        done = run_here("extract.py", *asked, *more, f"--out={out}")
        assert done.returncode == 0, done.stderr
        assert {place.site for place in personascan.Activations.load(out)} == sites


def test_a_study_is_planned_as_well(tiny, tmp_path, monkeypatch):
    """What a unit takes is measured elsewhere."""
    model, _ = tiny
    monkeypatch.setattr(plan, "time_units", lambda *asked: UnitTimes({}, 0.0))
    done = run_here(
        "study.py", "--config=configs/demo.py", f"--config.models=('{model}',)",
        f"--config.out={tmp_path}/out", "--dry_run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "statements        1,200" in done.stdout
    assert not (tmp_path / "out").exists()


def test_verify_prints_every_layer_and_where_transformers_has_it(tiny):
    model, _ = tiny
    done = run_here("verify.py", f"--model={model}")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["resid_pre", "0", "hidden_states[0]"] in [row[:3] for row in rows]
    assert ["resid_post", "1", "hidden_states[2]"] in [row[:3] for row in rows]
    assert ["mlp_hidden", "2", "a", "hook's", "input"] in [row[:5] for row in rows]
    assert ["head_out", "0", "a", "hook's", "input"] in [row[:5] for row in rows]
    assert ["final_norm", "hidden_states[3]"] in [row[:2] for row in rows]
    assert "within 1e-05" in done.stdout
    strict = run_here("verify.py", f"--model={model}", "--bound=1e-9")
    assert strict.returncode == 1
    assert "ABOVE 1e-09" in strict.stdout


@pytest.mark.slow
def test_compilations_are_kept_between_runs(tiny, tmp_path):
    model, env = tiny
    env = alone(env)
    kept = pathlib.Path(env["PERSONASCAN_CACHE"]) / "compiled"
    flags = (f"--model={model}", OPTIMISM, "--limit=3", f"--out={tmp_path}/a.npz")
    assert run("extract.py", *flags, env=env).returncode == 0
    first = sorted(p.name for p in kept.iterdir())
    assert any("forward" in name for name in first)
    again = run("extract.py", *flags, env=env)
    assert again.returncode == 1
    assert "exists already" in again.stderr
    assert run("extract.py", *flags, "--overwrite", env=env).returncode == 0
    assert sorted(p.name for p in kept.iterdir()) == first


@pytest.mark.parametrize(
    ("script", "flags"),
    [
        ("extract.py", ["--model=nowhere", OPTIMISM, "--out=/proc/nowhere/x.npz"]),
        ("extract.py", ["--model=nowhere", OPTIMISM, "--out=/proc/nowhere/x"]),
        ("scan.py", ["--background=no.npy", "--evaluation=no.npy", "--out=/proc/nowhere/x"]),
        ("power.py", ["--out=/proc/nowhere/x"]),
        (
            "study.py",
            ["--config=configs/demo.py", "--config.models=('no',)", "--config.out=/proc/no/x"],
        ),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_anything_else(script, flags):
    """Even before the model or the rows are found to be missing."""
    done = run_here(script, *flags)
    assert done.returncode == 1
    assert re.match(r"error: /proc/no.* cannot be written \(.*\n$", done.stderr)
