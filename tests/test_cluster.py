"""A study on a Dask cluster: a scheduler and two workers on loopback, one killed in the middle."""

import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest
from distributed import LocalCluster
from tiny_studies import files_of, recipe, run_study

import personascan
from personascan.study import cluster as cluster_module
from personascan.versions import installed_versions

# No dashboard, no memory limits, and whatever the workers leave in a folder of the test's own.
QUIET = os.environ | {"DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "False"}


def started(folder, *arguments):
    command = [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]]
    with (folder / f"{arguments[0]}-{time.time_ns()}.log").open("w") as log:
        return subprocess.Popen(command, cwd=folder, env=QUIET, stdout=log, stderr=log)


@pytest.fixture
def cluster(tmp_path):
    """(address, workers) of a scheduler and two workers, ended afterwards."""
    file = tmp_path / "scheduler.json"
    scheduler = started(
        tmp_path, "dask_scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard",
        f"--scheduler-file={file}",
    )  # fmt: skip
    workers = []
    try:
        deadline = time.monotonic() + 60
        while not file.exists() or not file.read_text().strip():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        workers += [
            started(
                tmp_path, "dask_worker", address, "--nthreads=1", "--no-nanny", "--no-dashboard",
                "--host=127.0.0.1", "--death-timeout=60", f"--local-directory={tmp_path}",
            )
            for _ in range(2)
        ]  # fmt: skip
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_worker_is_killed_and_the_tables_are_the_same(place, cluster, tmp_path):
    address, workers = cluster
    alone = recipe(place, out="alone")
    run_study(alone)
    shared = recipe(place, out="shared", units="")
    units = place / "shared/units"
    script = (
        "import json, sys, personascan\n"
        "personascan.run_study(json.loads(sys.argv[1]), scheduler=sys.argv[2])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(shared), address],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    while process.poll() is None and len(list(units.glob("where/*.json"))) < 4:
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()[0]
    workers[0].kill()
    workers[0].wait()
    said = process.communicate(timeout=300)[0]  # a study that hangs would hold the suite
    assert process.returncode == 0, said
    expected, found = files_of(pathlib.Path(alone["out"])), files_of(place / "shared")
    differing = {name for name, content in found.items() if expected[name] != content}
    assert found.keys() == expected.keys()
    assert differing <= {"study.json", "sha256.json"}


DONE = []


def note(number):
    """A call of a worker that is a thread of this process."""
    DONE.append((number, threading.current_thread() is threading.main_thread()))


def test_one_worker_with_one_thread_does_all_and_is_asked_for_its_version(monkeypatch):
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as local:
        with cluster_module.cluster(local.scheduler_address):
            cluster_module.by_cluster(note, [(n,) for n in range(4)], "calls", "calls")
        assert sorted(DONE) == [(n, False) for n in range(4)]
        asked = []
        monkeypatch.setattr(cluster_module, "check_workers", asked.append)
        with cluster_module.cluster(local.scheduler_address):
            assert [list(found.values()) for found in asked] == [[installed_versions()]]


@pytest.mark.slow
def test_a_scheduler_that_is_not_there_is_one_line(place):
    config = recipe(place, out="nowhere")
    with pytest.raises(personascan.InputError, match="no Dask scheduler answers at tcp://127"):
        personascan.run_study(config, scheduler="tcp://127.0.0.1:9")
    with pytest.raises(personascan.InputError, match="no Dask scheduler answers at over there"):
        personascan.run_study(config, scheduler="over there")
