"""Sheets: tables inside a page, column by column, as small as their numbers allow.

A sheet's rows come in groups (those of a part, a cell, a scan, ...), of which a picture shows one.
templates/sheets.js reads what is packed here.
"""

import base64
from dataclasses import dataclass, field

import numpy as np

EXACT = 50_000  # numbers of a column that are kept as they are; of more, seven digits, cut off
MISSING = -(2**15)  # the whole number that stands for NaN among rounded values


@dataclass(frozen=True)
class Rounded:
    """Numbers that are rounded to multiples of `step`, which fit into 16 bits."""

    values: np.ndarray
    step: float


@dataclass(frozen=True)
class Sheet:
    """Columns of one length: arrays of numbers, or lists of texts."""

    columns: dict[str, np.ndarray | list | Rounded]
    by: str = ""  # what a group of rows belongs to; "": all rows are one group
    starts: tuple[int, ...] = ()  # the first row of every group, and the number of rows
    keys: dict[str, str] = field(default_factory=dict)  # {column: the sheet that it numbers}

    def packed(self) -> dict:
        """Returns the sheet as JSON holds it."""
        return {
            "columns": {name: pack_column(column) for name, column in self.columns.items()},
            "by": self.by,
            "starts": pack_column(np.array(self.starts, int)),
            "keys": self.keys,
        }


class Grouped:
    """Rows of a sheet that are gathered group by group."""

    def __init__(self, *names: str, by: str, keys=None, steps=None):
        self.names, self.by, self.keys, self.steps = names, by, keys or {}, steps or {}
        self.parts, self.starts = [], [0]

    def add(self, *columns) -> int:
        """Adds a group, column by column, and returns its number."""
        self.parts.append(columns)
        self.starts.append(self.starts[-1] + len(columns[0]))
        return len(self.parts) - 1

    def add_lines(self, lines: list[tuple]) -> int:
        """Adds a group, line by line, and returns its number."""
        columns = list(zip(*lines, strict=True)) if lines else [()] * len(self.names)
        return self.add(*(list(c) if c and isinstance(c[0], str) else np.array(c) for c in columns))

    def sheet(self) -> Sheet:
        """Returns the sheet of all groups."""
        columns = {}
        for i, name in enumerate(self.names):
            # An empty group would make numbers of rows floats.
            pieces = [part[i] for part in self.parts if len(part[i])]
            if any(isinstance(piece, list) for piece in pieces):
                columns[name] = [value for piece in pieces for value in piece]
                continue
            values = np.concatenate(pieces) if pieces else np.empty(0, int)
            columns[name] = Rounded(values, self.steps[name]) if name in self.steps else values
        return Sheet(columns, self.by, tuple(self.starts), self.keys)


def pack_column(column) -> dict:
    """Returns a column as JSON holds it: little-endian bytes in base 64, and their type."""
    if isinstance(column, list):
        values, codes = np.unique(np.array(column, dtype=str), return_inverse=True)
        return {"texts": values.tolist(), "codes": pack_column(codes.astype(int))}
    step = 0.0
    if isinstance(column, Rounded):
        steps = np.asarray(column.values, float) / column.step
        steps = np.clip(np.round(steps), MISSING + 1, -MISSING - 1)
        column, step = np.where(np.isnan(steps), MISSING, steps).astype(np.int16), column.step
    column = np.asarray(column)
    dtype = np.dtype(np.float64 if column.size <= EXACT else np.float32)
    if column.dtype.kind == "f" and dtype == np.float32:
        column = round_down(column)
    if column.dtype.kind in "iub":
        low, high = (int(column.min()), int(column.max())) if column.size else (0, 0)
        kinds = (np.uint8, np.int8, np.uint16, np.int16, np.int32)
        dtype = next(
            np.dtype(kind)
            for kind in kinds
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max
        )
    values = np.ascontiguousarray(column.astype(dtype.newbyteorder("<")))
    column = {"kind": f"{dtype.kind}{dtype.itemsize}", "bytes": base64.b64encode(values).decode()}
    return {**column, "step": step} if step else column


def round_down(column) -> np.ndarray:
    """Returns float32 values, each at most its number, so that a p of 0.05 still passes."""
    near = column.astype(np.float32)
    return np.where(near > column, np.nextafter(near, np.float32(-np.inf)), near)


def unpack_column(column: dict) -> np.ndarray | list:
    """Returns the values of a packed column; texts as a list."""
    if "texts" in column:
        return [column["texts"][code] for code in unpack_column(column["codes"])]
    values = np.frombuffer(base64.b64decode(column["bytes"]), np.dtype(f"<{column['kind']}"))
    if "step" not in column:
        return values
    return np.where(values == MISSING, np.nan, values * column["step"])


class Sheets:
    """The packed sheets of a page, read row by row."""

    def __init__(self, sheets: dict[str, dict]):
        self.packed, self.read = sheets, {}

    def columns(self, name: str) -> dict:
        """Returns the columns of a sheet, unpacked once."""
        if name not in self.read:
            columns = self.packed[name]["columns"]
            self.read[name] = {key: unpack_column(column) for key, column in columns.items()}
        return self.read[name]

    def rows(self, name: str, chosen: dict[str, int]) -> list[dict]:
        """Returns the rows of a sheet's chosen group, as `row`.

        chosen: {what groups belong to: the group's number}.
        """
        by = self.packed[name]["by"]
        first, end = self.ends(name, chosen[by]) if by else (0, self.length(name))
        return [self.row(name, i) for i in range(first, end)]

    def ends(self, name: str, group: int) -> tuple[int, int]:
        """Returns the first row of a group, and the first behind it."""
        starts = unpack_column(self.packed[name]["starts"])
        return int(starts[group]), int(starts[group + 1])

    def length(self, name: str) -> int:
        """Returns the number of all rows of a sheet."""
        return len(next(iter(self.columns(name).values()), ()))

    def every(self, name: str) -> list[dict]:
        """Returns all rows of a sheet."""
        return [self.row(name, i) for i in range(self.length(name))]

    def row(self, name: str, number: int) -> dict:
        """Returns a row with the rows that its keys number; its own columns take precedence."""
        own = {key: plain(values[number]) for key, values in self.columns(name).items()}
        numbered = {}
        for key, other in self.packed[name]["keys"].items():
            numbered |= self.row(other, own[key])
        return numbered | own


def plain(value):
    """Returns a number or text as JSON holds it; None for NaN."""
    if isinstance(value, str):
        return value
    number = value.item() if hasattr(value, "item") else value
    return None if number != number else number
