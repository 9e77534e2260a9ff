"""What a study loses when it is killed, its stored units damaged, its disk full: nothing.

A small study of two personas through `scripts/study.py`, over and over in one folder.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time

import numpy as np

from benchmarks.tally import SCRIPTS, STARVED, Tally, flip

ROOT = SCRIPTS.parent
SMALL = (
    "--config.personas=('optimism','frugality')", "--config.limit=30", "--config.layers=()",
    "--config.separation.seeds=1", "--config.runs.background=12", "--config.runs.clean=6",
    "--config.runs.positive=6", "--config.runs.runs=6", "--config.scan.starts=3",
    "--config.where.permutations=39", "--config.where.fold_permutations=19",
    "--config.scan.places=('chosen','resid_post 50% last')",
)  # fmt: skip


class StudyPlace:
    """A folder with a study as one undisturbed run leaves it."""

    def __init__(self, folder: pathlib.Path, model: str):
        self.folder, self.model = folder, model
        self.environment = os.environ | {"PERSONASCAN_CACHE": str(folder / "cache")}
        self.whole = folder / "whole"
        self.run(self.whole)  # compiles
        shutil.rmtree(self.whole)
        began = time.perf_counter()
        self.run(self.whole)
        self.seconds = time.perf_counter() - began
        self.expected = results(self.whole)

    def command(self, out: pathlib.Path) -> list[str]:
        flags = (f"--config.models=('{self.model}',)", f"--config.out={out}", *SMALL)
        config = f"--config={ROOT / 'configs/demo.py'}"
        return [sys.executable, str(SCRIPTS / "study.py"), config, *flags]

    def run(self, out: pathlib.Path, limit: int | None = None) -> subprocess.CompletedProcess:
        """One run; with `limit`, no file of it can have more bytes than that."""
        command = self.command(out)
        if limit:
            command = [sys.executable, "-c", STARVED, str(limit), *command]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True)

    def kill(self, out: pathlib.Path, seconds: float) -> bool:
        """Start a run and kill it after so long; whether it had not ended by itself."""
        process = subprocess.Popen(
            self.command(out), env=self.environment, stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return True
        return False


def results(out: pathlib.Path) -> dict[str, bytes]:
    """The files of a finished study, but for its units and its journal."""
    found = {p.relative_to(out).as_posix(): p for p in out.rglob("*") if p.is_file()}
    return {
        name: p.read_bytes()
        for name, p in found.items()
        if not name.startswith("units/") and name != "study.log"
    }


def units(out: pathlib.Path) -> set[str]:
    """The records of finished units."""
    return {p.name for p in (out / "units").glob("*/*.json") if not p.name.startswith(".")}


def killed(place: StudyPlace, tries: int, rng):
    """Killed at random moments, the same command each time, until it ends by itself."""
    tally = Tally("study killed, then gone on with", tries)
    out, before, kills = place.folder / "killed", set(), 0
    while kills < tries:
        if place.kill(out, rng.uniform(0, place.seconds)):
            kills += 1
            now = units(out) if out.exists() else set()
            tally.lost += bool(before - now)
            before = now
            continue
        same = results(out) == place.expected
        tally.unchanged += same
        tally.lost += not same
        shutil.rmtree(out)
        before = set()
    done = place.run(out)
    same = done.returncode == 0 and results(out) == place.expected
    left = [p.name for p in (out / "units").glob("*/.*")]
    tally.anew += kills
    tally.unchanged += same
    tally.lost += not same or bool(left)
    shutil.rmtree(out)
    yield tally.record()


def damaged_units(place: StudyPlace, tries: int, rng):
    """A flipped bit in any file of the units; the next run names it and makes it anew."""
    tally = Tally("bit flipped in a unit of a study", tries)
    out = place.folder / "damaged"
    for _ in range(tries):
        shutil.copytree(place.whole, out)
        files = sorted(p for p in (out / "units").rglob("*") if p.is_file())
        file = files[rng.integers(len(files))]
        flip(file, rng)
        done = place.run(out)
        named = done.returncode == 0 and file.name in done.stderr
        same = results(out) == place.expected
        tally.anew += named and same
        tally.lost += not (named and same)
        shutil.rmtree(out)
    yield tally.record()


def full_disks(place: StudyPlace, tries: int, rng):
    """No file can be larger than a few bytes up to nearly what is needed; then there is room."""
    files = [p for p in place.whole.rglob("*") if p.is_file()]
    needed = max(p.stat().st_size for p in files)
    tally = Tally("disk full in a study, then gone on with", tries)
    out = place.folder / "full"
    for _ in range(tries):
        done = place.run(out, limit=int(np.exp(rng.uniform(0, np.log(needed)))))
        said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        tally.refused += done.returncode == 1 and len(said) == 1
        kept = units(out) if out.exists() else set()
        again = place.run(out)
        same = again.returncode == 0 and results(out) == place.expected
        whole = same and kept <= units(out) and done.returncode == 1 and len(said) == 1
        tally.lost += not whole
        shutil.rmtree(out)
    yield tally.record()


PARTS = {"study-kills": killed, "study-units": damaged_units, "study-disks": full_disks}
