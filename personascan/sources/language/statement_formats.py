"""The formats of statement files, JSON lines and CSV: the fields of each statement, unchecked."""

import csv
import json
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from personascan.errors import InputError
from personascan.reading import refuse_special

COLUMNS = ("statement", "direction", "label_confidence", "persona_dim")
DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Entry:
    """The fields of one statement as a file holds them: not yet checked, None where missing."""

    where: str  # its source, for messages: a file and line, or a molecule's property
    text: Any
    persona: Any
    topic: Any
    positive: bool  # the direction
    confidence: Any
    id: Any = None
    question: str = ""
    entity: Any = None
    pair: Any = None


def read_entries(path: pathlib.Path) -> Iterator[Entry]:
    """Yields the entries of a file in its order. Raises InputError for one that is malformed."""
    if path.suffix == ".jsonl":
        return read_evals(path)
    if path.suffix == ".csv":
        return read_csv(path)
    raise InputError(f"{path} is neither .jsonl nor .csv")


def read_evals(path: pathlib.Path) -> Iterator[Entry]:
    """Yields entries of public persona evals: positive if the matching answer is Yes."""
    with open_text(path) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                row = json.loads(line, object_pairs_hook=reject_duplicate_keys)
            except KeyError as error:
                raise InputError(f"{where} has the field {error} twice; keep one") from error
            except json.JSONDecodeError as error:
                raise InputError(
                    f"{where} is not valid JSON ({error}); the file needs one object a line"
                ) from error
            if not isinstance(row, dict):
                raise InputError(f"{where} is not a JSON object")
            answer = str(field(row, "answer_matching_behavior", where)).strip()
            if answer not in ("Yes", "No"):
                raise InputError(f"{where}: answer_matching_behavior is {answer!r}, not Yes or No")
            yield Entry(
                where,
                field(row, "statement", where),
                row.get("persona") or path.stem,
                row.get("topic"),
                answer == "Yes",
                field(row, "label_confidence", where),
                row.get("id"),
                row.get("question", ""),
                row.get("entity"),
                row.get("pair"),
            )


def read_csv(path: pathlib.Path) -> Iterator[Entry]:
    """Yields the entries of a table with the COLUMNS; direction is positive or negative.

    Columns may come in any order and case, separated by commas, semicolons, tabs or bars; id,
    entity and pair are optional.
    """
    with open_text(path) as lines:
        # Strict: a quote that is never closed would swallow all lines behind it.
        rows = csv.reader(lines, delimiter=delimiter_of(path), strict=True, skipinitialspace=True)
        filled = (cells for cells in each_row(rows, path) if any(map(str.strip, cells)))
        header = [name.strip().lower() for name in next(filled, [])]
        if header and header[0].startswith("sep="):  # how a spreadsheet names the separator
            header = [name.strip().lower() for name in next(filled, [])]
        while header and not header[-1]:
            header.pop()
        check_header(header, path)
        for cells in filled:
            where = f"{path}, line {rows.line_num}"
            row = dict(zip(header, cells, strict=False))
            if any(more.strip() for more in cells[len(header) :]):
                raise InputError(
                    f"{where} has {len(cells)} fields, the header {len(header)}: put a text that "
                    "holds the separator into double quotes"
                )
            direction = field(row, "direction", where).strip().lower()
            if direction not in ("positive", "negative"):
                raise InputError(f"{where}: direction is {direction!r}, not positive or negative")
            yield Entry(
                where,
                field(row, "statement", where),
                field(row, "persona_dim", where),
                None,
                direction == "positive",
                field(row, "label_confidence", where),
                row.get("id"),
                entity=row.get("entity"),
                pair=row.get("pair"),
            )


def each_row(rows, path: pathlib.Path):
    """Yields the rows of a CSV reader. Raises InputError for one that is not well quoted."""
    try:
        yield from rows
    except csv.Error as error:
        raise InputError(
            f"{path}, line {rows.line_num}: {error}; close every double quote, double those inside "
            f"a text, and keep a text below {csv.field_size_limit()} characters"
        ) from error


def delimiter_of(path: pathlib.Path) -> str:
    """Returns the separator that splits the header into the most known columns."""
    with open_text(path) as lines:
        header = next((line for line in lines if line.strip() and line[:4] != "sep="), "").lower()

    def columns_known(delimiter: str) -> int:
        names = {name.strip().strip('"') for name in header.split(delimiter)}
        return len(names & set(COLUMNS))

    return max(DELIMITERS, key=columns_known)


def check_header(header: list[str], path: pathlib.Path) -> None:
    """Raises InputError for a header that lacks a column or names one twice."""
    missing = [name for name in COLUMNS if name not in header]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if missing or twice:
        fault = f"lacks {', '.join(missing)}" if missing else f"names {', '.join(twice)} twice"
        raise InputError(
            f"{path}: the header {fault}; it has {', '.join(header)[:200] or 'nothing'}, and needs "
            f"id (optional), {', '.join(COLUMNS)}"
        )


def reject_duplicate_keys(pairs: list[tuple]) -> dict:
    """Returns a JSON object. Raises KeyError if a field is repeated: the last one would win."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise KeyError(name)
    return dict(pairs)


def field(row: dict, name: str, where: str):
    if row.get(name) is None:
        raise InputError(f"{where}: the field {name!r} is missing")
    return row[name]


def open_text(path: pathlib.Path):
    refuse_special(path)
    try:
        return path.open(encoding="utf-8-sig", newline="")  # spreadsheets put a BOM in front
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error})") from error
