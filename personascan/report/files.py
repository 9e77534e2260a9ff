"""The files that a reader opens: report.html, report.md, and the pictures of that."""

import jinja2

from personascan.report.document import FILE, document, packed
from personascan.report.pictures import map_picture
from personascan.report.render import as_png, filled_spec, page_html
from personascan.report.sheets.columns import Sheets
from personascan.report.words import in_cell
from personascan.study.results import Study

HTML, MARKDOWN = "report.html", "report.md"


def page_files(study: Study) -> dict[str, bytes]:
    """Returns the page of a study, its short form, and the document that both are drawn from."""
    content = document(study)
    page = {FILE: packed(content), HTML: page_html(content).encode()}
    return page | markdown_files(content)


def markdown_files(content: dict) -> dict[str, bytes]:
    """Returns the short page and the maps that it shows, by name."""
    sheets = Sheets(content["sheets"])
    made = {MARKDOWN: page_markdown(content).encode()}
    for part in range(len(content["parts"])):
        picture = map_picture(sheets, part)
        spec = filled_spec(picture, sheets, {"part": part})
        made[f"figures/{picture.name}.png"] = as_png(spec)
    return made


def page_markdown(content: dict) -> str:
    """Returns what was asked and found of every part, its map, and where to read on."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("personascan.report"), trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined, autoescape=False,
    )  # fmt: skip
    environment.filters["in_cell"] = in_cell
    return environment.get_template("report.md.j2").render(content)
