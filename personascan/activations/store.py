"""Activations and their form on disk; files appear whole or not at all."""

import contextlib
import os
import pathlib
import tempfile
from dataclasses import dataclass

import numpy as np

from personascan.errors import InputError


@dataclass(frozen=True)
class Activations:
    """Activations of N statements at the layers of each site."""

    arrays: dict[tuple[str, str], np.ndarray]  # {(site, position): [L, N, D] float32}
    ids: list[str]  # [N] statement ids
    layer_names: dict[str, list[str]]  # {site: [L] names such as "resid_post 7"}

    def save(self, path) -> None:
        """Write an `.npz` file, whole or not at all."""
        content = {f"{site}/{position}": a for (site, position), a in self.arrays.items()}
        content |= {f"layer_names/{s}": np.array(names) for s, names in self.layer_names.items()}
        with whole_file(path) as file:
            np.savez(file, ids=np.array(self.ids), **content)

    @classmethod
    def load(cls, path) -> "Activations":
        """Read what `save` wrote. Raises InputError for a missing or damaged file."""
        try:
            with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                content = {name: file[name] for name in file.files}
        except Exception as error:
            # A damaged archive surfaces as any of a dozen errors of zip, zlib and the array reader.
            raise InputError(f"{path} is not a whole activations file ({error})") from error
        if "ids" not in content or getattr(content["ids"], "ndim", 0) != 1:
            raise InputError(f"{path} holds no statement ids; it was not written by personascan")
        ids = content.pop("ids").tolist()
        for name, array in content.items():
            kind, _, position = name.partition("/")
            if kind != "layer_names" and not (
                position and isinstance(array, np.ndarray) and array.shape[1:2] == (len(ids),)
            ):
                raise InputError(f"{path}: {name!r} does not hold one row for each statement id")
        names = {k.split("/")[1]: v.tolist() for k, v in content.items() if "layer_names/" in k}
        arrays = {tuple(k.split("/")): v for k, v in content.items() if "layer_names/" not in k}
        return cls(arrays, ids, names)


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
