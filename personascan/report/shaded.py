"""Texts of a page whose words are shaded by numbers: a block of a section."""

from dataclasses import dataclass

from personascan.visible import visible

STEP = 0.75  # deviations from one shade to the next
SHADES = 4  # of each sign


@dataclass(frozen=True)
class ShadedText:
    """A text in pieces, with a number each; NaN-free."""

    label: str  # what stands in front of it, such as "H1 +1.2"
    pieces: tuple[str, ...]
    values: tuple[float, ...]

    def packed(self) -> dict:
        """Returns the text as JSON holds it; pieces without text are left out."""
        shown = [(p, v) for p, v in zip(self.pieces, self.values, strict=True) if p]
        return {
            "label": self.label, "pieces": [visible(piece) for piece, _ in shown],
            "values": [round(value, 1) for _, value in shown],
        }  # fmt: skip


@dataclass(frozen=True)
class ShadedGroup:
    """Some texts below a heading."""

    title: str
    texts: tuple[ShadedText, ...]


@dataclass(frozen=True)
class Shaded:
    """Groups of shaded texts, which a page folds below one heading (inline Markdown)."""

    title: str
    groups: tuple[ShadedGroup, ...]
    opened: bool = False

    def __bool__(self) -> bool:
        return any(group.texts for group in self.groups)

    def packed(self) -> dict:
        """Returns the block as JSON holds it."""
        groups = [
            {"title": group.title, "texts": [text.packed() for text in group.texts]}
            for group in self.groups
            if group.texts
        ]
        return {"shaded": groups, "title": self.title, "opened": self.opened}


def shade(value: float) -> str:
    """Returns the shade of a number, as the style sheet names it: n4 to n1, "", p1 to p4."""
    number = max(-SHADES, min(SHADES, round(value / STEP)))
    return "" if number == 0 else f"{'p' if number > 0 else 'n'}{abs(number)}"
