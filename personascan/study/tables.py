"""The tables of a study as CSV and Parquet files."""

import pathlib

import numpy as np

from personascan.study.frames import TABLES, frame, object_frame
from personascan.visible import cell

LARGE = ("runs", "nodes")  # what goes to Parquet files where these are asked for


def write_tables(study, folder: pathlib.Path) -> None:
    """Writes a file for each table that has rows, and for some that have none."""
    for name, table in TABLES.items():
        rows = object_frame(study, name)
        if rows.empty and not table.always:
            continue
        if study.config.tables == "parquet" and name in LARGE:
            frame(study, name).to_parquet(folder / f"{name}.parquet", index=False)
        else:
            path = folder / f"{name}.csv"
            rows.map(cell_text).to_csv(path, index=False, lineterminator="\r\n", encoding="utf-8")


def cell_text(value) -> str:
    """Returns a cell: a float with enough digits to compare runs, "" for NaN."""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6g}"
    return cell(value) if isinstance(value, str) else str(value)
