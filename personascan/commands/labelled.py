"""Labelled rows for `locate`: their places, the side of each, and how labels are exchanged."""

import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from personascan.errors import InputError
from personascan.memory import refuse_too_much
from personascan.reading import is_file, refuse_special
from personascan.sources.array_files import read_array
from personascan.sources.arrays import open_rows
from personascan.sources.language.sides import direction_of
from personascan.sources.language.statements import Statement
from personascan.sources.rows_record import RECORD
from personascan.sources.store import Activations, unpacked_bytes
from personascan.study.comparisons import Pool, comparisons, draw_pool


class Labelled(NamedTuple):
    """Activations of N rows at places, and their labels."""

    places: Any  # as `locate` takes them: {place: [N, D]}, [P, N, D] or [N, D]
    positive_N: np.ndarray  # bool
    exchange: dict[str, Any]  # pairs, entities or within, as `locate` takes them


def labelled_by(pool: Pool, places) -> Labelled:
    """Returns the rows of a comparison, whose labels are exchanged as a study exchanges them."""
    exchange = {"entities": pool.clusters}
    if pool.pairs is not None:  # which may have several rows of a side
        single = (np.bincount(pool.pairs) == 2).all()
        exchange = {"pairs" if single else "within": pool.pairs}
    return Labelled(places, pool.positive_N, exchange)


def one_pool(groups: Mapping[str, list], persona: str, seed: int) -> Pool:
    """Returns the rows of the persona's two sides, or of the only one there is.

    Raises InputError if there are several and none is named, or if it is not there.
    """
    found = {one.name: one for one in comparisons(2, groups)}
    name = persona or next(iter(found))
    if name not in found or (not persona and len(found) > 1):
        wrong = f"there is no persona {persona!r}" if persona else "there are several personas"
        raise InputError(f"{wrong}; choose one with --persona: {', '.join(found)}")
    return draw_pool(groups, found[name], sum(map(len, groups.values())), seed)


def rows_folder(folder: pathlib.Path, persona: str, seed: int) -> Labelled:
    """Returns the rows of a folder of `write_rows`, which has their labels."""
    source = open_rows(folder)
    pool = one_pool(source.groups, persona, seed)
    numbers = [source.rows_of[group][i] for group, rows in pool.members for i in rows]
    places = {}
    for place in source.places:
        file = source.file(place)
        places[place] = read_array(source.folder / file, source.files[file])[numbers]
    return labelled_by(pool, places)


def read_places(path: pathlib.Path) -> Activations | Any:
    """Returns Activations that `extract` wrote, or the arrays of a .npy or .npz file.

    Raises InputError for a file that is missing, damaged or of another kind.
    """
    if path.is_dir():
        return Activations.load(path)
    if path.suffix != ".npz":
        return read_array(path)
    refuse_special(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            if "ids" not in file.files:
                refuse_too_much(str(path), unpacked_bytes(file.zip), "give one .npy file")
                return {name: file[name] for name in file.files}
    except (InputError, MemoryError):
        raise
    except Exception as error:
        # A damaged archive surfaces as any of a dozen errors of zip, zlib and the array reader.
        raise InputError(f"{path} cannot be read as an .npz file ({error})") from error
    return Activations.load(path)


def places_of(activations: Activations, numbers) -> dict:
    """Returns chosen rows of all places that have one row a statement."""
    places = {
        place: activations[place][numbers] for place in activations if place.position != "all"
    }
    if not places:
        raise InputError("these activations have a row for each token; extract other positions")
    return places


def by_statements(
    activations: Activations, statements: list[Statement], persona: str, seed: int
) -> Labelled:
    """Returns the rows of activations that statements label, by their ids."""
    number = {id_: i for i, id_ in enumerate(activations.ids)}
    known = [s for s in statements if s.id in number]
    if not known:
        raise InputError("none of these activations is of one of the statements (by their ids)")
    pool = one_pool(grouped(known), persona, seed)
    return labelled_by(pool, places_of(activations, [number[id_] for id_ in pool.ids]))


def grouped(statements: list[Statement]) -> dict[str, list[Statement]]:
    """Returns {persona: its statements}, in order."""
    groups = {}
    for statement in statements:
        groups.setdefault(statement.persona, []).append(statement)
    return groups


def by_labels(activations: Activations | Any, labels: str) -> Labelled:
    """Returns all rows of activations, with labels from a file."""
    if isinstance(activations, Activations):
        activations = places_of(activations, slice(None))
    return Labelled(activations, read_labels(labels), {})


def read_labels(path: str) -> np.ndarray:
    """Returns the labels in a file as bools [N]: a .npy file, or text with one label a line.

    A label is written as the direction of a statement is. Raises InputError, with the line, for any
    other word.
    """
    file = pathlib.Path(path)
    if file.suffix == ".npy":
        array = read_array(file)
        if array.ndim != 1 or not np.isin(array, (0, 1)).all():
            raise InputError(
                f"{path}: labels are one 1 or 0 a row, got {array.dtype} {array.shape}"
            )
        return array.astype(bool)
    if not is_file(file):
        raise InputError(f"{path} does not exist; give a file of labels: .npy, or text")
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as text ({error})") from error
    words = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    return np.array([direction_of(word, f"{path}, line {number}") for number, word in words], bool)


def is_rows_folder(path: pathlib.Path) -> bool:
    """Tells whether `write_rows` has written a folder."""
    return (path / RECORD).is_file()
