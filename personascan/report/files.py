"""The files that a reader opens: report.html, report.md, and the pictures of that."""

from personascan.report.document import FILE, document, packed
from personascan.report.html import page_html
from personascan.report.markdown import page_markdown
from personascan.report.pictures import map_picture
from personascan.report.sheets import Sheets
from personascan.report.written import as_png, filled_spec
from personascan.study.results import Study

HTML, MARKDOWN = "report.html", "report.md"


def page_files(study: Study) -> dict[str, bytes]:
    """The page of a study, its short form, and the document that both are drawn from."""
    content = document(study)
    page = {FILE: packed(content), HTML: page_html(content).encode()}
    return page | markdown_files(content)


def markdown_files(content: dict) -> dict[str, bytes]:
    """The short page and the maps that it shows, by name."""
    sheets = Sheets(content["sheets"])
    made = {MARKDOWN: page_markdown(content).encode()}
    for part in range(len(content["parts"])):
        picture = map_picture(sheets, part)
        spec = filled_spec(picture, sheets, {"part": part})
        made[f"figures/{picture.name}.png"] = as_png(spec)
    return made
