"""Activations and their form on disk; files appear whole or not at all."""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
from dataclasses import dataclass

import numpy as np

from personascan.errors import InputError

RECORD = "activations.json"


@dataclass(frozen=True)
class Activations:
    """Activations of N statements at the layers of each site."""

    # {(site, position): [L, N, D] float32}; position "all": [L, sum of T, D].
    arrays: dict[tuple[str, str | int], np.ndarray]
    ids: list[str]  # [N] statement ids
    layer_names: dict[str, list[str]]  # {site: [L] names such as "resid_post 7"}
    offsets: np.ndarray  # [N + 1]: statement i has the tokens offsets[i] to offsets[i + 1]

    def save(self, path) -> None:
        """Write an `.npz` file, whole or not at all."""
        content = {f"{site}/{position}": a for (site, position), a in self.arrays.items()}
        content |= {f"layer_names/{s}": np.array(names) for s, names in self.layer_names.items()}
        with whole_file(path) as file:
            np.savez(file, ids=np.array(self.ids), offsets=self.offsets, **content)

    @classmethod
    def load(cls, path) -> "Activations":
        """Read what `save` wrote, or the folder that `extract` filled, whose arrays stay on disk.

        Raises InputError for a missing or damaged file.
        """
        if pathlib.Path(path).is_dir():
            return load_folder(pathlib.Path(path))
        try:
            with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                content = {name: file[name] for name in file.files}
        except Exception as error:
            # A damaged archive surfaces as any of a dozen errors of zip, zlib and the array reader.
            raise InputError(f"{path} is not a whole activations file ({error})") from error
        if "ids" not in content or getattr(content["ids"], "ndim", 0) != 1:
            raise InputError(f"{path} holds no statement ids; it was not written by personascan")
        ids = content.pop("ids").tolist()
        offsets = content.pop("offsets", np.arange(len(ids) + 1))
        names = {k.split("/")[1]: v.tolist() for k, v in content.items() if "layer_names/" in k}
        arrays = {k: v for k, v in content.items() if "layer_names/" not in k}
        return checked(cls(by_site(arrays), ids, names, offsets), path)


def by_site(arrays: dict) -> dict:
    """Keys "site/position" -> (site, position), whole numbers as such."""
    return {
        (site, int(position) if position.removeprefix("-").isdecimal() else position): array
        for (site, _, position), array in ((k.partition("/"), a) for k, a in arrays.items())
    }


def load_folder(folder: pathlib.Path) -> Activations:
    """The folder that `Collected` left, its arrays mapped into memory."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        arrays = {
            name: np.load(folder / file, mmap_mode="r", allow_pickle=False)
            for name, file in record["arrays"].items()
        }
        found = Activations(
            by_site(arrays), record["ids"], record["layer_names"], np.array(record["offsets"])
        )
    except Exception as error:
        # As above: a damaged file surfaces in many ways.
        raise InputError(f"{folder} is not a whole folder of activations ({error})") from error
    return checked(found, folder)


def checked(found: Activations, path) -> Activations:
    """Every array has a row for each statement, or for each of its tokens."""
    tokens = int(found.offsets[-1]) if np.shape(found.offsets) == (len(found.ids) + 1,) else -1
    for (site, position), array in found.arrays.items():
        rows = tokens if position == "all" else len(found.ids)
        if (not position and position != 0) or getattr(array, "shape", ())[1:2] != (rows,):
            name = f"{site}/{position}".rstrip("/")
            raise InputError(f"{path}: {name!r} does not hold one row for each statement id")
    return found


class Collected:
    """Arrays that are filled batch by batch, in memory or in a folder that appears when whole."""

    def __init__(self, shapes: dict, ids: list[str], layer_names: dict, offsets, out=None):
        self.ids, self.layer_names, self.offsets = ids, layer_names, offsets
        self.out = None if out is None else pathlib.Path(out)
        self.partial, self.files = None, {}
        if self.out is None:
            self.arrays = {key: np.empty(shape, np.float32) for key, shape in shapes.items()}
            return
        if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise InputError(f"{self.out} exists already; choose another place or delete it")
        try:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            name = f".{self.out.name}-"
            self.partial = pathlib.Path(tempfile.mkdtemp(prefix=name, dir=self.out.parent))
            self.partial.chmod(0o755)
            self.arrays = {}
            for (site, position), shape in shapes.items():
                file = self.files[f"{site}/{position}"] = f"{site}.{position}.npy"
                self.arrays[site, position] = np.lib.format.open_memmap(
                    self.partial / file, mode="w+", dtype=np.float32, shape=shape
                )
        except OSError as error:
            self.__exit__()
            raise InputError(
                f"{self.out} cannot be written ({error}); choose another place"
            ) from error

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        if self.partial is not None:
            shutil.rmtree(self.partial, ignore_errors=True)

    def finish(self) -> Activations:
        """What was collected; a folder is now in its place."""
        if self.out is None:
            return Activations(self.arrays, self.ids, self.layer_names, self.offsets)
        record = {
            "ids": self.ids,
            "layer_names": self.layer_names,
            "offsets": self.offsets.tolist(),
            "arrays": self.files,
        }
        try:
            for array in self.arrays.values():
                array.flush()
            (self.partial / RECORD).write_text(json.dumps(record), encoding="utf-8")
            os.replace(self.partial, self.out)
        except OSError as error:
            raise InputError(
                f"{self.out} cannot be written ({error}); choose another place"
            ) from error
        self.partial = None
        return load_folder(self.out)


@contextlib.contextmanager
def whole_file(path):
    """A binary file to write, put at `path` only once it is complete."""
    path = pathlib.Path(path)
    partial = None
    try:
        if not path.name or (path.exists() and not path.is_file()):
            raise OSError("it is not a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own, so that no other file and no other writer can be in its place.
        handle, partial = tempfile.mkstemp(prefix=".partial-", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(partial, 0o644)
        os.replace(partial, path)
        partial = None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be written ({error}); choose another place") from error
    finally:
        if partial is not None:
            os.unlink(partial)


def read_array(path) -> np.ndarray:
    """An array from a `.npy` file. Raises InputError if it is missing, damaged or of objects."""
    try:
        with open(path, "rb") as raw:
            array = np.load(raw, allow_pickle=False)
    except Exception as error:
        # As above: a damaged file surfaces in many ways.
        raise InputError(f"{path} cannot be read as a .npy file ({error})") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} is an archive of several arrays; give a .npy file with one")
    return array
