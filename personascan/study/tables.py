"""The tables of a study as files."""

import pathlib

import numpy as np

from personascan.study.frames import TABLES, as_written, frame
from personascan.visible import cell

LARGE = ("runs", "nodes")  # what goes to Parquet files where these are asked for


def write_tables(study, folder: pathlib.Path) -> None:
    """A file for each table that has rows; some of them also without."""
    for name, table in TABLES.items():
        made = as_written(study, name)
        if made.empty and not table.always:
            continue
        if study.config.tables == "parquet" and name in LARGE:
            frame(study, name).to_parquet(folder / f"{name}.parquet", index=False)
        else:
            path = folder / f"{name}.csv"
            made.map(shown).to_csv(path, index=False, lineterminator="\r\n", encoding="utf-8")


def shown(value) -> str:
    """A cell: floats with enough digits to compare runs, empty where there is none."""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{value:.6g}"
    return cell(value) if isinstance(value, str) else str(value)
