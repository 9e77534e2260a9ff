"""The results of a study as long tables: a row for each place, run, node, finding, overlap.

Every row begins with the model and the level; numbers are numbers, NaN where there is none. A
stage's file defines its own tables, and its columns of the table of places.
"""

import itertools
from collections.abc import Iterator

import pandas

from personascan.errors import InputError
from personascan.study.finding_rows import FINDING_COLUMNS, finding_rows
from personascan.study.order import STAGES
from personascan.study.stage import PLACE, Table, place_cells

WHERE = ("model", "level")
COLUMNS = [stage.columns for stage in STAGES if stage.columns]


def place_rows(part) -> Iterator[tuple]:
    """Yields each place of each comparison, with the columns of every stage that has some."""
    for name in part.scans:
        for place in part.places:
            values = (one.values(part, name, place) for one in COLUMNS)
            yield *place_cells(place), name, *itertools.chain(*values)


def difference_rows(study) -> Iterator[tuple]:
    """Yields later networks beside the first one, on the same rows."""
    for first, part, name, detector, d in study.differences():
        (place, other), claim = d.places, d.claim
        yield (
            part.model, part.level, name, str(detector), "AB"[d.half], other.name,
            str(other.position), d.aurocs[1], first.model, place.name, str(place.position),
            d.aurocs[0], -claim.difference, -claim.high, -claim.low,
        )  # fmt: skip


TABLES = {
    "places": Table(
        (*PLACE, "comparison", *itertools.chain(*(one.names for one in COLUMNS))), place_rows,
        always=True,
    ),
    "findings": Table(FINDING_COLUMNS, finding_rows),
    **{name: table for stage in STAGES for name, table in stage.tables.items()},
    "differences": Table(
        (
            "comparison", "tail", "half_that_chose", "layer", "position", "auroc", "other_model",
            "other_layer", "other_position", "other_auroc", "difference", "difference_low",
            "difference_high",
        ),
        difference_rows,
        of_study=True,
    ),
}  # fmt: skip
ALIASES = {"layers": "places"}


def rows_of(table: Table, study) -> Iterator[tuple]:
    """Yields the rows of all parts, with model and level."""
    if table.of_study:
        yield from table.rows(study)
        return
    for part in study.parts:
        for row in table.rows(part):
            yield part.model, part.level, *row


def object_frame(study, name: str) -> pandas.DataFrame:
    """Returns a table whose cells are as its rows gave them."""
    table = TABLES[name]
    rows = list(rows_of(table, study))
    return pandas.DataFrame(rows, columns=WHERE + table.columns, dtype=object)


def frame(study, name: str) -> pandas.DataFrame:
    """Returns a table of a study, each column of one type.

    A column with a text has texts alone: positions are "last" and "-2". Raises InputError for an
    unknown table.
    """
    name = ALIASES.get(name, name)
    if name not in TABLES:
        raise InputError(f"{name!r} is no table of a study; use one of {', '.join(TABLES)}")
    table = object_frame(study, name).infer_objects()
    for column in table.columns:  # Parquet, for one, takes no column of both
        mixed = pandas.api.types.is_object_dtype(table[column])
        if mixed and any(isinstance(value, str) for value in table[column]):
            table[column] = table[column].map(str)
        elif mixed:
            table[column] = pandas.to_numeric(table[column])
    return table
