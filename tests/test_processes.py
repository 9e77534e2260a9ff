"""Several processes on this machine as one: the answers of one process, and one that is lost."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny_models import save_tiny_llama

import personascan
from personascan.fatal_reports import JOINED, read

ROOT = pathlib.Path(__file__).parents[1]
HEARTBEAT = 10  # seconds; JAX's own needs a few of them
# Each process takes a mesh of each kind that its number of processes can share.
WORK = """
import sys
import jax
from personascan import processes

folder, out, meshes, coordinator, count, number = sys.argv[1:]
detected = coordinator == "detected"
there = () if detected else (coordinator, int(count), int(number))
jax.config.update("jax_num_cpu_devices", 2)
processes.join(*there, timeout=60, heartbeat=10)
import personascan
from personascan.sharding import parse_mesh

texts = [f"I {'really ' * (i % 5)}like number {i}" for i in range(11)]
statements = [personascan.Statement(f"s{i}", t, "p", "", True, 1.0, "")
              for i, t in enumerate(texts)]
options = dict(sites=("resid_post", "final_norm"), positions=("last", "mean"),
               batch_tokens=150, progress=False)
with processes.end_all_on_error(10):
    for mesh in meshes.split(","):
        shape = parse_mesh(mesh)
        model = personascan.load_model(folder + "/model", mesh=shape)
        held = {p.shape[-2:]: p.addressable_shards[0].data.size / p.size
                for p in (model.params["blocks"]["q"], model.params["blocks"]["down"])}
        assert set(held.values()) == {1 / shape.shape["model"]}, held
        found = personascan.extract(model, statements, **options)
        found.save(f"{out}/{mesh}.{number}.npz")
    kept = personascan.extract(model, statements, out=out + "/kept", **options)
    assert (len(kept.stacks) == 4) == processes.is_first(), kept.stacks.keys()
    print("done", number, flush=True)
"""


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def launch(command, folder, **more):
    environment = os.environ | {"PERSONASCAN_CACHE": f"{folder}/cache", "PYTHONPATH": str(ROOT)}
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment | more, **pipes)


def ended(started) -> list[tuple[int, str, str]]:
    """(status, output, errors) of each process."""
    done = [process.communicate(timeout=240) for process in started]
    return [(p.returncode, out, err) for p, (out, err) in zip(started, done, strict=True)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A folder with a model, and what one process without a mesh makes of it."""
    folder = tmp_path_factory.mktemp("processes")
    save_tiny_llama(folder / "model", num_attention_heads=8, num_key_value_heads=4, hidden_size=64)
    texts = [f"I {'really ' * (i % 5)}like number {i}" for i in range(11)]
    statements = [
        personascan.Statement(f"s{i}", t, "p", "", True, 1.0, "") for i, t in enumerate(texts)
    ]
    found = personascan.extract(
        personascan.load_model(str(folder / "model"), cache=False), statements,
        sites=("resid_post", "final_norm"), positions=("last", "mean"),
        batch_tokens=150, progress=False,
    )  # fmt: skip
    return folder, found.stacks


def compare(found: dict, one: dict, mesh: str) -> None:
    """The same bits where whole batches go to devices, 1e-5 where parameters are split."""
    assert found.keys() == one.keys()
    for key, expected in one.items():
        if mesh.endswith("x1"):
            np.testing.assert_array_equal(found[key], expected, err_msg=f"{mesh} {key}")
            continue
        error = np.linalg.norm(found[key] - expected, axis=-1)
        assert (error / np.linalg.norm(expected, axis=-1)).max() <= 1e-5, (mesh, key)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "meshes", "detected"),
    [(2, "1x2", False), (2, "2x1,1x2", False), (4, "2x2", True)],
)
def test_processes_give_the_answer_of_one(alone, tmp_path, count, meshes, detected):
    """Joined by an address, or as JAX detects them under SLURM; all of them get all arrays."""
    folder, one = alone
    port = free_port()
    there = "detected" if detected else f"127.0.0.1:{port}"
    slurm = {
        "SLURM_JOB_ID": "1", "SLURM_STEP_NODELIST": "127.0.0.1", "SLURM_NTASKS": str(count),
        "JAX_COORDINATOR_PORT": str(port), "JAX_COORDINATOR_BIND_ADDRESS": f"127.0.0.1:{port}",
    }  # fmt: skip
    started = []
    for number in range(count):
        own = {"SLURM_PROCID": str(number), "SLURM_LOCALID": str(number)}
        command = ["-c", WORK, str(folder), str(tmp_path), meshes, there, str(count), str(number)]
        started.append(launch(command, folder, **(slurm | own if detected else {})))
    for number, (status, out, err) in enumerate(ended(started)):
        assert (status, out, err) == (0, f"done {number}\n", "")
    for mesh in meshes.split(","):
        for number in range(count):
            found = personascan.Activations.load(tmp_path / f"{mesh}.{number}.npz")
            compare(found.stacks, one, mesh)
    kept = personascan.Activations.load(tmp_path / "kept")
    compare(kept.stacks, one, meshes.split(",")[-1])


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_process_ends_the_others_in_one_line(alone, tmp_path, lost):
    folder, _ = alone
    port = free_port()
    started = [
        launch(
            [
                "scripts/extract.py", f"--model={folder}/model", "--limit=40", "--mesh=1x2",
                "--statements=data/statements/optimism.jsonl", f"--out={tmp_path}/out",
                "--batch_tokens=100", "--positions=last,all", f"--coordinator=127.0.0.1:{port}",
                "--processes=2", f"--process={number}", f"--heartbeat_seconds={HEARTBEAT}",
            ],
            folder,
        )
        for number in range(2)
    ]  # fmt: skip
    said = ""
    while not re.search(r" [1-9]\d*/\d+ \[", said):  # until a batch is done
        more = started[0].stderr.read(1)
        assert more, said
        said += more
    started[lost].send_signal(signal.SIGKILL)
    killed = time.monotonic()
    results = ended(started)
    assert time.monotonic() - killed < 6 * HEARTBEAT
    assert results[lost][0] == -signal.SIGKILL
    status, out, err = results[1 - lost]
    assert status != 0
    assert out == ""
    lines = [line for line in err.splitlines() if "activations:" not in line and line.strip()]
    told = [line for line in lines if not line.startswith("note: ")]
    assert told == [f"error: process {lost} of 2 was lost; start all of them again"]


@pytest.mark.slow
def test_what_cannot_be_joined_is_one_line(tmp_path):
    """Nobody listens there; and an error of one process does not wait for the others."""
    code = "from personascan.processes import join; join('127.0.0.1:{}', 2, {}, timeout=2)"
    apart = launch(["-c", code.format(free_port(), 1)], tmp_path)
    port = free_port()
    fails = (
        "from personascan.processes import end_all_on_error, join\n"
        "join('127.0.0.1:{}', 2, {}, timeout=60, heartbeat=10)\n"
        "with end_all_on_error(10):\n"
        "    if {} == 1: raise SystemExit('error: one host lacks a file')\n"
        "    import jax, time\n"
        "    time.sleep(60)\n"
    )
    two = [launch(["-c", fails.format(port, n, n)], tmp_path) for n in range(2)]
    (status, _, err), (waited, _, lost), (own, _, said) = ended([apart, *two])
    assert status != 0
    assert err.startswith("error: the processes did not all reach 127.0.0.1:")
    assert len(err.splitlines()) == 1
    assert (own, said) == (1, "error: one host lacks a file\n")
    assert waited != 0
    assert lost == "error: process 1 of 2 was lost; start all of them again\n"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("a:1", 2), "belong together"),
        (("", None, 0), "belong together"),
        (("nohost", 2, 0), "'nohost' is not of the form HOST:PORT"),
        (("a:1", 2, 2), "process 2 of 2: they are numbered from 0"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(given, message):
    with pytest.raises(personascan.InputError, match=message):
        personascan.join(*given)


def test_native_output_is_passed_on_but_for_reports():
    """What another library logs, or dies of, stays; several lost processes are all named."""
    service = "E1126 01:00:09.859854   11356 coordination_service.cc:1549] [1] Use error polling"
    fatal = (
        "F1126 01:00:09.860496   11374 client.h:80] Terminating process. absl::Status: "
        "UNAVAILABLE: The following tasks are unhealthy (stopped sending heartbeats):\n1\n3\n"
        "The tasks have crashed.\n*** Check failure stack trace: ***\n    @  0x7f main()\n"
    )
    other = "W1126 01:00:09.859854   11356 cuda_executor.cc:12] little memory\n and more of it\n"
    lines = f"[Gloo] Rank 0 is connected to 3 peer ranks.\n{JOINED} 4\n{service}\n1\n{other}{fatal}"
    said = []
    read(lines.splitlines(keepends=True), said.append, "a:1", "5")
    last = "error: processes 1, 3 of 4 were lost; start all of them again\n"
    assert "".join(said) == other + last


@pytest.mark.slow
def test_a_study_is_read_by_two_processes_and_goes_on_when_one_was_lost(made, tmp_path):
    """Lost before anything is read, started again, then finished by one: the tables of one."""
    from tiny_studies import files_of, recipe, run_study, write_recipe

    for name in ("model", "statements"):
        shutil.copytree(made / name, tmp_path / name)
    units = shutil.copytree(made / "units", tmp_path / "alone-units")
    expected = run_study(recipe(tmp_path, out="alone", units=str(units)))
    config = recipe(tmp_path, mesh="2x1")
    path = write_recipe(tmp_path / "recipe.py", config)
    out = pathlib.Path(config["out"])

    def start():
        port = free_port()
        return [
            launch(
                [
                    "scripts/study.py", f"--config={path}", f"--coordinator=127.0.0.1:{port}",
                    "--processes=2", f"--process={n}", f"--heartbeat_seconds={HEARTBEAT}",
                ],
                tmp_path,
            )
            for n in range(2)
        ]  # fmt: skip

    first, lost = start()
    while not (out / "study.log").exists() and first.poll() is None:
        time.sleep(0.05)
    lost.kill()
    ((status, _, said), _) = ended([first, lost])
    assert status != 0
    assert "error: process 1 of 2 was lost; start all of them again" in said
    assert "Traceback" not in said
    (status, shown, said), (other, _, _) = ended(start())
    assert (status, other) == (0, 0), said
    assert "the activations are there" in shown
    run_study(config)
    found, alone = files_of(out), files_of(pathlib.Path(expected.config.out))
    assert {name for name in found if found[name] != alone[name]} <= {"study.json", "sha256.json"}
