"""Several studies side by side: the findings of each, and their layer profiles in one chart."""

import os
import pathlib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from personascan.errors import InputError
from personascan.files import real_path
from personascan.report.document import read_document
from personascan.report.files import refuse_others, refuse_undrawable, write_file
from personascan.report.pictures import BESIDE, Feed, map_picture, with_measures
from personascan.report.render import page_of
from personascan.report.sheets.columns import Grouped, Sheets
from personascan.visible import visible

CELLS = ("comparison", "place", "line", "depth", "z", "p_family", "auroc", "probe_auroc")
MAPPED = ("comparison", "place", "line", "layer", "z", "p_family", "held_out_auroc", "beyond",
          "auroc", "kept")  # fmt: skip
SCRIPTS = ("sheets.js", "tables.js", "pictures.js", "beside.js")  # in their order
FOUND = ("comparison", "best_z", "best_p", "passing", "wording")


def compare_studies(
    folders: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str] = "compare.html",
    *,
    overwrite: bool = False,
) -> pathlib.Path:
    """Makes a page with several studies side by side, from their folders.

    Args:
      folders: those that `run_study` wrote, two or more.
      out: the page to write.
      overwrite: replace what is at `out`.

    Returns:
      The page that was written.

    Raises:
      InputError: as `write_report`; fewer than two folders, or one that is named twice.
    """
    folders = [real_path(folder) for folder in folders]
    if len(folders) < 2:
        raise InputError("one study has nothing beside it; name two folders or more (--compare)")
    if len(set(folders)) < len(folders):
        raise InputError("a study is named twice; name different folders (--compare)")
    documents = [(folder, read_document(folder)) for folder in folders]
    target = real_path(out)
    refuse_others([] if overwrite else [target])
    with refuse_undrawable(*folders):
        page = comparison_html(comparison_content(documents)).encode()
    write_file(target, page)
    return target


def comparison_content(studies: list[tuple[pathlib.Path, dict]]) -> dict:
    """Returns the content of a page of several studies, from the folder and document of each."""
    names = study_names([folder for folder, _ in studies])
    cells, furthest_places, parts, maps = [], [], [], {}
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
                furthest_places.append(
                    (own, numbers[row["comparison"]], furthest["place"], furthest["auroc"], places,
                     *(row[name] for name in FOUND))
                )  # fmt: skip
            for row in sheets.rows("cells", {"part": p}):
                cells.append((own, numbers[row["comparison"]], *(row[name] for name in CELLS)))
    return {
        "names": names, "parts": parts, "maps": maps,
        "sheets": {
            "profiles": as_sheet(("model", "of", *CELLS), cells),
            "found": as_sheet(("study", "of", "place", "auroc", "places", *FOUND), furthest_places),
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


def comparison_html(content: dict) -> str:
    """Returns the page of several studies."""
    stored = Sheets(content["sheets"])
    pictures = {picture.name: with_measures(picture, stored) for picture in BESIDE}
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
