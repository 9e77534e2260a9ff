"""What is lost when stored files are damaged, processes killed, disks full: it should be nothing.

Each part tries many times and yields one record a kind: how often what was stored was made anew,
refused, or unchanged; `lost` counts numbers that changed, or files that went, without a word.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks import study_damage
from benchmarks.tally import SCRIPTS, STARVED, Tally, flip
from personascan.errors import InputError
from personascan.sources.store import Activations

LIMIT = 6  # statements a direction


class Workplace:
    """A folder with statements' activations as one undisturbed run leaves them."""

    def __init__(self, folder: pathlib.Path, model: str, statements: str):
        self.folder, self.model, self.statements = folder, model, statements
        self.environment = os.environ | {"PERSONASCAN_CACHE": str(folder / "cache")}
        self.whole = folder / "whole"
        self.extract(self.whole)
        self.extract(folder / "whole.npz")
        self.expected = Activations.load(self.whole)

    def command(self, out: pathlib.Path) -> list[str]:
        flags = (f"--model={self.model}", f"--statements={self.statements}", f"--out={out}")
        return [sys.executable, str(SCRIPTS / "extract.py"), *flags, f"--limit={LIMIT}"]

    def extract(self, out: pathlib.Path, limit: int | None = None) -> subprocess.CompletedProcess:
        """One run; with `limit`, no file of it can have more bytes than that."""

        command = self.command(out)
        if limit:
            command = [sys.executable, "-c", STARVED, str(limit), *command]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True)

    def is_expected(self, out: pathlib.Path) -> bool:
        found = Activations.load(out)
        return found.ids == self.expected.ids and all(
            np.array_equal(found.stacks[key], array) for key, array in self.expected.stacks.items()
        )


def damaged_results(place: Workplace, tries: int, rng):
    """A flipped bit in what `extract` wrote, as a folder and as one file."""
    for kind, source in (("folder", place.whole), ("npz", place.folder / "whole.npz")):
        tally = Tally(f"bit flipped in the {kind} of extract", tries)
        for _ in range(tries):
            copy = place.folder / f"copy{source.suffix}"
            shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
            files = sorted(copy.iterdir()) if copy.is_dir() else [copy]
            flip(files[rng.integers(len(files))], rng)
            try:
                same = place.is_expected(copy)
            except InputError:
                tally.refused += 1
            else:
                tally.unchanged += same
                tally.lost += not same
            shutil.rmtree(copy) if copy.is_dir() else copy.unlink()
        yield tally.record()


def damaged_copies(place: Workplace, tries: int, rng):
    """A flipped bit in a kept conversion of the model, and in a kept compilation."""
    for kind in ("converted", "compiled"):
        tally = Tally(f"bit flipped in what is kept {kind}", tries)
        for number in range(tries):
            files = sorted(p for p in (place.folder / "cache" / kind).rglob("*") if p.is_file())
            flip(files[rng.integers(len(files))], rng)
            out = place.folder / f"{kind}-{number}"
            done = place.extract(out)
            if done.returncode == 0 and place.is_expected(out):
                tally.anew += "anew" in done.stderr
                tally.unchanged += "anew" not in done.stderr
            else:
                tally.lost += 1
            shutil.rmtree(out, ignore_errors=True)
        yield tally.record()


def killed(place: Workplace, tries: int, rng):
    """Killed at any moment, then started again."""
    tally = Tally("killed, then started again", tries)
    began = time.perf_counter()
    place.extract(place.folder / "timed")
    seconds = time.perf_counter() - began
    for number in range(tries):
        out = place.folder / "kills" / f"{number}"
        process = subprocess.Popen(
            place.command(out), env=place.environment, stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(rng.uniform(0, seconds))
        process.kill()
        process.wait()
        if out.exists():
            tally.unchanged += place.is_expected(out)
            tally.lost += not place.is_expected(out)
            continue
        done = place.extract(out)
        left = [p.name for p in out.parent.iterdir() if p.name.startswith(".")]
        whole = done.returncode == 0 and place.is_expected(out) and not left
        tally.anew += whole
        tally.lost += not whole
    yield tally.record()


def full_disks(place: Workplace, tries: int, rng):
    """No file can be larger than a few bytes up to nearly what is needed."""
    needed = max(p.stat().st_size for p in place.whole.iterdir())
    tally = Tally("disk full", 2 * tries)
    for number in range(tries):
        for name in (f"full-{number}", f"full-{number}.npz"):
            out = place.folder / "full" / name
            done = place.extract(out, limit=int(rng.integers(1, needed)))
            said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
            clean = not out.exists() and not list((place.folder / "full").glob(".*"))
            refused = done.returncode == 1 and len(said) == 1 and clean
            tally.refused += refused
            tally.lost += not refused
    yield tally.record()


PARTS = {
    "results": damaged_results,
    "copies": damaged_copies,
    "kills": killed,
    "disks": full_disks,
}


def measure_damage(parts: list[str], model: str, statements: str, tries: int, seed: int):
    """The records of each part, in a temporary folder with a cache of its own."""
    places = ((PARTS, lambda f: Workplace(f, model, statements)),
              (study_damage.PARTS, lambda f: study_damage.StudyPlace(f, model)))  # fmt: skip
    for known, opened in places:
        chosen = [part for part in parts if part in known]
        if not chosen:
            continue
        with tempfile.TemporaryDirectory(prefix="personascan-damage-") as folder:
            place = opened(pathlib.Path(folder))
            for part in chosen:
                yield from known[part](place, tries, np.random.default_rng(seed))
