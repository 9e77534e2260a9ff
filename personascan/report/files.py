"""The files that a reader opens: report.html, report.md, and the pictures of that."""

import pathlib

from personascan.report.html import page_html
from personascan.report.markdown import page_markdown
from personascan.report.pictures import map_picture
from personascan.report.sheets import Sheets
from personascan.report.written import as_png, filled_spec

HTML, MARKDOWN = "report.html", "report.md"


def write_pages(content: dict, folder: pathlib.Path) -> None:
    """report.html, and the short report.md."""
    (folder / HTML).write_text(page_html(content), encoding="utf-8")
    for name, written in markdown_files(content).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(written)


def markdown_files(content: dict) -> dict[str, bytes]:
    """The short page and the maps that it shows, by name."""
    sheets = Sheets(content["sheets"])
    made = {MARKDOWN: page_markdown(content).encode()}
    for part in range(len(content["parts"])):
        picture = map_picture(sheets, part)
        spec = filled_spec(picture, sheets, {"part": part})
        made[f"figures/{picture.name}.png"] = as_png(spec)
    return made
