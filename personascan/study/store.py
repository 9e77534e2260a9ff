"""The store of units' results on disk: each is there whole or not at all, and is never redone.

A unit is `KIND/KEY.json` with its arrays as `KIND/KEY.NAME.npy`. The JSON file is put in
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

MARK = ".partial-"  # in the name of a file that is being written
AGAIN = "run the study's command again, which computes it anew"


@dataclass(frozen=True)
class Result:
    """The result of a unit. Arrays stay on disk, mapped into memory."""

    values: dict  # as JSON holds it
    arrays: dict[str, np.ndarray]
    seconds: float  # that the unit took


class Store:
    """A folder of finished units."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def record_path(self, unit: Unit) -> pathlib.Path:
        return self.folder / unit.kind / f"{unit.key}.json"

    def array_path(self, unit: Unit, name: str) -> pathlib.Path:
        return self.folder / unit.kind / f"{unit.key}.{name}.npy"

    def has(self, unit: Unit) -> bool:
        """Returns whether the unit is finished; its files are not read."""
        return self.record_path(unit).exists()

    def seems_whole(self, unit: Unit) -> bool:
        """Returns whether the unit is finished and its files are there in full size.

        The hashes of arrays are not checked, so that this is quick.
        """
        try:
            for name in self.record(unit)["arrays"]:
                map_array(self.array_path(unit, name))
        except (InputError, OSError, ValueError, EOFError):
            return False
        return True

    def whole(self, unit: Unit) -> bool:
        """Returns whether the unit is finished and every byte is as it was written.

        A damaged unit is discarded, with a notice that names the file.
        """
        if not self.has(unit):
            return False
        damaged = self.damaged(unit)
        if damaged is None:
            return True
        discard(self.record_path(unit), damaged.name, "what it held is computed anew")
        return False

    def damaged(self, unit: Unit) -> pathlib.Path | None:
        """Returns the first file of a finished unit that is missing or changed, or None."""
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
        """Returns the JSON file of a unit. Raises InputError, which names it, if it is damaged."""
        path = self.record_path(unit)
        record = read_record(path)
        if record["unit"] != unit.record():
            raise InputError(f"{path} is not as it was written; {AGAIN}")
        return record

    def read(self, unit: Unit) -> Result:
        """Returns a finished unit's result. Raises InputError for a missing or damaged file."""
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
        """Writes the result of a unit at once. Raises InputError if the disk is full."""
        with self.drafts(unit) as (draft,):
            for name, array in arrays.items():
                draft.needed += np.asarray(array).nbytes
                with draft.path(name).open("wb") as file:
                    np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
            draft.finish(values, seconds)

    @contextlib.contextmanager
    def drafts(self, *units: Unit):
        """Gives drafts of units to fill and finish; drafts that are left unfinished are removed.

        Raises InputError, with the room that is needed, if the disk is full.
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
        """Removes the half-written files of killed processes. No other process may be writing."""
        for path in self.folder.glob(f"*/.*{MARK}*"):
            path.unlink(missing_ok=True)


class Draft:
    """A unit that is being written: its files have names of their own until all are there."""

    def __init__(self, store: Store, unit: Unit):
        self.store, self.unit = store, unit
        self.token, self.names, self.needed = secrets.token_hex(4), [], 0

    def path(self, name: str) -> pathlib.Path:
        """Returns where an array, or the record, is written."""
        if name not in self.names:
            self.names.append(name)
        return self.store.folder / self.unit.kind / f".{self.unit.key}.{name}{MARK}{self.token}"

    def array(self, name: str, shape, dtype=np.float32) -> np.ndarray:
        """Returns an array to fill on disk, its room reserved. Raises OSError if there is none."""
        path = self.path(name)
        self.needed += int(np.prod(shape)) * np.dtype(dtype).itemsize
        array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        reserve(path)
        return array

    def finish(self, values: dict, seconds: float) -> None:
        """Puts the arrays in place, then the JSON file that makes the unit exist."""
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
        """Removes the files that were not put in place."""
        for name in self.names:
            with contextlib.suppress(OSError):
                self.path(name).unlink(missing_ok=True)


def read_record(path: pathlib.Path) -> dict:
    """Returns the JSON file of a unit, less its own hash. Raises InputError if it is damaged."""
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
    """Returns an array of a finished unit by its file, mapped into memory.

    Raises InputError if the file, or the record beside it, is missing or not as it was written.
    """
    path = pathlib.Path(path)
    key, name, _ = path.name.split(".")
    try:
        return read_mapped(path, read_record(path.with_name(f"{key}.json"))["arrays"].get(name))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); {AGAIN}") from error


def read_mapped(path: pathlib.Path, sha256: str) -> np.ndarray:
    """Returns an array of a file, mapped into memory after its hash was checked."""
    if file_sha256(path) != sha256:
        raise InputError(f"{path} is not as it was written (its hash differs); {AGAIN}")
    return map_array(path)


def map_array(path: pathlib.Path) -> np.ndarray:
    """Returns an array of a file, mapped into memory; one without entries is read instead.

    Raises OSError, ValueError or EOFError for a file that is no array, or is cut short.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        return np.load(path, allow_pickle=False)


def no_room(folder: pathlib.Path, needed: int, error: OSError) -> InputError:
    """Returns the error of a full disk, which says how much room is needed."""
    free = shutil.disk_usage(folder).free
    more = f"at least {human_bytes(needed)} are needed now and " if needed else ""
    return InputError(
        f"{folder} cannot be written ({error.strerror}): {more}{human_bytes(free)} are free; what "
        "is finished is kept: make room and run the same command again"
    )
