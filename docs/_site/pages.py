"""Files from above `docs` as pages of the site, and links that hold in the repository too.

A page such as docs/contributing.md says `{include} ../CONTRIBUTING.md`. The file takes the place of
that line, and its links, which are relative to where it lies, are made relative to the page. A link
of any page to such a file (../CONTRIBUTING.md) becomes one to the page that shows it.
"""

import os
import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
INCLUDE = re.compile(r"^```\{include\} (?P<file>\S+)\n```$", re.M)
LINK = re.compile(r"(?<=\]\()(?P<file>[^)#\s:]+)(?P<rest>(#[^)\s]*)?\))")
# Files from above that have a page of their own.
PAGE_OF = {
    ROOT / "README.md": DOCS / "index.md",
    ROOT / "CONTRIBUTING.md": DOCS / "contributing.md",
    ROOT / "CHANGELOG.md": DOCS / "changelog.md",
    ROOT / "data/README.md": DOCS / "data.md",
}


def linked_as_in_the_site(text: str, folder: pathlib.Path, page: pathlib.Path) -> str:
    """Returns a text whose links, relative to `folder`, are made relative to a page."""

    def replaced(link: re.Match) -> str:
        target = pathlib.Path(os.path.normpath(folder / link["file"]))
        target = PAGE_OF.get(target, target)
        return os.path.relpath(target, page.parent).replace(os.sep, "/") + link["rest"]

    return LINK.sub(replaced, text)


def as_in_the_site(text: str, page: pathlib.Path) -> str:
    """Returns the text of a page with the files that it includes, and with the site's links."""

    def included(line: re.Match) -> str:
        file = page.parent / line["file"]
        return linked_as_in_the_site(file.read_text(encoding="utf-8"), file.resolve().parent, page)

    return INCLUDE.sub(included, linked_as_in_the_site(text, page.parent, page))


def read_source(app, docname: str, source: list[str]) -> None:
    """Changes the text of a Markdown page as Sphinx reads it."""
    page = pathlib.Path(app.env.doc2path(docname))
    if page.suffix == ".md":
        source[0] = as_in_the_site(source[0], page)
        for above, shown in PAGE_OF.items():
            if shown == page:
                app.env.note_dependency(str(above), docname=docname)


def setup(app) -> dict[str, bool]:
    app.connect("source-read", read_source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
