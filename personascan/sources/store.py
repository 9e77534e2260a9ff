"""Activations in memory and on disk; files appear whole or not at all."""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from personascan.errors import InputError
from personascan.files import reserve, whole_file, whole_folder
from personascan.hashes import SEAL, damaged_files, is_inside
from personascan.memory import refuse_too_much
from personascan.places import Place, named_place
from personascan.reading import read_json, refuse_special

if TYPE_CHECKING:
    import pandas

RECORD = "activations.json"


class UnknownPlace(InputError, KeyError):
    """The error of a place that is not among the activations, and of a mapping's missing key."""

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
            raise UnknownPlace(f"{place!r} is neither a Place nor the name of one")
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
        """Returns all kept layers of a site at a position, numbered by `layers`: [L, N, D] float32.

        At the position "all" these are [L, sum of T, D], where statement i has the tokens
        offsets[i] to offsets[i + 1]. Raises InputError for an unknown site or position.
        """
        if (site, position) not in self.stacks:
            known = "; ".join(f"{s}, {p}" for s, p in self.stacks) or "none"
            raise UnknownPlace(f"there is no {site}, {position} among these activations: {known}")
        return self.stacks[site, position]

    def to_frame(self, place: Place | str) -> "pandas.DataFrame":
        """Returns the activations of a place, a row for each statement and a column for each node.

        At the position "all" a row is a token: statement and number of the token.
        """
        import pandas  # not before: it takes as long to import as a scan takes

        array_ND = self[place]
        index = pandas.Index(self.ids, name="id")
        if len(array_ND) != len(self.ids):
            counts = np.diff(self.offsets)
            numbers = [n for count in counts for n in range(count)]
            index = pandas.MultiIndex.from_arrays(
                [np.repeat(self.ids, counts), numbers], names=["id", "token"]
            )
        return pandas.DataFrame(np.asarray(array_ND), index=index)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{s} at {p} {a.shape}" for (s, p), a in self.stacks.items())
        return f"Activations({len(self)} places of {len(self.ids)} statements: {shapes})"

    # Equality is identity: == should not compare every number.
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes an `.npz` file, whole or not at all. Raises InputError as `whole_file`."""
        with whole_file(path, overwrite=overwrite) as file:
            self.write(file)

    def write(self, file: BinaryIO) -> None:
        """Writes the content of an `.npz` file into an open file, such as `whole_file` yields."""
        content = {f"{site}/{position}": a for (site, position), a in self.stacks.items()}
        content |= {f"layer_names/{s}": np.array(names) for s, names in self.layer_names.items()}
        np.savez(file, ids=np.array(self.ids), offsets=self.offsets, depth=self.depth, **content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Activations":
        """Reads a file that `save` wrote, or a folder of `extract`, whose arrays stay on disk.

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
            # A damaged archive raises any of a dozen errors of zip, zlib and the array reader.
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
    """Returns the unpacked bytes of all files of a zip archive, by its own directory."""
    return sum(entry.file_size for entry in archive.infolist())


def by_site(arrays: dict) -> dict:
    """Converts keys "site/position" to (site, position); numbered positions to integers."""
    return {
        (site, int(position) if position.removeprefix("-").isdecimal() else position): array
        for (site, _, position), array in ((k.partition("/"), a) for k, a in arrays.items())
    }


def load_folder(folder: pathlib.Path) -> Activations:
    """Maps the arrays of a folder into memory, after checking their hashes."""
    record = read_json(folder / RECORD)
    if record.get("sealed") or (folder / SEAL).exists():
        refuse_damaged(folder)
    try:
        arrays = {}
        for name, file in record["arrays"].items():
            if not is_inside(file):
                raise InputError(f"its array {file!r} lies outside of it")
            arrays[name] = mapped_array(folder / file)
        activations = Activations(
            by_site(arrays), record["ids"], record["layer_names"], np.array(record["offsets"]),
            int(record.get("depth", 0)),
        )  # fmt: skip
    except Exception as error:
        # As above: a damaged file raises many errors.
        raise InputError(f"{folder} is not a whole folder of activations ({error})") from error
    return check_rows(activations, folder)


def mapped_array(path: pathlib.Path) -> np.ndarray:
    """Maps the array of a `.npy` file into memory. Raises InputError for any other file."""
    refuse_special(path)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        # As above: a damaged file raises many errors.
        raise InputError(f"{path} cannot be read as a .npy file ({error})") from error


def refuse_damaged(folder: pathlib.Path) -> None:
    damaged = damaged_files(folder)
    if damaged:
        raise InputError(
            f"{folder} is not a whole folder of activations: {damaged[0]} is not as it was written "
            "(its hash differs); extract anew"
        )


def check_rows(activations: Activations, path) -> Activations:
    """Raises InputError unless every array has a row for each statement, or each of its tokens."""
    offsets, ids = activations.offsets, activations.ids
    rising = np.shape(offsets) == (len(ids) + 1,) and (np.diff(offsets) > 0).all()
    tokens = int(offsets[-1]) if rising and not offsets[0] else -1
    for (site, position), array in activations.stacks.items():
        rows = tokens if position == "all" else len(ids)
        if (not position and position != 0) or getattr(array, "shape", ())[1:2] != (rows,):
            name = f"{site}/{position}".rstrip("/")
            raise InputError(f"{path}: {name!r} does not hold one row for each statement id")
    return activations


@contextlib.contextmanager
def arrays_to_fill(shapes: dict, ids: list[str], layer_names: dict, offsets, out=None, depth=0):
    """Yields {(site, position): array} to fill, in memory or in a folder that appears whole."""
    if out is None:
        yield {key: np.empty(shape, np.float32) for key, shape in shapes.items()}
        return
    files = {f"{site}/{position}": f"{site}.{position}.npy" for site, position in shapes}
    record = {"ids": ids, "layer_names": layer_names, "offsets": offsets.tolist(), "arrays": files}
    record["depth"] = depth
    with whole_folder(out) as partial:
        arrays = {
            key: new_array_file(partial / file, shape)
            for (key, shape), file in zip(shapes.items(), files.values(), strict=True)
        }
        yield arrays
        for array in arrays.values():
            array.flush()
        record["sealed"] = True
        (partial / RECORD).write_text(json.dumps(record), encoding="utf-8")


def new_array_file(file: pathlib.Path, shape) -> np.ndarray:
    """Creates a file of an array, and reserves all of its space on the disk."""
    array = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
    reserve(file)
    return array
