"""A script that is interrupted, killed or starved ends in one line, with nothing left behind."""

import functools
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import alone
from tiny_models import save_tiny_llama

from personascan.commands import COMMANDS
from personascan.compilations import note_hashes, remove_damaged

ROOT = pathlib.Path(__file__).parents[1]
ENDED = "interrupted: nothing was written"
# A script whose work waits inside everything that has something to clean up.
WAITING = """
from personascan.command import run
import sys, time

def main(_):
    from personascan.errors import InputError
    from personascan.files import whole_folder
    with whole_folder(sys.argv[1].removeprefix("--out=")) as partial:
        (partial / "half").write_text("half")
        print("working", flush=True)
        {work}

from absl import flags
flags.DEFINE_string("out", "", "")
run(main, heavy=())
"""
WAITS = "time.sleep(60)"
SWALLOWS = "\n        ".join(
    ("for _ in range(2):", "    try:", "        time.sleep(60)", "    except BaseException:",
     "        if _: raise"),
)  # fmt: skip


def start(*command, **more):
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return subprocess.Popen([sys.executable, *command], cwd=ROOT, **pipes, **more)


def catches(process, number) -> bool:
    """Whether the process has a handler of its own for a signal."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
    caught = next(line.split()[1] for line in status if line.startswith("SigCgt"))
    # Python catches SIGINT from its own start on, so the last of them tells.
    return all(int(caught, 16) >> (n - 1) & 1 for n in (number, signal.SIGHUP))


def environment(folder):
    return os.environ | {"PERSONASCAN_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}


SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
slow = functools.partial(pytest.param, marks=pytest.mark.slow)


SCRIPT, COMMAND = ("scripts/extract.py",), ("-m", "personascan", "extract")


@pytest.mark.parametrize(
    ("program", "number", "seconds"),
    [
        *zip((SCRIPT, COMMAND, SCRIPT), SIGNALS, (0.4, 0, 1.2), strict=True),
        *(slow(SCRIPT, *one) for one in zip(SIGNALS, (0, 1.2, 0.4), strict=True)),
        *(slow(SCRIPT, *one) for one in zip(SIGNALS, (1.2, 0.4, 0), strict=True)),
        *(slow(COMMAND, *one) for one in zip(SIGNALS, (0, 0.4, 1.2), strict=True)),
    ],
)
def test_a_signal_while_modules_are_imported_is_one_line(tmp_path, program, number, seconds):
    process = start(*program, "--statements=data/statements", f"--out={tmp_path}/a")
    while not catches(process, number):
        assert process.poll() is None
        time.sleep(0.005)
    time.sleep(seconds)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (out, err.strip()) == ("", ENDED)
    assert process.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "work"),
    [
        (signal.SIGINT, WAITS),
        (signal.SIGTERM, SWALLOWS),
        slow(signal.SIGHUP, WAITS),
        slow(signal.SIGINT, SWALLOWS),
        slow(signal.SIGTERM, WAITS),
        slow(signal.SIGHUP, SWALLOWS),
    ],
)
def test_a_signal_at_work_leaves_nothing(tmp_path, number, work):
    """Not even where some library swallows the first exception."""
    (tmp_path / "out").mkdir()
    script = WAITING.replace("{work}", work)
    process = start("-c", script, f"--out={tmp_path}/out/a", env=environment(tmp_path))
    assert process.stdout.readline() == "working\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert err.strip() == ENDED
    assert process.returncode == 128 + number
    assert list((tmp_path / "out").iterdir()) == []


# {what a script does: what it then says on standard error}.
ENDS = {
    "raise MemoryError('no 8 GiB')": "error: memory ran out (no 8 GiB); use smaller batch",
    "raise RuntimeError('RESOURCE_EXHAUSTED: x')": "error: memory ran out (RESOURCE",
    r"raise InputError('bad \x1b[3m\u202e\0 name')": r"error: bad \x1b[3m\u202e\x00 name",
    r"print('\u00b1 \u4e2d')": "",
}


def test_what_ends_a_script_is_one_line_on_any_terminal(tmp_path):
    """One after the other, in a process that shows ASCII alone."""
    script = (
        "from personascan.command import run\n"
        "from personascan.errors import InputError\n"
        "import sys\n"
        f"for work in {list(ENDS)}:\n"
        "    try:\n"
        "        run(lambda _: exec(work), heavy=())\n"
        "    except SystemExit as ended:\n"
        "        print(ended.code or '', file=sys.stderr)\n"
    )
    narrow = environment(tmp_path) | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    out, err = start("-c", script, env=narrow).communicate(timeout=120)
    assert out == "\\xb1 \\u4e2d\n"
    said = err.splitlines()
    assert len(said) == len(ENDS)
    for line, told in zip(said, ENDS.values(), strict=True):
        assert line.startswith(told)
        assert bool(line) == bool(told)
    assert "\x1b" not in err


def first_import(text) -> str:
    """The first line behind the docstring."""
    return next(line for line in text.split('"""')[2].splitlines() if line.strip())


@pytest.mark.parametrize("module", ["__main__", *(f"commands/{name}" for name in COMMANDS)])
def test_a_command_answers_signals_from_its_first_import_on(module):
    text = (ROOT / f"personascan/{module}.py").read_text()
    assert first_import(text).startswith("from personascan.command import ")


SCRIPTS = sorted(p.name for p in (ROOT / "scripts").glob("*.py"))
PLAIN = "constraints.py", "check_bounds.py"  # they run where the package is not installed


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name not in PLAIN])
def test_a_script_answers_signals_from_its_first_import_on(script):
    text = (ROOT / "scripts" / script).read_text()
    assert first_import(text).startswith(
        ("from personascan.command import ", "from personascan.commands.")
    )


SHOWN = "study.py", "scan.py", "check_bounds.py"  # of a recipe, of flags, without absl


@pytest.mark.parametrize("script", [n if n in SHOWN else slow(n) for n in SCRIPTS])
def test_help_is_no_failure_and_comes_soon(script):
    done = subprocess.run(
        [sys.executable, f"scripts/{script}", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_a_worker_ends_with_its_parent(tmp_path):
    code = """
import os, sys, time
from personascan.workers import in_processes

def work(number):
    open(sys.argv[1] + f"/{os.getpid()}", "w").close()
    time.sleep(60)

in_processes(work, [(i,) for i in range(4)], 2, "work", "calls")
"""
    process = start("-c", code, str(tmp_path), env=environment(tmp_path))
    while len(list(tmp_path.iterdir())) < 2:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    workers = [int(p.name) for p in tmp_path.iterdir()]
    process.kill()
    process.communicate()
    for _ in range(200):
        if not any(pathlib.Path(f"/proc/{worker}/cmdline").exists() for worker in workers):
            break
        time.sleep(0.05)
    else:
        pytest.fail("a worker outlives its parent")


def test_a_killed_worker_is_one_line(tmp_path):
    from personascan.errors import InputError
    from personascan.workers import in_processes

    with pytest.raises(InputError, match="worker processes of work was ended from outside"):
        in_processes(ends_itself, [(1,), (2,)], 2, "work", "calls")


@pytest.mark.slow
def test_workers_hear_no_interrupt_from_their_first_moment():
    """A terminal sends it to all of them; their parent alone answers, and they end with it."""
    from personascan.workers import in_processes

    assert in_processes(is_deaf, [(n,) for n in range(4)], 2, "work", "calls") == [True] * 4


def is_deaf(_) -> bool:
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def ends_itself(_):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_damaged_compilations_are_made_anew_once(tmp_path):
    save_tiny_llama(tmp_path / "model")
    command = [
        sys.executable, "scripts/extract.py", f"--model={tmp_path}/model", "--limit=2",
        "--statements=data/statements/optimism.jsonl", f"--out={tmp_path}/a.npz", "--overwrite",
    ]  # fmt: skip
    compiled, hashes = tmp_path / "cache/compiled", tmp_path / "cache/compiled-hashes"

    def notes():
        done = subprocess.run(
            command, cwd=ROOT, env=alone(environment(tmp_path)), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        said = done.stderr.splitlines()
        return [line for line in said if "compil" in line.lower() or "cache" in line.lower()]

    assert notes() == []
    entries = sorted(compiled.glob("*-cache"))
    assert entries
    assert {p.name for p in entries} < {p.name for p in hashes.iterdir()}
    content = bytearray(entries[0].read_bytes())
    content[len(content) // 2] ^= 1
    entries[0].write_bytes(content)
    assert notes() == ["note: 1 damaged compilations are made anew"]
    assert sorted(compiled.glob("*-cache")) == entries
    assert entries[0].read_bytes() != content
    assert remove_damaged(compiled, hashes, alone=True) == 0


def test_a_compilation_without_a_hash_is_trusted_only_while_others_work(tmp_path):
    """A process killed before it noted the hash leaves one; so does one that is at work."""
    compiled, hashes = tmp_path / "compiled", tmp_path / "hashes"
    compiled.mkdir()
    hashes.mkdir()
    for name in ("a-cache", "b-cache"):
        (compiled / name).write_text(name)
    note_hashes(compiled, hashes)
    (hashes / "a-cache").unlink()
    assert remove_damaged(compiled, hashes, alone=False) == 0
    assert len(list(compiled.iterdir())) == 2
    assert remove_damaged(compiled, hashes, alone=True) == 0
    assert [p.name for p in compiled.iterdir()] == ["b-cache"]
    (compiled / "b-cache").write_text("flipped")
    assert remove_damaged(compiled, hashes, alone=False) == 1
    assert not list(compiled.iterdir())


def test_a_cache_that_cannot_be_used_is_done_without(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/compiled-hashes").write_text("no folder")
    code = (
        "import jax; from personascan.compilations import keep_compilations; "
        "keep_compilations(); print(jax.config.jax_compilation_cache_dir)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=alone(environment(tmp_path)),
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("None\n", "")


def test_a_narrow_limit_of_addresses_is_one_line():
    narrow = (
        "import os, resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); "
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    process = start("-c", narrow, "scripts/scan.py", "--background=a", "--evaluation=b")
    _, err = process.communicate(timeout=60)
    assert err.startswith("error: this process may use 1.0 GiB of addresses (ulimit -v)")
    assert process.returncode == 1


@pytest.mark.slow
def test_a_signal_while_a_device_computes_ends_as_any_other(tmp_path):
    rng = np.random.default_rng(0)
    for name, rows in (("a", 60), ("b", 40)):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(rows, 400)))
    flags = [f"--background={tmp_path}/a.npy", f"--evaluation={tmp_path}/b.npy"]
    out = f"--out={tmp_path}/out/found.json"
    process = start("scripts/scan.py", *flags, out, "--starts=300000", env=environment(tmp_path))
    while not (tmp_path / "out").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    time.sleep(4)  # compiled, and at it
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert err.strip() == ENDED
    assert process.returncode == 128 + signal.SIGTERM
    assert not (tmp_path / "out").exists()


def test_an_interrupt_inside_a_callback_is_not_printed(tmp_path):
    """As JAX's of the garbage collector, where Python can only print what is raised."""
    lines = (
        "import gc",
        "def raised(*_):",
        "    gc.callbacks.clear()",
        "    raise kind('inside a callback')",
        "for kind in (KeyboardInterrupt, ValueError):",
        "    gc.callbacks.append(raised)",
        "    gc.collect()",
    )
    work = "\n        ".join(lines)
    (tmp_path / "work.py").write_text(WAITING.replace("{work}", work))
    process = start(str(tmp_path / "work.py"), f"--out={tmp_path / 'a'}", env=environment(tmp_path))
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 0, said
    assert said.count("Traceback") == 1
    assert "ValueError: inside a callback" in said
    assert "KeyboardInterrupt" not in said


def test_a_run_that_does_not_unwind_is_ended_all_the_same(tmp_path):
    """A library that swallows every interrupt holds it up for a while, and no longer."""
    script = tmp_path / "stuck.py"
    script.write_text(
        "from personascan import command\n"
        "import time\n"
        "command.GIVE_UP_SECONDS = 3\n"
        "def main(_):\n"
        "    print('begun', flush=True)\n"
        "    while True:\n"
        "        try:\n"
        "            time.sleep(60)\n"
        "        except BaseException:\n"
        "            pass\n"
        "command.run(main, interrupted='interrupted: go on with it', heavy=())\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1] == "interrupted: go on with it\n"
    assert process.returncode == 128 + signal.SIGINT
