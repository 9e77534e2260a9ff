"""Reader of the rows [N, D] of a scan: a .npy file, or one layer of extracted activations."""

import pathlib
from typing import NamedTuple

import numpy as np

from personascan.errors import InputError
from personascan.places import whole_number
from personascan.reading import is_file
from personascan.sources.array_files import read_array
from personascan.sources.store import Activations


class Rows(NamedTuple):
    """Rows to scan, and their ids."""

    array_ND: np.ndarray
    ids: list[str] | None  # None: rows of a .npy file have only their numbers


def read_rows(path, *, site: str = "", layer: str = "", position: str = "", ids: str = "") -> Rows:
    """Reads rows of a `.npy` file, or of the `.npz` file or folder that `extract` wrote.

    Args:
      path: the file or folder.
      site, position: one of those in the file; may be left out if there is only one.
      layer: its number or its name ("7", "resid_post 7"); may be left out if there is only one.
      ids: statements to take, in this order: ids separated by commas, or a text file with one a
        line; "": all.

    Raises:
      InputError: a missing or damaged file; a choice that is not in it, or that is left out though
        there are several.
    """
    path = pathlib.Path(path)
    if not path.is_dir() and path.suffix != ".npz":
        if site or layer or position or ids:
            raise InputError(
                f"{path} has rows alone; site, layer, position and ids choose from what extract "
                "has written (an .npz file or a folder)"
            )
        return Rows(read_array(path), None)
    stored = Activations.load(path)
    site = choose_one("site", site, list(dict.fromkeys(s for s, _ in stored.stacks)), path)
    positions = [p for s, p in stored.stacks if s == site and p != "all"]
    position = choose_one("position", whole_number(position), positions, path)
    array_LND = stored.stacks[site, position]
    names = stored.layer_names.get(site) or [f"{site} {i}" for i in range(len(array_LND))]
    name = f"{site} {layer}" if layer.isdecimal() and site != "final_norm" else layer
    layer_ND = array_LND[names.index(choose_one("layer", name, names, path))]
    if not ids:
        return Rows(np.asarray(layer_ND), stored.ids)
    wanted = listed_ids(ids)
    numbers = {id_: i for i, id_ in enumerate(stored.ids)}
    missing = [id_ for id_ in wanted if id_ not in numbers]
    if missing:
        raise InputError(
            f"{path} has no statement {missing[0]!r} ({len(missing)} of the ids are not in it)"
        )
    return Rows(np.asarray(layer_ND[[numbers[id_] for id_ in wanted]]), wanted)


def choose_one(what: str, asked, available: list, path):
    """Returns what was asked for, or the only choice. Raises InputError if neither exists."""
    if asked == "" and len(available) == 1:
        return available[0]
    if asked not in available:
        listed = ", ".join(map(str, available[:40])) or f"no {what} with one row a statement"
        fault = f"has several; choose one with {what}=" if asked == "" else f"has no {asked!r}"
        raise InputError(f"{path}: {what} {fault}; there are: {listed}")
    return asked


def listed_ids(ids: str) -> list[str]:
    """Reads ids separated by commas, or from a text file with one a line; each once."""
    listed = ids.split(",")
    if is_file(pathlib.Path(ids)):
        try:
            listed = pathlib.Path(ids).read_text(encoding="utf-8-sig").split("\n")
        except (OSError, ValueError) as error:
            raise InputError(f"{ids} cannot be read as a list of ids ({error})") from error
    listed = [i.strip() for i in listed if i.strip()]
    if len(set(listed)) < len(listed):
        raise InputError(f"the ids {ids[:60]!r} name one twice; name each statement once")
    return listed


def refuse_shared(background: Rows, evaluation: Rows) -> None:
    """Raises InputError if a statement is both background and scanned."""
    shared = sorted(set(background.ids or ()) & set(evaluation.ids or ()))
    if shared:
        raise InputError(
            f"{len(shared)} statements are in the background and scanned, such as {shared[0]!r}; "
            "choose with background_ids and evaluation_ids"
        )
