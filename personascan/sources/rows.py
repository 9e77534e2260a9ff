"""The rows [N, D] that a scan takes: from a .npy file, or one layer of what `extract` has kept."""

import pathlib
from typing import NamedTuple

import numpy as np

from personascan.errors import InputError
from personascan.places import whole_number
from personascan.reading import is_file
from personascan.sources.store import Activations, read_array


class Rows(NamedTuple):
    """Rows to scan, and what each is called."""

    array_ND: np.ndarray
    ids: list[str] | None  # None: rows of a .npy file have only their numbers


def read_rows(path, *, site: str = "", layer: str = "", position: str = "", ids: str = "") -> Rows:
    """Rows of a `.npy` file, or of the `.npz` file or folder that `extract` has written.

    Args:
      path: the file or folder.
      site, position: which of those kept; may be left out where there is one.
      layer: its number or its name ("7", "resid_post 7"); may be left out where there is one.
      ids: statements to take, in this order: ids separated by commas, or a text file with one a
        line; "": all.

    Raises:
      InputError: a missing or damaged file; a choice that is not there, or not made, by what is.
    """
    path = pathlib.Path(path)
    if not path.is_dir() and path.suffix != ".npz":
        if site or layer or position or ids:
            raise InputError(
                f"{path} has rows alone; site, layer, position and ids choose from what extract "
                "has written (an .npz file or a folder)"
            )
        return Rows(read_array(path), None)
    kept = Activations.load(path)
    site = choose_one("site", site, list(dict.fromkeys(s for s, _ in kept.stacks)), path)
    positions = [p for s, p in kept.stacks if s == site and p != "all"]
    position = choose_one("position", whole_number(position), positions, path)
    array_LND = kept.stacks[site, position]
    names = kept.layer_names.get(site) or [f"{site} {i}" for i in range(len(array_LND))]
    name = f"{site} {layer}" if layer.isdecimal() and site != "final_norm" else layer
    layer_ND = array_LND[names.index(choose_one("layer", name, names, path))]
    if not ids:
        return Rows(np.asarray(layer_ND), kept.ids)
    wanted = listed_ids(ids)
    numbers = {id_: i for i, id_ in enumerate(kept.ids)}
    missing = [id_ for id_ in wanted if id_ not in numbers]
    if missing:
        raise InputError(
            f"{path} has no statement {missing[0]!r} ({len(missing)} of the ids are not in it)"
        )
    return Rows(np.asarray(layer_ND[[numbers[id_] for id_ in wanted]]), wanted)


def choose_one(what: str, asked, there: list, path):
    """What was asked for, or the only one there is."""
    if asked == "" and len(there) == 1:
        return there[0]
    if asked not in there:
        listed = ", ".join(map(str, there[:40])) or f"no {what} with one row a statement"
        fault = f"has several; choose one with {what}=" if asked == "" else f"has no {asked!r}"
        raise InputError(f"{path}: {what} {fault}; there are: {listed}")
    return asked


def listed_ids(ids: str) -> list[str]:
    """Ids separated by commas, or those of a text file with one a line; each once."""
    found = [i.strip() for i in ids.split(",")]
    if is_file(pathlib.Path(ids)):
        try:
            found = pathlib.Path(ids).read_text(encoding="utf-8-sig").split("\n")
        except (OSError, ValueError) as error:
            raise InputError(f"{ids} cannot be read as a list of ids ({error})") from error
    found = [i.strip() for i in found if i.strip()]
    if len(set(found)) < len(found):
        raise InputError(f"the ids {ids[:60]!r} name one twice")
    return found


def refuse_shared(background: Rows, evaluation: Rows) -> None:
    """No statement is both expected and scanned."""
    shared = sorted(set(background.ids or ()) & set(evaluation.ids or ()))
    if shared:
        raise InputError(
            f"{len(shared)} statements are in the background and scanned, such as {shared[0]!r}; "
            "choose with background_ids and evaluation_ids"
        )
