"""Results of units of work on disk: whole or not at all, named by what decides them, never redone.

A unit is `KIND/KEY.json` with its arrays beside it as `KIND/KEY.NAME.npy`. The JSON file is put in
place last and holds the hash of every array and of itself; nothing is ever unpickled.
"""

import contextlib
import json
import os
import pathlib
import secrets
import shutil
from dataclasses import dataclass

import numpy as np

from personascan.copies import discard
from personascan.errors import InputError
from personascan.files import FULL, reserve
from personascan.hashes import file_sha256
from personascan.memory import human_bytes
from personascan.study.units import Unit, sha256_of

MARK = ".partial-"  # in the name of what is being written
AGAIN = "run the study's command again, which computes it anew"


@dataclass(frozen=True)
class Result:
    """What a unit gave. Arrays stay on disk, mapped into memory."""

    values: dict  # as JSON holds it
    arrays: dict[str, np.ndarray]
    seconds: float  # that it took


class Store:
    """A folder of finished units."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def record_path(self, unit: Unit) -> pathlib.Path:
        return self.folder / unit.kind / f"{unit.key}.json"

    def array_path(self, unit: Unit, name: str) -> pathlib.Path:
        return self.folder / unit.kind / f"{unit.key}.{name}.npy"

    def has(self, unit: Unit) -> bool:
        """Whether the unit is finished; its files are not read."""
        return self.record_path(unit).exists()

    def seems_whole(self, unit: Unit) -> bool:
        """Whether the unit is finished and none of its files is gone or cut short, by their sizes.

        The hashes of arrays are not checked, so that this is quick.
        """
        try:
            for name in self.record(unit)["arrays"]:
                map_array(self.array_path(unit, name))
        except (InputError, OSError, ValueError, EOFError):
            return False
        return True

    def whole(self, unit: Unit) -> bool:
        """Whether the unit is finished and every byte is as it was written.

        A damaged unit is given up, with a notice that names the file.
        """
        if not self.has(unit):
            return False
        damaged = self.damaged(unit)
        if damaged is None:
            return True
        discard(self.record_path(unit), damaged.name, "what it held is computed anew")
        return False

    def damaged(self, unit: Unit) -> pathlib.Path | None:
        """The first file of a finished unit that is gone or changed."""
        try:
            hashes = self.record(unit)["arrays"]
        except (InputError, OSError):
            return self.record_path(unit)
        for name, sha256 in hashes.items():
            path = self.array_path(unit, name)
            try:
                if file_sha256(path) != sha256:
                    return path
            except OSError:
                return path
        return None

    def record(self, unit: Unit) -> dict:
        """The JSON file of a unit. Raises InputError, naming it, where it is damaged."""
        path = self.record_path(unit)
        record = read_record(path)
        if record["unit"] != unit.record():
            raise InputError(f"{path} is not as it was written; {AGAIN}")
        return record

    def read(self, unit: Unit) -> Result:
        """A finished unit. Raises InputError where a file of it is missing or damaged."""
        try:
            record = self.record(unit)
            arrays = {
                name: read_mapped(self.array_path(unit, name), sha256)
                for name, sha256 in record["arrays"].items()
            }
        except InputError:
            raise
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.record_path(unit)} cannot be read ({error}); {AGAIN}"
            ) from error
        return Result(record["values"], arrays, record["seconds"])

    def write(self, unit: Unit, values: dict, arrays: dict, seconds: float) -> None:
        """Finish a unit at once. Raises InputError where the disk is full."""
        with self.drafts(unit) as (draft,):
            for name, array in arrays.items():
                draft.needed += np.asarray(array).nbytes
                with draft.path(name).open("wb") as file:
                    np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
            draft.finish(values, seconds)

    @contextlib.contextmanager
    def drafts(self, *units: Unit):
        """Drafts of units to fill and finish; what is left unfinished is removed.

        Raises InputError, with what is needed, where the disk is full.
        """
        drafts = [Draft(self, unit) for unit in units]
        try:
            for kind in {unit.kind for unit in units}:
                (self.folder / kind).mkdir(parents=True, exist_ok=True)
            yield drafts
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise no_room(self.folder, sum(d.needed for d in drafts), error) from error
        finally:
            for draft in drafts:
                draft.remove()

    def sweep(self) -> None:
        """Remove what killed processes left half-written. Nobody else may be writing."""
        for path in self.folder.glob(f"*/.*{MARK}*"):
            path.unlink(missing_ok=True)


class Draft:
    """A unit that is being written: its files under names of their own, put in place at once."""

    def __init__(self, store: Store, unit: Unit):
        self.store, self.unit = store, unit
        self.token, self.names, self.needed = secrets.token_hex(4), [], 0

    def path(self, name: str) -> pathlib.Path:
        """Where an array, or the record, is written."""
        if name not in self.names:
            self.names.append(name)
        return self.store.folder / self.unit.kind / f".{self.unit.key}.{name}{MARK}{self.token}"

    def array(self, name: str, shape, dtype=np.float32) -> np.ndarray:
        """An array to fill on disk, with all of its room reserved. Raises OSError without."""
        path = self.path(name)
        self.needed += int(np.prod(shape)) * np.dtype(dtype).itemsize
        array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        reserve(path)
        return array

    def finish(self, values: dict, seconds: float) -> None:
        """Put the arrays in place, then the JSON file that makes the unit exist."""
        hashes = {}
        for name in list(self.names):
            hashes[name] = file_sha256(self.path(name))
            os.replace(self.path(name), self.store.array_path(self.unit, name))
        record = {
            "unit": self.unit.record(), "values": values, "arrays": hashes, "seconds": seconds,
        }  # fmt: skip
        record["sha256"] = sha256_of(record)
        path = self.path("json")
        path.write_text(json.dumps(record), encoding="utf-8")
        os.replace(path, self.store.record_path(self.unit))

    def remove(self) -> None:
        """What was not put in place."""
        for name in self.names:
            with contextlib.suppress(OSError):
                self.path(name).unlink(missing_ok=True)


def read_record(path: pathlib.Path) -> dict:
    """The JSON file of a unit, which holds its own hash. Raises InputError where it is damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        sha256 = record.pop("sha256")
        whole = sha256 == sha256_of(record) and {"unit", "arrays"} <= record.keys()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise InputError(f"{path} is not as it was written; {AGAIN}")
    return record


def read_stored(path) -> np.ndarray:
    """An array of a finished unit by its file, mapped into memory.

    Raises InputError where the file, or the record beside it, is gone or is not as it was written.
    """
    path = pathlib.Path(path)
    key, name, _ = path.name.split(".")
    try:
        return read_mapped(path, read_record(path.with_name(f"{key}.json"))["arrays"].get(name))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); {AGAIN}") from error


def read_mapped(path: pathlib.Path, sha256: str) -> np.ndarray:
    """An array of a file, mapped into memory once its hash was checked."""
    if file_sha256(path) != sha256:
        raise InputError(f"{path} is not as it was written (its hash differs); {AGAIN}")
    return map_array(path)


def map_array(path: pathlib.Path) -> np.ndarray:
    """An array of a file, mapped into memory; one without entries cannot be mapped, and is read.

    Raises OSError, ValueError or EOFError for a file that is none, or is cut short.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        return np.load(path, allow_pickle=False)


def no_room(folder: pathlib.Path, needed: int, error: OSError) -> InputError:
    """A disk that is full: what is finished stays, and how much more it takes."""
    free = shutil.disk_usage(folder).free
    more = f"at least {human_bytes(needed)} are needed now and " if needed else ""
    return InputError(
        f"{folder} cannot be written ({error.strerror}): {more}{human_bytes(free)} are free; what "
        "is finished is kept: make room and run the same command again"
    )
