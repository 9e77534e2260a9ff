"""The record of a folder of rows, which must be as `write_rows` writes it."""

import pathlib

import numpy as np

from personascan.errors import InputError
from personascan.hashes import SEAL, damaged_files, sealed_files
from personascan.reading import read_json
from personascan.sources.store import mapped_array

RECORD = "rows.json"
COLUMNS = {"ids": str, "groups": str, "positive": bool, "entities": str, "conditions": str,
           "pairs": str}  # fmt: skip
AGAIN = "write the rows again with personascan.write_rows"


def read_rows_record(folder: pathlib.Path) -> tuple[dict, dict[str, str], list[int]]:
    """Reads a folder of rows: its record, {file: sha256}, and the number of nodes of each place.

    Raises InputError for a folder that has no rows or is damaged, and for columns or arrays that do
    not have one row a label.
    """
    if not (folder / RECORD).is_file():
        raise InputError(f"{folder} has no {RECORD}; write it with personascan.write_rows")
    if not (folder / SEAL).is_file():
        raise InputError(f"{folder / SEAL} is missing or damaged; {AGAIN}")
    files = dict(sealed_files(folder))
    if damaged := damaged_files(folder):
        raise InputError(f"{folder / damaged[0]} is missing or damaged; {AGAIN}")
    record = read_json(folder / RECORD)
    for name in ("network", "rows"):
        if not isinstance(record.get(name), str):
            raise bad_record(folder, f"{name} is no text")
    if isinstance(record.get("positive"), list):
        record.setdefault("pairs", [""] * len(record["positive"]))  # only written if there are any
    for name, kind in (*COLUMNS.items(), ("places", str)):
        column = record.get(name)
        if not isinstance(column, list) or not all(type(entry) is kind for entry in column):
            raise bad_record(folder, f"{name} is no list of {kind.__name__}")
    count, places = len(record["positive"]), record["places"]
    texts = record.setdefault("texts", [None] * count)  # likewise
    if not isinstance(texts, list) or any(
        type(t) is not str for t in texts if texts[0] is not None
    ):
        raise bad_record(folder, "texts is no list of str")
    for name in (*COLUMNS, "texts"):
        if len(record[name]) != count:
            raise bad_record(folder, f"{name} has {len(record[name])} entries for {count} labels")
    for name in ("ids", "places"):
        if len(set(record[name])) < len(record[name]):
            raise bad_record(folder, f"{name} names one twice")
    if not count or not places:
        raise bad_record(folder, "it has no rows or no places")
    for number in range(len(places)):
        if f"{number}.npy" not in files:
            raise bad_record(
                folder, f"it has {len(places)} places, and {number}.npy is not in {SEAL}"
            )
    return record, files, [width(folder / f"{number}.npy", count) for number in range(len(places))]


def width(file: pathlib.Path, count: int) -> int:
    """Returns the number of nodes of an array [count, D], whose values stay on disk."""
    array = mapped_array(file)
    if array.ndim != 2 or len(array) != count or not array.size or array.dtype != np.float32:
        raise bad_record(
            file.parent, f"{file.name} is {array.dtype} {array.shape}, not float32 rows"
        )
    return array.shape[1]


def bad_record(folder: pathlib.Path, what: str) -> InputError:
    return InputError(f"{folder} is not as write_rows writes it: {what}; {AGAIN}")
