"""The forms in which statements come: files (JSON lines, CSV), dicts, a DataFrame, lists.

Each is read as entries: the fields of one statement, not yet checked.
"""

import csv
import json
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from personascan.errors import InputError
from personascan.reading import refuse_special
from personascan.sources.language.sides import Sides, plain
from personascan.sources.language.statement_columns import NEEDED, Columns, shown_row

SUFFIXES = (".jsonl", ".csv", ".tsv")
DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Entry:
    """The fields of one statement as a file holds them: not yet checked, None where missing."""

    where: str  # its source, for messages: a file and line, or a molecule's property
    text: Any
    persona: Any
    topic: Any
    positive: bool  # the direction
    confidence: Any = None
    id: Any = None
    question: str = ""
    entity: Any = None
    pair: Any = None
    marked: str = ""  # the direction's own word, where the positive side's is named


def read_entries(
    path: pathlib.Path, sides: Sides, columns: Columns, persona: str | None = None
) -> Iterator[Entry]:
    """Yields the entries of a file in its order. Raises InputError for one that is malformed.

    A persona that it does not name is the one given, or else the file's name.
    """
    persona = persona or path.stem
    if path.suffix == ".jsonl":
        return completed(read_json_lines(path, sides, columns), persona)
    if path.suffix in (".csv", ".tsv"):
        return completed(read_csv(path, sides, columns), persona)
    raise InputError(f"{path} is neither .jsonl nor .csv nor .tsv")


def given_entries(
    source: Any, sides: Sides, columns: Columns, persona: str | None = None
) -> Iterator[Entry]:
    """Yields the entries of statements in memory: dicts, a DataFrame, or lists by direction.

    The persona that they do not name is the one given, or "persona". Raises InputError for anything
    else, and for a row that is malformed.
    """
    return completed(each_given(source, sides, columns), persona or "persona")


def each_given(source: Any, sides: Sides, columns: Columns) -> Iterator[Entry]:
    names = list(getattr(source, "columns", ()))  # of a DataFrame
    if len(names) == 2 and sides.are_keys(names):  # a column of texts for each side
        source = {name: [v for v in source[name].tolist() if not is_missing(v)] for name in names}
    if isinstance(source, Mapping):
        sides.refuse_keys(source)
        source = [
            {columns.names["text"][0]: text, columns.names["direction"][0]: direction}
            for direction, texts in source.items()
            for text in sequence_of(texts, f"the statements of {direction!r}")
        ]
    elif hasattr(source, "to_dict"):  # a DataFrame
        source = source.to_dict("records")
    for number, row in enumerate(sequence_of(source, "statements"), 1):
        if not isinstance(row, Mapping):
            raise InputError(
                f"statement {number} is {row!r}; give dicts with text and direction, or "
                '{"positive": texts, "negative": texts}'
            )
        known = {plain(k): v for k, v in row.items() if not is_missing(v)}
        yield entry_of(known, f"statement {number}", sides, columns)


def sequence_of(values: Any, what: str) -> list:
    """Returns the values as a list. Raises InputError for text and for what is no sequence."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InputError(f"{what} must be a list, got {values!r}")
    return list(values)


def entry_of(row: Mapping[str, Any], where: str, sides: Sides, columns: Columns) -> Entry:
    """Returns the entry of a row whose names are in lower case.

    Raises InputError for a row without text or direction, and for two names of one field.
    """
    fields = {field: columns.value(row, field, where) for field in columns.names}
    for field in NEEDED:
        if fields[field] is None:
            raise InputError(
                f"{where}: the field {columns.names[field][0]!r} is missing; it has "
                f"{shown_row(row)}, and needs {columns.needed()}"
            )
    fields["question"] = fields["question"] or ""
    direction = fields.pop("direction")
    positive = sides.positive(direction, where)
    return Entry(where, positive=positive, marked=sides.marked(direction), **fields)


def is_missing(value: Any) -> bool:
    """Returns whether a value is NaN or pandas.NA, which tables hold where a value is missing."""
    return type(value).__name__ == "NAType" or (isinstance(value, float) and value != value)


def completed(entries: Iterable[Entry], persona: str) -> Iterator[Entry]:
    """Yields entries of one source with the persona and the confidence 1 where it gives none.

    Raises InputError if some of its rows give one and others do not.
    """
    first = None
    for entry in entries:
        first = first or entry
        for field in ("persona", "confidence"):
            has, had = (getattr(one, field) is not None for one in (entry, first))
            if has != had:
                raise InputError(
                    f"{entry.where} has {'a' if has else 'no'} {field}, unlike {first.where}; "
                    "give it to all rows or to none"
                )
        yield replace(
            entry,
            persona=persona if entry.persona is None else entry.persona,
            confidence=1.0 if entry.confidence is None else entry.confidence,
        )


def read_json_lines(path: pathlib.Path, sides: Sides, columns: Columns) -> Iterator[Entry]:
    """Yields the entries of a file with one JSON object a line, as the public persona evals are."""
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
            yield entry_of(columns.lower_named(row, where), where, sides, columns)


def read_csv(path: pathlib.Path, sides: Sides, columns: Columns) -> Iterator[Entry]:
    """Yields the entries of a table with a header, its columns in any order and case.

    They are separated by commas, semicolons, tabs or bars.
    """
    with open_text(path) as lines:
        # Strict: a quote that is never closed would swallow all lines behind it.
        rows = csv.reader(
            lines, delimiter=delimiter_of(path, columns), strict=True, skipinitialspace=True
        )
        filled = (cells for cells in each_row(rows, path) if any(map(str.strip, cells)))
        header = [name.strip().lower() for name in next(filled, [])]
        if header and header[0].startswith("sep="):  # how a spreadsheet names the separator
            header = [name.strip().lower() for name in next(filled, [])]
        while header and not header[-1]:
            header.pop()
        check_header(header, path, filled, columns)
        for cells in filled:
            where = f"{path}, line {rows.line_num}"
            row = dict(zip(header, cells, strict=False))
            if any(more.strip() for more in cells[len(header) :]):
                raise InputError(
                    f"{where} has {len(cells)} fields, the header {len(header)}: put a text that "
                    "holds the separator into double quotes"
                )
            yield entry_of(row, where, sides, columns)


def each_row(rows, path: pathlib.Path):
    """Yields the rows of a CSV reader. Raises InputError for one that is not well quoted."""
    try:
        yield from rows
    except csv.Error as error:
        raise InputError(
            f"{path}, line {rows.line_num}: {error}; close every double quote, double those inside "
            f"a text, and keep a text below {csv.field_size_limit()} characters"
        ) from error


def delimiter_of(path: pathlib.Path, columns: Columns) -> str:
    """Returns the separator that splits the header into the most known columns."""
    with open_text(path) as lines:
        header = next((line for line in lines if line.strip() and line[:4] != "sep="), "").lower()

    def columns_known(delimiter: str) -> int:
        names = {name.strip().strip('"') for name in header.split(delimiter)}
        return len(names & columns.known())

    return max(DELIMITERS, key=columns_known)


def check_header(
    header: list[str], path: pathlib.Path, rows: Iterator[list[str]], columns: Columns
) -> None:
    """Raises InputError for a header without text or direction, or with a column twice.

    rows: those behind it, of which the error shows one.
    """
    twice = sorted({name for name in header if name and header.count(name) > 1})
    missing = [field for field in NEEDED if not {*columns.names[field]} & {*header}]
    if missing or twice:
        fault = (
            f"has no column for the {' and the '.join(missing)}"
            if missing
            else f"names {', '.join(twice)} twice"
        )
        first = dict(zip(header, next(rows, []), strict=False))
        raise InputError(
            f"{path}: the header {fault}; it has {', '.join(header)[:200] or 'nothing'}, and needs "
            f"{columns.needed()}; its first row has {shown_row(first)} (docs/statements.md has the "
            "other columns)"
        )


def reject_duplicate_keys(pairs: list[tuple]) -> dict:
    """Returns a JSON object. Raises KeyError if a field is repeated: the last one would win."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise KeyError(name)
    return dict(pairs)


def open_text(path: pathlib.Path):
    refuse_special(path)
    try:
        return path.open(encoding="utf-8-sig", newline="")  # spreadsheets put a BOM in front
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error})") from error
