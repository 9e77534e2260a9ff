"""The command `personascan`: its help, what it refuses, `locate`, and what an install holds."""

import os
import pathlib
import re
import subprocess
import sys
import textwrap
import types

import numpy as np
import pandas as pd
import pytest
from in_process import run_here
from tiny_studies import write_statements

import personascan
from personascan.commands import COMMANDS

ROOT = pathlib.Path(__file__).parents[1]
HEAVY = {"jax", "numpy", "pandas", "transformers", "scipy", "absl"}


def run(*arguments: str, cwd=ROOT):
    command = [sys.executable, "-m", "personascan", *arguments]
    path = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=path)


def run_command(*arguments: str):
    """In this process."""
    return run_here("../personascan/__main__.py", *arguments)


@pytest.mark.parametrize("asked", [["--help"], ["-h"], ["help"]])
def test_the_overview_names_every_command_in_a_screen(asked):
    done = run_command(*asked)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(COMMANDS)


def test_every_command_has_a_module_and_every_module_that_starts_is_a_command():
    folder = ROOT / "personascan/commands"
    starting = {p.stem for p in folder.glob("*.py") if "\ndef start(" in p.read_text()}
    assert starting == set(COMMANDS)


def test_the_overview_imports_nothing_heavy():
    code = (
        "import runpy, sys; sys.argv[1:] = ['--help']\n"
        "runpy.run_module('personascan', run_name='__main__')\n"
        f"print(sorted({HEAVY} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_no_advice_to_install_torch_heads_what_a_command_prints():
    code = "import sys; sys.modules['torch'] = None\nimport personascan.{}\nimport transformers"
    silent = "TRANSFORMERS_NO_ADVISORY_WARNINGS"  # which a command sets
    env = {name: value for name, value in os.environ.items() if name != silent}
    heads = {
        module: subprocess.run([sys.executable, "-c", code.format(module)], capture_output=True,
                               text=True, cwd=ROOT, env=env).stderr
        for module in ("command", "errors")
    }  # fmt: skip
    assert "PyTorch was not found" in heads["errors"]  # which says nothing to Transformers
    assert heads["command"] == ""


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "bench"])
def test_the_help_of_a_command_names_its_flags_in_a_screen(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    done = run_command(name, "--help")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"usage: personascan {name} ")
    assert len(lines) <= 36
    assert max(map(len, lines)) <= 100
    text = (ROOT / f"personascan/commands/{name}.py").read_text()
    flags = re.findall(r"DEFINE_\w+\(\s*\"(\w+)\"", text)
    assert flags
    shown = re.findall(r"^  --(?:\[no\])?(\w+)", done.stdout, re.MULTILINE)
    assert shown == flags
    assert "repeat this option" not in done.stdout
    assert ("--distributed" in done.stdout) == ("define_processes()" in text)


def test_the_recipe_of_the_studys_help_is_one():
    from personascan.commands import study

    names = {}
    exec(textwrap.dedent(study.__doc__.split("example:\n")[1]), names)
    config = names["get_config"]()
    assert personascan.StudyConfig.from_dict(config.to_dict()).layers == ("50%", "75%")


def test_the_help_of_a_script_is_its_commands():
    done = run_here("scan.py", "--help")
    assert done.returncode == 0
    assert "scan.py --background=... --evaluation=... [--flag=value ...]" in done.stdout
    assert "  --tail=signed" in done.stdout


def test_the_version_is_the_packages():
    done = run_command("--version")
    assert done.stdout == f"personascan {personascan.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["scann"],
            "error: there is no command 'scann'; did you mean scan. the commands are study",
        ),
        (["xyzzy"], "error: there is no command 'xyzzy'; the commands are study"),
        (["--config=x"], "error: --config=x stands where a command is named"),
        (["scan", "--colour=red"], "error: Unknown command line flag 'colour'"),
        (
            ["study", "--statements=x", "--where.permutations=199"],
            r"error: the flag --where\.permutations is unknown; .* --config\.where\.permutations=",
        ),
        (["study", "--seed=1"], r"error: the flag --seed is unknown; .* --config\.seed="),
        (["study"], "error: .*--config=FILE, or --statements=FILE"),
        (["report", "--format=doc"], "error: .*--format"),
    ],
)
def test_mistakes_are_one_line_and_a_non_zero_exit(arguments, message):
    done = run_command(*arguments)
    assert done.returncode == 2
    assert re.match(message, done.stderr), done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_without_a_command_the_overview_is_an_error():
    done = run_command()
    assert done.returncode == 2
    assert done.stderr.startswith("usage: personascan COMMAND")


def test_the_formats_of_a_report_are_those_that_it_can_write():
    from personascan.commands import report
    from personascan.report.files import FORMATS

    assert report.FORMATS == FORMATS


def test_an_interrupted_command_says_how_it_was_called(monkeypatch, tmp_path):
    from personascan.command import invocation

    given = ["study", "--config=my recipe.py"]
    program = tmp_path / "bin/personascan"
    program.parent.mkdir()
    program.touch(mode=0o755)
    for path, called in (
        (str(ROOT / "personascan/__main__.py"), f"{sys.executable} -m personascan"),
        ("scripts/study.py", f"{sys.executable} scripts/study.py"),
        (str(program), str(program)),
    ):
        monkeypatch.setattr(sys, "argv", [path, *given])
        assert invocation() == f"{called} study '--config=my recipe.py'"
    monkeypatch.setenv("PATH", str(program.parent))
    assert invocation() == "personascan study '--config=my recipe.py'"


@pytest.mark.slow
def test_benchmarks_are_those_of_the_checkout():
    done = run("bench", "--part=imports", "--repeats=1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("{")


def test_without_a_checkout_there_are_no_benchmarks(monkeypatch, tmp_path, capsys):
    from personascan.commands import bench

    monkeypatch.setattr(bench, "ROOT", tmp_path)
    with pytest.raises(SystemExit) as ended:
        bench.start(["personascan bench"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: benchmarks are not installed")


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {personascan.__version__}\n" in text
    assert "\nlicense: Apache-2.0\n" in text


def test_a_model_is_verified_outside_a_checkout(tmp_path, monkeypatch):
    """Where no statements lie: on sentences of the command's own."""
    from personascan.commands import verify

    monkeypatch.chdir(tmp_path)
    for name, value in (("STATEMENTS", ""), ("POSITIVE", ""), ("COLUMNS", [])):
        monkeypatch.setattr(verify, name, types.SimpleNamespace(value=value))
    assert verify.text_to_run_on() == "".join(verify.SENTENCES)
    monkeypatch.chdir(ROOT)
    assert verify.text_to_run_on() != "".join(verify.SENTENCES)


# --- locate


ROWS = 40
POSITIVE = np.arange(ROWS) % 2 == 0


@pytest.fixture
def places():
    rng = np.random.default_rng(0)
    found = {name: rng.normal(size=(ROWS, 6)).astype(np.float32) for name in "ab"}
    found["b"] += 2 * POSITIVE[:, None]
    return found


def located(done, out) -> pd.DataFrame:
    assert done.returncode == 0, done.stderr
    return pd.read_csv(out, dtype={"place": str})


def assert_same(frame, expected) -> None:
    pd.testing.assert_frame_equal(frame, expected.to_frame(), check_dtype=False, rtol=1e-9)


@pytest.mark.parametrize("labels", ["npy", "1\n0\n", "+\n-\n\n", "Positive\nnegative\n"])
@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_arrays_are_located_by_labels(places, labels, kind, tmp_path):
    rows, out = tmp_path / f"rows.{kind}", tmp_path / "places.csv"
    label_file = tmp_path / ("labels.npy" if labels == "npy" else "labels.txt")
    if labels == "npy":
        np.save(label_file, POSITIVE)
    else:
        label_file.write_text(labels * (ROWS // 2))
    if kind == "npz":
        np.savez(rows, **places)
    else:
        np.save(rows, places["b"])
    done = run_command(
        "locate", f"--rows={rows}", f"--labels={label_file}", f"--out={out}", "--permutations=99"
    )
    pool = places if kind == "npz" else places["b"]
    assert_same(located(done, out), personascan.locate(pool, POSITIVE, permutations=99))
    assert "highest at" in done.stdout
    assert "family-wise p" in done.stdout


@pytest.mark.parametrize("design", ["", "pairs", "entities"])
def test_a_folder_of_rows_is_located_as_its_labels_are_exchanged(places, design, tmp_path):
    names = {
        "pairs": np.arange(ROWS) // 2,
        "entities": np.arange(ROWS) % 2 + np.arange(ROWS) // 4 * 2,
    }
    more = {design: names[design].astype(str)} if design else {}
    folder = personascan.write_rows(tmp_path / "rows", places, POSITIVE, groups="moods", **more)
    out = tmp_path / "places.csv"
    done = run_command("locate", f"--rows={folder}", f"--out={out}", "--permutations=99")
    frame = located(done, out)
    expected = personascan.locate(places, POSITIVE, permutations=99, **more)
    assert_same(frame, expected)
    again = run_command("locate", f"--rows={folder}", f"--out={out}")
    assert again.returncode == 1
    assert "exists already" in again.stderr


def test_statements_are_located_by_a_model_or_in_what_extract_kept(made, tmp_path):
    statements, model = tmp_path / "statements", f"--model={made}/model"
    write_statements(statements, personas=("calm", "bold"), count=8)
    asked = [f"--statements={statements}", "--permutations=99"]
    several = run_command("locate", *asked, model)
    assert several.returncode == 1
    assert several.stderr == (
        "error: there are several personas; choose one with --persona: calm, bold\n"
    )
    asked.append("--persona=bold")
    frame = located(
        run_command("locate", *asked, model, f"--out={tmp_path}/a.csv"), f"{tmp_path}/a.csv"
    )
    kept = f"{tmp_path}/kept.npz"
    done = run_command(
        "extract", asked[0], model, "--nocache", f"--out={kept}", "--sites=resid_post",
        "--positions=last",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = run_command("locate", *asked, f"--rows={kept}", f"--out={tmp_path}/b.csv")
    again = located(done, f"{tmp_path}/b.csv")
    pd.testing.assert_frame_equal(frame, again, rtol=1e-3)
    assert list(frame.place) == ["resid_post 0, last", "resid_post 1, last", "resid_post 2, last"]
    done = run_command("locate", *asked, model, "--layers=50%", f"--out={tmp_path}/c.csv")
    assert list(located(done, f"{tmp_path}/c.csv").place) == ["resid_post 1, last"]
    labels = tmp_path / "labels.txt"
    labels.write_text("1\n0\n" * 16)
    done = run_command("locate", f"--rows={kept}", f"--labels={labels}", "--permutations=99")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --statements and --model, "),
        (["--rows=a.npz"], "give --statements and --model, "),
        (["--rows=a.npz", "--labels=l", "--model=m"], "give --statements and --model, "),
        (["--rows=no.npz", "--labels=l"], "no.npz cannot be read"),
        (["--rows=a.npy", "--labels=l"], "l does not exist; give a file of labels"),
        (
            ["--rows=a.npy", "--labels=bad.txt"],
            "bad.txt, line 2: the direction is 'maybe'; use positive",
        ),
        (["--rows=a.npy", "--labels=bad.npy"], "bad.npy: labels are one 1 or 0 a row"),
        (["--rows=a.npy", "--labels=few.txt"], "has 40 rows and there are 4 labels"),
        (["--rows=a.npy", "--statements=s.csv"], "a.npy has no ids of statements; give --labels"),
    ],
)
def test_what_cannot_be_located_is_one_line(arguments, message, places, tmp_path):
    np.save(tmp_path / "a.npy", places["b"])
    np.save(tmp_path / "bad.npy", places["b"])
    (tmp_path / "bad.txt").write_text("1\nmaybe\n")
    (tmp_path / "few.txt").write_text("1\n0\n1\n0\n")
    (tmp_path / "s.csv").write_text(
        "id,statement,direction,label_confidence,persona_dim\n"
        "1,I am.,positive,1,p\n2,I was.,negative,1,p\n"
    )
    given = [
        argument.replace("=", f"={tmp_path}/", 1) if "." in argument else argument
        for argument in arguments
    ]
    done = run_command("locate", *given, f"--out={tmp_path}/places.csv")
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "places.csv").exists()
