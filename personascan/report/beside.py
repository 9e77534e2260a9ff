"""Several studies side by side: what each found, and their layer profiles over one another."""

import pathlib
from dataclasses import replace

import numpy as np
from markupsafe import Markup

from personascan.report.charts.theme import INKS, config
from personascan.report.html import code_and_hash, compiled, environment, gzip_base64, source
from personascan.report.pictures import BESIDE, CORNERS, Feed, map_picture, measured
from personascan.report.sheets import Grouped, Sheets, columns_of
from personascan.visible import visible

CELLS = ("comparison", "place", "line", "depth", "z", "p_family", "auroc", "probe_auroc")
MAPPED = ("comparison", "place", "line", "layer", "z", "p_family", "held_out_auroc", "beyond",
          "auroc", "kept")  # fmt: skip
FOUND = ("comparison", "best_z", "best_p", "passing", "wording")


def compared(studies: list[tuple[pathlib.Path, dict]]) -> dict:
    """What a page of several studies shows: theirs by (folder, document)."""
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
            "profiles": gathered(("model", "of", *CELLS), cells),
            "found": gathered(("study", "of", "place", "auroc", "places", *FOUND), found),
        },
    }  # fmt: skip


def gathered(names, lines) -> dict:
    """Lines as a packed sheet; None is NaN."""
    rows = Grouped(*names, by="")
    rows.add(*columns_of([tuple(np.nan if v is None else v for v in row) for row in lines],
                         len(names)))  # fmt: skip
    return rows.sheet().packed()


def study_names(folders: list[pathlib.Path]) -> list[str]:
    """Their folders' names, with as many parents as tell them apart."""
    for depth in range(1, max(len(folder.parts) for folder in folders) + 1):
        names = ["/".join(folder.parts[-depth:]) for folder in folders]
        if len(set(names)) == len(names):
            break
    return [visible(name) for name in names]


def compared_html(content: dict) -> str:
    """The page."""
    stored = Sheets(content["sheets"])
    pictures = {picture.name: measured(picture, stored) for picture in BESIDE}
    sheets, maps = dict(content["sheets"]), {}
    charts = {name: compiled(picture) for name, picture in pictures.items()}
    packed = {name: picture.packed() for name, picture in pictures.items()}
    for number, (study, (own, part)) in enumerate(content["maps"].items()):
        name, picture = f"map-{number}", map_picture(own, part)
        maps[name], charts[name] = study, compiled(picture)
        rows = own.rows("cells", {"part": part})
        sheets[name] = gathered(MAPPED, [tuple(row[column] for column in MAPPED) for row in rows])
        feeds = {"cells": Feed(name, every=True)}
        packed[name] = replace(
            picture, title=study, feeds=feeds, choices=(), columns=MAPPED[:-1]
        ).packed()
    embedded = {
        "sheets": sheets, "charts": charts, "pictures": packed, "corners": CORNERS,
        "themes": {kind: {"ink": ink, "config": config(kind)} for kind, ink in INKS.items()},
    }  # fmt: skip
    code, code_hash = code_and_hash(("sheets.js", "tables.js", "pictures.js", "beside.js"))
    return environment().get_template("compare.html.j2").render(
        names=content["names"], parts=content["parts"], pictures=pictures, maps=maps,
        found=stored.every("found"), style=Markup(source("page.css")),
        data=gzip_base64(embedded), code=Markup(code), code_hash=code_hash,
        licence=source("vega_licence.txt"),
    )  # fmt: skip
