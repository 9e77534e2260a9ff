"""The words of a page: names and numbers as inline Markdown, facts of a part, sections.

Names are shown as they are: what inline Markdown would read in them is escaped.
"""

import re
from dataclasses import dataclass

import numpy as np

from personascan.report.shaded import Shaded
from personascan.study.results import Part
from personascan.visible import visible

# What inline Markdown reads as more than itself. An underscore inside a word is only itself.
MARKS = re.compile(r"[\\`*\[<~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
# From here on wording is a likely reason: the share of what guessing always the larger side misses.
# Of equal sides that is an accuracy of 0.7.
SURE_WORDING = 0.4
NAMED = 4  # comparisons that a sentence names; more are counted
CUT = 160  # characters of a text in a table
QUOTED = "furthest out"  # the column of tables that quote what rows say
WRITTEN = "as it is"  # the column of tables that quote what the model writes
SWEPT = "written at strength"  # the column of tables that quote what an edited model writes


def safe(name) -> str:
    """Returns a name escaped, so that it is shown as it is and cannot break the page."""
    return MARKS.sub(r"\\\g<0>", visible(name))


def name_list(names) -> str:
    return word_list(map(safe, names))


def word_list(words) -> str:
    """Returns words as a sentence lists them, with "and"; "" of none."""
    words = list(words)
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def capitalise(text: str) -> str:
    """Returns a text with a capital first letter, and all others as they are."""
    return text[:1].upper() + text[1:]


def quantity(number: int, noun: str) -> str:
    """Returns a number of things, of one in the singular."""
    return f"{number} {noun}{'s' * (number != 1)}"


def rows_word(part: Part) -> str:
    """Returns what the rows of a part are called."""
    return safe(part.terms.rows)


def as_code(text: str) -> str:
    """Returns a text as code, between more backticks than it contains in a row."""
    text = visible(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    ends = {text[:1], text[-1:]}
    pad = " " if "`" in ends or ends in ({" "}, {""}) else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def line_name(site: str, position) -> str:
    """Returns a site at a position, or a network."""
    return site if position == "" else f"{site}, {position}"


def shorten(text: str) -> str:
    """Returns a text cut to the length that fits a table."""
    return text if len(text) <= CUT else f"{text[: CUT - 3]}..."


def number(value: float, form: str = ".2f") -> str:
    """Returns a number, or a dash where it is NaN."""
    return "-" if np.isnan(value) else format(value, form)


def p_words(p: float, least: float = 0.001) -> str:
    """Returns a p or q as every sentence and table writes it: three digits, "< 0.001", a dash."""
    if np.isnan(p):
        return "-"
    return f"< {least:g}" if p < least else f"{p:.3f}"


def below_chance(aurocs, called: str) -> str:
    """Returns what an AUROC below 0.5 means, where one of these is shown as such; else "".

    It begins with a space.
    """
    if not any(round(float(value), 2) < 0.5 for value in aurocs):  # NaN is not
        return ""
    return (
        f" An AUROC below 0.5 orders more {called} the wrong way round than the right one: which "
        f"way counts as H1 was fixed beforehand, on other {called}, and is never turned round to "
        "fit. Such a score has learnt nothing that holds for these, and counts as no better than "
        "chance."
    )


def between(low: float, high: float, form: str = ".2f") -> str:
    """Returns the ends of an interval."""
    return f"{low:{form}} to {high:{form}}"


def span(low: float, high: float, form: str) -> str:
    """Returns the ends of a range, or one number if both are written alike."""
    low, high = format(low, form), format(high, form)
    return low if low == high else f"{low} to {high}"


def interval(value: float, low: float, high: float, form: str = "+.2f") -> str:
    """Returns a number with its interval, alone where it has none, or a dash where it is NaN."""
    if np.isnan(value) or np.isnan(low):
        return number(value, form)
    return f"{value:{form}} ({between(low, high, form)})"


def difference_words(claim) -> str:
    """Returns a difference with its interval for a sentence that has it in brackets."""
    return f"{claim.difference:+.2f}, {between(claim.low, claim.high, '+.2f')}"


def center(values) -> tuple[float, float]:
    """Returns mean and deviation of the values that are numbers; NaN if none is."""
    numbers = np.asarray(values, float)
    numbers = numbers[~np.isnan(numbers)]
    return (float(numbers.mean()), float(numbers.std())) if numbers.size else (np.nan, np.nan)


def mean_deviation(values, digits: int = 2) -> str:
    """Returns "mean ± deviation" of the values that are numbers, or a dash."""
    mean, deviation = center(values)
    return "-" if np.isnan(mean) else f"{mean:.{digits}f} ± {deviation:.{digits}f}"


def name_and_place(name: str, place) -> str:
    """Returns a comparison and its place."""
    return f"{safe(name)} at {safe(place)}"


def wording_tells(part: Part, name: str) -> bool:
    """Returns whether word counts tell many rows that always guessing the larger side does not."""
    accuracy, chance = part.wording[name][0], part.larger_share(name)
    return bool(accuracy >= chance + SURE_WORDING * (1 - chance))


def wording_cell(part: Part, name: str, form: str) -> str:
    """Returns the accuracy of word counts, beside that of the larger side where sides differ."""
    accuracy, chance = part.wording[name][0], part.larger_share(name)
    beside = f" (larger side {chance:{form}})" if chance > 0.5 else ""
    return f"{accuracy:{form}}{beside}"


def wording_words(part: Part) -> str:
    """Returns what the accuracy of wording is, after a space; "" where rows are no texts."""
    if not part.texts:
        return ""
    return (
        f" Wording, accuracy: the share of held-out {rows_word(part)} whose side logistic "
        "regression on word counts names rightly (0.5 where it guesses between equal sides; below "
        "that it has learnt nothing that holds for others)."
    )


def larger_side(part: Part, names: list[str]) -> str:
    """Returns the accuracy of always guessing the larger side, in brackets; "" of equal sides."""
    chances = [part.larger_share(name) for name in names]
    if max(chances) == 0.5:
        return ""
    return f" (always the larger side: {span(min(chances), max(chances), '.0%')})"


def detectable_words(part: Part, names: list[str]) -> str:
    """Returns the effect that would have been found in each, so that "not found" has a size."""
    effect = max(part.calibrations[name].detectable() for name in names)
    return (
        f"a node that differs by {effect:.2f} deviations would have been found in 80% of such "
        "comparisons"
    )


def set_sizes(scan) -> tuple[int, int]:
    """Returns how many nodes of a scan's node set are high in H1, and how many are low."""
    high, low = (int((scan.set_TC[0] & (scan.directions_C == d)).sum()) for d in (1, -1))
    return high, low


@dataclass(frozen=True)
class Table:
    """A table. A cell that is a text is inline Markdown; any other is shown as it is."""

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
    """A title with its blocks: paragraphs (inline Markdown), tables, pictures, shaded texts."""

    title: str
    blocks: tuple

    def __init__(self, title: str, *blocks):
        object.__setattr__(self, "title", title)
        object.__setattr__(self, "blocks", tuple(b for b in blocks if b))

    def packed(self) -> dict:
        """Returns the section as JSON holds it."""
        return {"title": self.title, "blocks": [block(b) for b in self.blocks]}


def in_cell(text: str) -> str:
    """Returns a cell of a Markdown table."""
    return text.replace("|", "\\|")


def block(one) -> dict:
    if isinstance(one, str):
        return {"text": one}
    if isinstance(one, Shown):
        return {"picture": one.picture}
    if isinstance(one, Shaded):
        return one.packed()
    # A column in which nothing stands anywhere says nothing.
    filled = [i for i, column in enumerate(zip(*one.rows, strict=True)) if set(column) != {"-"}]
    return {
        "header": [one.header[i] for i in filled],
        "rows": [[row[i] for i in filled] for row in one.rows],
    }
