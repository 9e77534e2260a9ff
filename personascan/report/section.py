"""What a page says, apart from how it is set: sections of sentences, tables and pictures."""

from dataclasses import dataclass

from personascan.report.words import safe

QUOTED = "furthest out"  # the column of tables that quote what rows say


@dataclass(frozen=True)
class Table:
    """A cell that is a text is inline Markdown; any other is shown as it is. Without rows: none."""

    header: tuple
    rows: tuple

    def __init__(self, header, rows):
        cells = tuple(tuple(c if isinstance(c, str) else safe(c) for c in row) for row in rows)
        object.__setattr__(self, "header", tuple(header))
        object.__setattr__(self, "rows", cells)

    def __bool__(self) -> bool:
        return bool(self.rows)


@dataclass(frozen=True)
class Shown:
    """A picture, by its name."""

    picture: str


@dataclass(frozen=True)
class Section:
    """A title and what stands under it: paragraphs (inline Markdown), tables, pictures."""

    title: str
    blocks: tuple

    def __init__(self, title: str, *blocks):
        object.__setattr__(self, "title", title)
        object.__setattr__(self, "blocks", tuple(b for b in blocks if b))

    def packed(self) -> dict:
        """As JSON holds it."""
        return {"title": self.title, "blocks": [block(b) for b in self.blocks]}


def in_cell(text: str) -> str:
    """A cell of a Markdown table."""
    return text.replace("|", "\\|")


def block(one) -> dict:
    if isinstance(one, str):
        return {"text": one}
    if isinstance(one, Shown):
        return {"picture": one.picture}
    # A column in which nothing stands anywhere says nothing.
    kept = [i for i, column in enumerate(zip(*one.rows, strict=True)) if set(column) != {"-"}]
    return {
        "header": [one.header[i] for i in kept],
        "rows": [[row[i] for i in kept] for row in one.rows],
    }
