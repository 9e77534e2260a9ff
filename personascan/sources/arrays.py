"""Activations of any network as the source of a study's rows: a folder of arrays and labels."""

import json
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from personascan.errors import InputError
from personascan.files import is_free, partial_of, put_folder, real_path, restore
from personascan.hashes import SEAL, damaged_files, folder_sha256, seal, sealed_files
from personascan.places import Place, named_place
from personascan.reading import real_array
from personascan.row_labels import RowLabels, names_of, sides_of
from personascan.sources.array_files import read_array
from personascan.sources.base import Row, Terms
from personascan.sources.rows_record import RECORD, read_rows_record

LOST = 1e-3  # the share of a node's deviation that float32 may lose
CONSTANT = 2.0**-44  # of a node's largest value: a span that is float64's own rounding


def write_rows(
    out: str | os.PathLike[str],
    places: Mapping[Any, Any],
    positive: RowLabels,
    *,
    network: str = "network",
    groups: Sequence[str] | npt.NDArray[Any] | str = "positive",
    ids: Sequence[str] | npt.NDArray[Any] | None = None,
    entities: Sequence[Any] | npt.NDArray[Any] | None = None,
    conditions: Sequence[str] | npt.NDArray[Any] | None = None,
    pairs: Sequence[str] | npt.NDArray[Any] | None = None,
    texts: Sequence[str] | None = None,
    rows: str = "rows",
) -> str:
    """Writes activations of any network as a folder that a study reads rows from (`config.rows`).

    Args:
      out: the folder. It is replaced if this function wrote it and it holds nothing else.
      places: {layer's name: activations [N, D], or [N, ...], which are flattened}, first layer
        first; arrays of NumPy or JAX or tensors of torch, of any float (kept as float32).
      positive: bool [N], True for rows of H1; the others are H0. Or the rows, such as statements,
        whose pairs or entities are then kept, unless one of these is given.
      network: its name, which keys the results.
      groups: of each row, or one for all: each group with rows of H1 is a comparison, against its
        own H0 rows or, if it has none, those of the groups without H1.
      ids: of the rows; None: their numbers.
      entities: the subject of each row: rows of one entity are never both background and scanned.
        "", None or NaN: the row is an entity of its own.
      conditions: a class of each row, within which p-values can be taken (`detection.conditional`).
      pairs: of each row, the same for rows of both sides that are compared with one another (one
        question under two instructions): labels are exchanged within a pair. Not with entities.
      texts: the text of each row, where rows are texts: the page then shows them, and asks whether
        activations tell more than their words do.
      rows: the report's word for rows, in the plural, such as "images".

    Returns:
      The folder, as `config.rows` takes it.

    Raises:
      InputError: arrays or labels of different lengths, values that are not finite or that
        float32 cannot distinguish, an id or a layer's name that occurs twice, a group, id or
        condition that is missing, both pairs and entities, a folder that holds anything else, a
        full disk.
    """
    if pairs is None and entities is None:
        pairs, entities = (names_of(positive, name) or None for name in ("pair", "entity"))
        entities = entities if pairs is None else None
    positive_N = real_array("positive", sides_of(positive))
    if positive_N.ndim != 1 or positive_N.dtype != bool:
        raise InputError(
            f"positive needs one bool for each row, got {positive_N.dtype} {positive_N.shape}"
        )
    count = len(positive_N)
    columns = {
        "ids": text_column("ids", range(count) if ids is None else ids, count),
        "groups": text_column(
            "groups", [groups] * count if isinstance(groups, str) else groups, count
        ),
        "entities": text_column(
            "entities", [""] * count if entities is None else entities, count, optional=True
        ),
        "conditions": text_column(
            "conditions", [""] * count if conditions is None else conditions, count
        ),
    }
    if pairs is not None:  # folders without pairs keep the form they had before there were any
        columns["pairs"] = text_column("pairs", pairs, count)
        if any(columns["entities"]):
            raise InputError("give entities or pairs; labels are exchanged by the one or the other")
    if texts is not None:
        columns["texts"] = text_column("texts", texts, count)
    if len(set(columns["ids"])) < count:
        raise InputError("ids names a row twice; give each row an id of its own")
    if not isinstance(places, Mapping):
        raise InputError(
            f"places must map layers' names to activations, got {type(places).__name__}"
        )
    if not places:
        raise InputError("places is empty; give the activations of at least one layer")
    arrays = {}
    for name, array in places.items():
        if str(name) in arrays:  # as 0 and "0"
            raise InputError(f"places names {str(name)!r} twice; give each layer its own name")
        arrays[str(name)] = flatten_layer(name, array, count)
    path = check_folder(out)
    record = {"network": network, "rows": rows, "places": list(arrays)}
    record |= {"positive": positive_N.tolist(), **columns}
    with partial_of(path, folder=True) as partial:
        for number, array_ND in enumerate(arrays.values()):
            np.save(partial / f"{number}.npy", array_ND)
        (partial / RECORD).write_text(json.dumps(record) + "\n", encoding="utf-8")
        seal(partial)
        if holds_files(path, folder_sha256(partial)):
            return str(out)  # arrays that other processes have mapped stay valid
        put_folder(partial, path, True)
    return str(out)


def holds_files(path: pathlib.Path, files: dict[str, str]) -> bool:
    """Returns whether a folder holds these files, undamaged: {name: hash}."""
    try:
        sealed = (path / SEAL).exists()
        return sealed and sealed_files(path) == files and not damaged_files(path)
    except InputError:
        return False  # a damaged seal: the rows are written again


def text_column(name: str, column, count: int, optional: bool = False) -> list[str]:
    """Returns a column as text; missing entries (None, NaN, pandas.NA) are "" where optional.

    Raises InputError for no sequence, another number of entries, and missing ones elsewhere.
    """
    try:
        entries = list(column)
    except TypeError as error:
        raise InputError(f"{name} must be a sequence of {count} texts, got {column!r}") from error
    if len(entries) != count:
        raise InputError(f"{name} has {len(entries)} entries for {count} labels")
    for row, entry in enumerate(entries):
        if is_missing(entry) and not optional:
            raise InputError(f"{name} has no entry for row {row} ({entry!r}); give every row one")
    return ["" if is_missing(entry) else str(entry) for entry in entries]


def is_missing(entry) -> bool:
    """Returns whether an entry of a table stands for a missing value."""
    if entry is None:
        return True
    try:
        return bool(entry != entry)  # true of NaN and NaT alone
    except TypeError:  # pandas.NA has no truth value
        return True


def flatten_layer(name, array, count: int) -> np.ndarray:
    """Returns a layer's activations as float32 [N, D]."""
    array = real_array(repr(name), array)
    if array.ndim < 2 or len(array) != count or not array.size:
        raise InputError(
            f"{name!r} must be numbers [{count}, nodes], one row a label; got {array.dtype} "
            f"{array.shape}"
        )
    array_ND = np.ascontiguousarray(array.reshape(count, -1), np.float32)
    if not np.isfinite(array_ND).all():
        raise InputError(f"{name!r} holds values that are not finite (or beyond float32)")
    refuse_rounded(name, array.reshape(count, -1), array_ND)
    return array_ND


def refuse_rounded(name, array_ND, narrow_ND) -> None:
    """Raises InputError where float32 loses differences that the given numbers have.

    The loss of a node is compared with its deviation. A node that varies by no more than the
    rounding of float64 is constant.
    """
    if array_ND.dtype == np.float32 or not array_ND.size:
        return
    exact_ND = np.asarray(array_ND, np.float64)
    lost_D = np.abs(exact_ND - narrow_ND).max(0)
    span_D, largest_D = np.ptp(exact_ND, axis=0), np.abs(exact_ND).max(0)
    with np.errstate(under="ignore"):
        rounded_D = (span_D > CONSTANT * largest_D) & (lost_D > LOST * exact_ND.std(0))
    if rounded_D.any():
        raise InputError(
            f"{name!r} differs by less than float32 can hold at {rounded_D.sum()} of "
            f"{rounded_D.size} nodes, the first of them {rounded_D.argmax()}; subtract each node's "
            "mean, or scale it, before writing"
        )


def check_folder(out) -> pathlib.Path:
    """Returns the path of a folder. Raises InputError if it holds anything but rows."""
    path = real_path(out)
    if not path.exists() or is_free(path):
        return path
    names = {file.name for file in path.iterdir()} if path.is_dir() else {path.name}
    if names and not (path / RECORD).is_file():
        raise InputError(f"{out} holds something else; choose another folder")
    own = re.compile(rf"\d+\.npy|{re.escape(RECORD)}|{re.escape(SEAL)}")
    if others := sorted(name for name in names if not own.fullmatch(name)):
        raise InputError(
            f"{out} holds rows and other things besides ({', '.join(others[:3])}), which would be "
            "lost with them; choose another folder, or move them away"
        )
    return path


@dataclass(frozen=True)
class ArraySource:
    """The rows of a folder that `write_rows` wrote."""

    name: str
    folder: pathlib.Path
    groups: dict[str, list[Row]]
    rows_of: dict[str, list[int]]  # {group: its rows in the arrays}
    places: list[Place]
    widths: dict[Place, int]
    files: dict[str, str]  # {file: sha256}
    terms: Terms
    about: str
    extra: tuple[Place, ...] = ()
    embedding: Place | None = None
    baselines: tuple = ()
    texts: bool = False
    head_width: int = 1
    role: str = ""
    revision: str = ""
    answers: bool = False

    @property
    def layers(self) -> int:
        return len(self.places)

    def hashes(self) -> dict[str, str]:
        """Returns the hashes of the folder's files."""
        return {f"{self.folder.name}/{name}": sha256 for name, sha256 in self.files.items()}

    def shape(self, group: str, place: Place) -> tuple[int, int]:
        """Returns the numbers of rows and nodes: (N, D)."""
        return len(self.groups[group]), self.widths[place]

    def identity(self, group: str, place: Place) -> dict[str, Any]:
        """Returns the array's hash, and the numbers of the group's rows in it."""
        return {"array": self.files[self.file(place)], "rows": self.rows_of[group]}

    def file(self, place: Place) -> str:
        return f"{self.places.index(place)}.npy"

    def named(self, text: str) -> Place:
        """Returns the place of a layer's name. Raises InputError if there is none."""
        return named_place(text, self.places, self.layers)

    def fill(self, group: str, arrays, progress) -> None:
        """Copies the group's rows. Raises InputError for a file that has changed."""
        for place, array in arrays.items():
            file = self.file(place)
            array[:] = read_array(self.folder / file, self.files[file])[self.rows_of[group]]
        progress(len(self.groups[group]))


def open_rows(folder) -> ArraySource:
    """Opens a folder of rows. Raises InputError if it is missing, damaged or holds no rows."""
    folder = real_path(folder)
    restore(folder)
    record, files, nodes = read_rows_record(folder)
    groups, rows_of = {}, {}
    names = ("groups", "texts", "ids", "positive", "entities", "conditions", "pairs")
    for row, (group, text, *values) in enumerate(zip(*map(record.get, names), strict=True)):
        groups.setdefault(group, []).append(Row(*values, text=text))
        rows_of.setdefault(group, []).append(row)
    network, rows = record["network"], record["rows"]
    places = [Place(name, i, "", network) for i, name in enumerate(record["places"])]
    widths = dict(zip(places, nodes, strict=True))
    about = f"The activations of {len(places)} layers came as arrays ({RECORD} beside them)."
    return ArraySource(
        network, folder, groups, rows_of, places, widths, files,
        Terms(rows=rows, h1=f"{rows} of the group", h0=f"{rows} that are expected"), about,
        texts=record["texts"][:1] != [None],
    )  # fmt: skip
