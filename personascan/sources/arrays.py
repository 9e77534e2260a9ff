"""Activations of any network as the source of a study's rows: a folder of arrays and labels."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from personascan.errors import InputError
from personascan.files import partial_of, put_folder, real_place, remove
from personascan.hashes import SEAL, damaged_files, folder_sha256, seal, sealed_files
from personascan.places import Place, named_place
from personascan.reading import read_json, real_array
from personascan.sources.base import Example, Terms
from personascan.sources.store import read_array

RECORD = "rows.json"


def write_rows(
    out,
    places: Mapping[str, Any],
    positive: Sequence[bool],
    *,
    network: str = "network",
    groups: Sequence[str] | str = "positive",
    ids: Sequence[str] | None = None,
    entities: Sequence[str] | None = None,
    conditions: Sequence[str] | None = None,
    rows: str = "rows",
) -> str:
    """Write activations of any network as a folder that a study takes rows from (`config.rows`).

    Args:
      out: the folder. One that this function has written is replaced.
      places: {layer's name: activations [N, D], or [N, ...], which are flattened}, first layer
        first; arrays of NumPy or JAX or tensors of torch, of any float (kept as float32).
      positive: bool [N], True for rows of H1; the others are what is expected (H0).
      network: its name, as results are keyed.
      groups: of each row, or one for all: each group with rows of H1 is a comparison, against its
        own H0 rows or, where it has none, those of the groups that have no H1.
      ids: of the rows; None: their numbers.
      entities: what a row is about: the rows of one entity are never both expected and scanned.
      conditions: a class of each row, within which p-values can be taken (`detection.conditional`).
      rows: what the report calls rows, in the plural, such as "images".

    Returns:
      The folder, as `config.rows` takes it.

    Raises:
      InputError: arrays or labels of different lengths, values that are not finite, an id or a
        layer's name that occurs twice, a folder that holds something else, a full disk.
    """
    positive_N = np.asarray(positive)
    if positive_N.ndim != 1 or positive_N.dtype != bool:
        raise InputError(
            f"positive needs one bool for each row, got {positive_N.dtype} {positive_N.shape}"
        )
    count = len(positive_N)
    columns = {
        "ids": [str(i) for i in (range(count) if ids is None else ids)],
        "groups": [groups] * count if isinstance(groups, str) else list(map(str, groups)),
        "entities": [""] * count if entities is None else list(map(str, entities)),
        "conditions": [""] * count if conditions is None else list(map(str, conditions)),
    }
    for name, column in columns.items():
        if len(column) != count:
            raise InputError(f"{name} has {len(column)} entries for {count} labels")
    if len(set(columns["ids"])) < count:
        raise InputError("ids names a row twice; give each row an id of its own")
    if not places:
        raise InputError("places is empty; give the activations of at least one layer")
    arrays = {}
    for name, array in places.items():
        if str(name) in arrays:  # as 0 and "0"
            raise InputError(f"places names {str(name)!r} twice; give each layer its own name")
        arrays[str(name)] = flattened(name, array, count)
    place = own_place(out)
    record = {"network": network, "rows": rows, "places": list(arrays)}
    record |= {"positive": positive_N.tolist(), **columns}
    with partial_of(place, folder=True) as partial:
        for number, array_ND in enumerate(arrays.values()):
            np.save(partial / f"{number}.npy", array_ND)
        (partial / RECORD).write_text(json.dumps(record) + "\n", encoding="utf-8")
        seal(partial)
        if place.exists() and sealed_files(place) == folder_sha256(partial):
            return str(out)  # and what others map of it stays
        remove(place)
        put_folder(partial, place)
    return str(out)


def flattened(name, array, count: int) -> np.ndarray:
    """A layer's activations as float32 [N, D]."""
    array = real_array(repr(name), array)
    if array.ndim < 2 or len(array) != count or not array.size:
        raise InputError(
            f"{name!r} must be numbers [{count}, nodes], one row a label; got {array.dtype} "
            f"{array.shape}"
        )
    array_ND = np.ascontiguousarray(array.reshape(count, -1), np.float32)
    if not np.isfinite(array_ND).all():
        raise InputError(f"{name!r} holds values that are not finite (or beyond float32)")
    return array_ND


def own_place(out) -> pathlib.Path:
    """Where rows may be written: nothing is there, or rows that were written before."""
    place = real_place(out)
    free = not place.exists() or (place.is_dir() and not any(place.iterdir()))
    if not free and not (place / RECORD).is_file():
        raise InputError(f"{out} holds something else; choose another folder")
    return place


@dataclass(frozen=True)
class ArraySource:
    """The rows of a folder that `write_rows` has written."""

    name: str
    folder: pathlib.Path
    groups: dict[str, list[Example]]
    rows_of: dict[str, list[int]]  # {group: its rows in the arrays}
    places: list[Place]
    widths: dict[Place, int]
    files: dict[str, str]  # {file: sha256}
    terms: Terms
    about: str
    extra: tuple[Place, ...] = ()
    baselines: tuple = ()

    @property
    def layers(self) -> int:
        return len(self.places)

    def hashes(self) -> dict[str, str]:
        """Of the folder's files."""
        return {f"{self.folder.name}/{name}": sha256 for name, sha256 in self.files.items()}

    def shape(self, group: str, place: Place) -> tuple[int, int]:
        """Rows and nodes [N, D]."""
        return len(self.groups[group]), self.widths[place]

    def identity(self, group: str, place: Place) -> dict[str, Any]:
        """The array's hash, and which of its rows."""
        return {"array": self.files[self.file(place)], "rows": self.rows_of[group]}

    def file(self, place: Place) -> str:
        return f"{self.places.index(place)}.npy"

    def named(self, text: str) -> Place:
        """The layer of that name. Raises InputError for one that is not there."""
        return named_place(text, self.places, self.layers)

    def fill(self, group: str, arrays, progress) -> None:
        """Copy the group's rows."""
        for place, array in arrays.items():
            array[:] = read_array(self.folder / self.file(place))[self.rows_of[group]]
        progress(len(self.groups[group]))


def open_rows(folder) -> ArraySource:
    """The rows of a folder. Raises InputError for one that is missing, damaged or not of rows."""
    folder = real_place(folder)
    if not (folder / RECORD).is_file():
        raise InputError(f"{folder} has no {RECORD}; write it with personascan.write_rows")
    if not (folder / SEAL).is_file() or (damaged := damaged_files(folder)):
        what = damaged[0] if (folder / SEAL).is_file() else SEAL
        raise InputError(f"{folder / what} is missing or damaged; write the rows again")
    record = read_json(folder / RECORD)
    groups, rows_of = {}, {}
    columns = (record[name] for name in ("groups", "ids", "positive", "entities", "conditions"))
    for row, (group, id_, positive, entity, condition) in enumerate(zip(*columns, strict=True)):
        groups.setdefault(group, []).append(Example(id_, positive, entity, condition))
        rows_of.setdefault(group, []).append(row)
    network, rows = record["network"], record["rows"]
    places = [Place(name, i, "", network) for i, name in enumerate(record["places"])]
    widths = {
        place: np.load(folder / f"{i}.npy", mmap_mode="r").shape[1]
        for i, place in enumerate(places)
    }
    about = f"The activations of {len(places)} layers came as arrays ({RECORD} beside them)."
    return ArraySource(
        network, folder, groups, rows_of, places, widths, dict(sealed_files(folder)),
        Terms(rows=rows, h1=f"{rows} of the group", h0=f"{rows} that are expected"), about,
    )  # fmt: skip
