"""Several studies side by side: what each found, and their layer profiles over one another."""

import pathlib
from dataclasses import replace

import numpy as np

from personascan.report.pictures import BESIDE, Feed, map_picture, measured
from personascan.report.render import page_of
from personascan.report.sheets.columns import Grouped, Sheets
from personascan.visible import visible

CELLS = ("comparison", "place", "line", "depth", "z", "p_family", "auroc", "probe_auroc")
MAPPED = ("comparison", "place", "line", "layer", "z", "p_family", "held_out_auroc", "beyond",
          "auroc", "kept")  # fmt: skip
SCRIPTS = ("sheets.js", "tables.js", "pictures.js", "beside.js")  # in their order
FOUND = ("comparison", "best_z", "best_p", "passing", "wording")


def compared(studies: list[tuple[pathlib.Path, dict]]) -> dict:
    """Returns what a page of several studies shows, from the folder and document of each."""
    names = study_names([folder for folder, _ in studies])
    cells, found, parts, maps = [], [], [], {}
    numbers: dict[str, int] = {}
    for (_, document), name in zip(studies, names, strict=True):
        sheets = Sheets(document["sheets"])
        for p, part in enumerate(document["parts"]):
            own = f"{name}: {p}" if len(document["parts"]) > 1 else name
            parts.append({"name": own, "part": part})
            maps[own] = (sheets, p)
            for row in sheets.rows("comparisons", {"part": p}):
                numbers.setdefault(row["comparison"], len(numbers))
                furthest = sheets.row("cells", row["furthest"])
                places = len(sheets.rows("places", {"part": p}))
                found.append(
                    (own, numbers[row["comparison"]], furthest["place"], furthest["auroc"], places,
                     *(row[name] for name in FOUND))
                )  # fmt: skip
            for row in sheets.rows("cells", {"part": p}):
                cells.append((own, numbers[row["comparison"]], *(row[name] for name in CELLS)))
    return {
        "names": names, "parts": parts, "maps": maps,
        "sheets": {
            "profiles": as_sheet(("model", "of", *CELLS), cells),
            "found": as_sheet(("study", "of", "place", "auroc", "places", *FOUND), found),
        },
    }  # fmt: skip


def as_sheet(names, lines) -> dict:
    """Returns lines as a packed sheet; None is NaN."""
    rows = Grouped(*names, by="")
    rows.add_lines([tuple(np.nan if v is None else v for v in row) for row in lines])
    return rows.sheet().packed()


def study_names(folders: list[pathlib.Path]) -> list[str]:
    """Returns the folders' names, with as many parents as tell them apart."""
    for depth in range(1, max(len(folder.parts) for folder in folders) + 1):
        names = ["/".join(folder.parts[-depth:]) for folder in folders]
        if len(set(names)) == len(names):
            break
    return [visible(name) for name in names]


def compared_html(content: dict) -> str:
    """Returns the page."""
    stored = Sheets(content["sheets"])
    pictures = {picture.name: measured(picture, stored) for picture in BESIDE}
    sheets, maps = dict(content["sheets"]), {}
    for number, (study, (own, part)) in enumerate(content["maps"].items()):
        name = f"map-{number}"
        maps[name] = study
        rows = own.rows("cells", {"part": part})
        sheets[name] = as_sheet(MAPPED, [tuple(row[column] for column in MAPPED) for row in rows])
        pictures[name] = replace(
            map_picture(own, part), title=study, feeds={"cells": Feed(name, every=True)},
            choices=(), columns=MAPPED[:-1],
        )  # fmt: skip
    return page_of(
        "compare.html.j2", SCRIPTS, pictures, sheets, {}, names=content["names"],
        parts=content["parts"], maps=maps, found=stored.every("found"),
    )  # fmt: skip
