"""Activations and their form on disk; files appear whole or not at all."""

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import ml_dtypes
import numpy as np

from personascan.errors import InputError
from personascan.files import reserve, whole_file, whole_folder
from personascan.hashes import RUN_AGAIN, SEAL, damaged_files, is_inside
from personascan.memory import refuse_too_much
from personascan.places import Place, named_place
from personascan.reading import read_json, refuse_special

RECORD = "activations.json"


class UnknownPlace(InputError, KeyError):
    """A place that is not among the activations: also what a mapping raises for a missing key."""

    __str__ = InputError.__str__


@dataclass(frozen=True, eq=False, repr=False)
class Activations(Mapping[Place, np.ndarray]):
    """Activations of N statements: a mapping {Place: [N, D]}, which `calibrate` and others take.

    An array is float32 and may lie on disk, mapped into memory; D differs by site. At the position
    "all" an array has a row for each token. A place may be named by text: "resid_post 7 last",
    "resid_post 50% last", without the position where there is one position alone.

    Raises InputError (which is a KeyError here) for a place that is not there.
    """

    # {(site, position): [L, N, D] float32}; position "all": [L, sum of T, D].
    stacks: dict[tuple[str, str | int], np.ndarray]
    ids: list[str]  # [N] statement ids
    layer_names: dict[str, list[str]]  # {site: [L] names such as "resid_post 7"}
    offsets: np.ndarray  # [N + 1]: statement i has the tokens offsets[i] to offsets[i + 1]
    depth: int = 0  # layers of the model, of which "50%" is a share; 0: the layers that are kept

    def __getitem__(self, place: Place | str) -> np.ndarray:
        if isinstance(place, str):
            layers = self.depth or 1 + max((p.layer for p in self), default=-1)
            try:
                place = named_place(place, list(self), layers, of="these activations")
            except InputError as error:
                raise UnknownPlace(*error.args) from None
        if not isinstance(place, Place):
            raise UnknownPlace(f"{place!r} is no Place, nor the name of one")
        stack_LND = self.stack(place.site, place.position)
        numbers = self.layers(place.site)
        if place.network or place.layer not in numbers:
            known = ", ".join(map(str, numbers))
            if numbers == list(range(len(numbers))):
                known = f"0 to {len(numbers) - 1}"
            raise UnknownPlace(f"there is no {place}: {place.site} has the layers {known}")
        return stack_LND[numbers.index(place.layer)]

    def __iter__(self) -> Iterator[Place]:
        for site, position in self.stacks:
            for layer in self.layers(site):
                yield Place(site, layer, position)

    def layers(self, site: str) -> list[int]:
        """The numbers of the layers that are kept of a site, in the order of its arrays."""
        names = self.layer_names.get(site)
        if names is None:  # written by others
            names = [""] * max(len(stack) for (of, _), stack in self.stacks.items() if of == site)
        ends = [name.rpartition(" ")[2] for name in names]
        return [int(end) if end.isdecimal() else i for i, end in enumerate(ends)]

    def __len__(self) -> int:
        return sum(map(len, self.stacks.values()))

    def stack(self, site: str, position: str | int) -> np.ndarray:
        """All kept layers of a site at a position: [L, N, D] float32; their numbers are `layers`.

        At the position "all" these are [L, sum of T, D], where statement i has the tokens
        offsets[i] to offsets[i + 1]. Raises InputError for a site or position that is not there.
        """
        if (site, position) not in self.stacks:
            known = "; ".join(f"{s}, {p}" for s, p in self.stacks) or "none"
            raise UnknownPlace(f"there is no {site}, {position} among these activations: {known}")
        return self.stacks[site, position]

    def __repr__(self) -> str:
        shapes = ", ".join(f"{s} at {p} {a.shape}" for (s, p), a in self.stacks.items())
        return f"Activations({len(self)} places of {len(self.ids)} statements: {shapes})"

    # Two records are equal if they are the same one: comparing every number is not what == is for.
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write an `.npz` file, whole or not at all. Raises InputError as `whole_file`."""
        with whole_file(path, overwrite=overwrite) as file:
            self.write(file)

    def write(self, file: BinaryIO) -> None:
        """Write the content of an `.npz` file into an open one, as `whole_file` gives it."""
        content = {f"{site}/{position}": a for (site, position), a in self.stacks.items()}
        content |= {f"layer_names/{s}": np.array(names) for s, names in self.layer_names.items()}
        np.savez(file, ids=np.array(self.ids), offsets=self.offsets, depth=self.depth, **content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Activations":
        """Read what `save` wrote, or the folder that `extract` filled, whose arrays stay on disk.

        Raises InputError for a missing or damaged file.
        """
        if pathlib.Path(path).is_dir():
            return load_folder(pathlib.Path(path))
        refuse_special(pathlib.Path(path))
        try:
            with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                refuse_too_much(str(path), unpacked_bytes(file.zip), "extract into a folder (out)")
                content = {name: file[name] for name in file.files}
        except (InputError, MemoryError):
            raise
        except Exception as error:
            # A damaged archive surfaces as any of a dozen errors of zip, zlib and the array reader.
            raise InputError(f"{path} is not a whole activations file ({error})") from error
        if "ids" not in content or getattr(content["ids"], "ndim", 0) != 1:
            raise InputError(f"{path} holds no statement ids; it was not written by personascan")
        ids = content.pop("ids").tolist()
        offsets = content.pop("offsets", np.arange(len(ids) + 1))
        depth = int(content.pop("depth", 0))
        names = {k.split("/")[1]: v.tolist() for k, v in content.items() if "layer_names/" in k}
        arrays = {k: v for k, v in content.items() if "layer_names/" not in k}
        return check_rows(cls(by_site(arrays), ids, names, offsets, depth), path)


def unpacked_bytes(archive) -> int:
    """Returns the unpacked bytes of all files of a zip archive, as it says itself."""
    return sum(entry.file_size for entry in archive.infolist())


def by_site(arrays: dict) -> dict:
    """Keys "site/position" -> (site, position), whole numbers as such."""
    return {
        (site, int(position) if position.removeprefix("-").isdecimal() else position): array
        for (site, _, position), array in ((k.partition("/"), a) for k, a in arrays.items())
    }


def load_folder(folder: pathlib.Path) -> Activations:
    """The arrays of a folder, mapped into memory once their hashes have been checked."""
    record = read_json(folder / RECORD)
    if record.get("sealed") or (folder / SEAL).exists():
        refuse_damaged(folder)
    try:
        arrays = {}
        for name, file in record["arrays"].items():
            if not is_inside(file):
                raise InputError(f"its array {file!r} lies outside of it")
            arrays[name] = mapped_array(folder / file)
        found = Activations(
            by_site(arrays), record["ids"], record["layer_names"], np.array(record["offsets"]),
            int(record.get("depth", 0)),
        )  # fmt: skip
    except Exception as error:
        # As above: a damaged file surfaces in many ways.
        raise InputError(f"{folder} is not a whole folder of activations ({error})") from error
    return check_rows(found, folder)


def mapped_array(path: pathlib.Path) -> np.ndarray:
    """An array of a `.npy` file, mapped into memory. Raises InputError for what is none."""
    refuse_special(path)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        # As above: a damaged file surfaces in many ways.
        raise InputError(f"{path} cannot be read as a .npy file ({error})") from error


def refuse_damaged(folder: pathlib.Path) -> None:
    damaged = damaged_files(folder)
    if damaged:
        raise InputError(
            f"{folder} is not a whole folder of activations: {damaged[0]} is not as it was written "
            "(its hash differs); extract anew"
        )


def check_rows(found: Activations, path) -> Activations:
    """Every array has a row for each statement, or for each of its tokens."""
    rising = np.shape(found.offsets) == (len(found.ids) + 1,) and (np.diff(found.offsets) > 0).all()
    tokens = int(found.offsets[-1]) if rising and not found.offsets[0] else -1
    for (site, position), array in found.stacks.items():
        rows = tokens if position == "all" else len(found.ids)
        if (not position and position != 0) or getattr(array, "shape", ())[1:2] != (rows,):
            name = f"{site}/{position}".rstrip("/")
            raise InputError(f"{path}: {name!r} does not hold one row for each statement id")
    return found


@contextlib.contextmanager
def arrays_to_fill(shapes: dict, ids: list[str], layer_names: dict, offsets, out=None, depth=0):
    """{(site, position): array} to fill, in memory or in a folder that appears when it is whole."""
    if out is None:
        yield {key: np.empty(shape, np.float32) for key, shape in shapes.items()}
        return
    files = {f"{site}/{position}": f"{site}.{position}.npy" for site, position in shapes}
    record = {"ids": ids, "layer_names": layer_names, "offsets": offsets.tolist(), "arrays": files}
    record["depth"] = depth
    with whole_folder(out) as partial:
        arrays = {
            key: on_disk(partial / file, shape)
            for (key, shape), file in zip(shapes.items(), files.values(), strict=True)
        }
        yield arrays
        for array in arrays.values():
            array.flush()
        record["sealed"] = True
        (partial / RECORD).write_text(json.dumps(record), encoding="utf-8")


def on_disk(file: pathlib.Path, shape) -> np.ndarray:
    """A new array in a file, with all of its room on the disk."""
    array = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
    reserve(file)
    return array


BFLOAT16 = np.dtype("V2")  # how a .npy file names the type, which NumPy has not


def read_array(path, sha256: str = "") -> np.ndarray:
    """An array from a `.npy` file, bfloat16 included.

    sha256: the hash that the file has to have; "": any.

    Raises InputError if it is missing, damaged, of objects or another kind of file, or has another
    hash.
    """
    path = pathlib.Path(path)
    if path.suffix in OTHER_ARRAYS:
        raise InputError(f"{path} is no .npy file; {OTHER_ARRAYS[path.suffix]}")
    refuse_special(path)
    try:
        with open(path, "rb") as raw:
            if sha256 and hashlib.file_digest(raw, "sha256").hexdigest() != sha256:
                raise InputError(f"{path} has changed since it was first read; {RUN_AGAIN}")
            raw.seek(0)
            array = np.load(raw, allow_pickle=False)
    except (InputError, MemoryError):
        raise
    except Exception as error:
        # As above: a damaged file surfaces in many ways.
        raise InputError(f"{path} cannot be read as a .npy file ({error})") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} is an archive of several arrays; give a .npy file with one")
    return array.view(ml_dtypes.bfloat16) if array.dtype == BFLOAT16 else array


OTHER_ARRAYS = {
    **dict.fromkeys(
        (".pt", ".pth", ".bin"),
        'save the tensor with numpy.save("x.npy", tensor.float().numpy()) and give that',
    ),
    **dict.fromkeys(
        (".csv", ".tsv", ".txt"),
        'save it with numpy.save("x.npy", numpy.loadtxt("x.csv", delimiter=",")) and give that',
    ),
    ".safetensors": 'save one tensor of it with numpy.save("x.npy", tensor) and give that',
}
