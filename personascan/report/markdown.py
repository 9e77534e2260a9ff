"""report.md: the short page, by a template."""

import jinja2

from personascan.report.section import in_cell


def page_markdown(content: dict) -> str:
    """What was asked and found of every part, its map, and where to read on."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("personascan.report"), trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined, autoescape=False,
    )  # fmt: skip
    environment.filters["in_cell"] = in_cell
    return environment.get_template("report.md.j2").render(content)
