"""Names and texts as inline Markdown that shows them as they are."""

import re

from personascan.visible import visible

# What inline Markdown reads as more than itself. An underscore inside a word is only itself.
MARKS = re.compile(r"[\\`*\[<~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")


def safe(name) -> str:
    """A name, so that it is shown as it is and cannot break the page."""
    return MARKS.sub(r"\\\g<0>", visible(name))


def listed(names) -> str:
    return joined(map(safe, names))


def joined(words) -> str:
    """Words as a sentence lists them. Of none there is no sentence: who asks has to look."""
    words = list(words)
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def capital(text: str) -> str:
    """The beginning of a sentence; names inside keep their letters."""
    return text[:1].upper() + text[1:]


def rows_word(part) -> str:
    """What the rows of a part are called."""
    return safe(part.terms.rows)


def quoted(text: str) -> str:
    """A text as code, in more backticks than it has in a row."""
    shown = visible(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    ends = {shown[:1], shown[-1:]}
    pad = " " if "`" in ends or ends in ({" "}, {""}) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def line_name(site: str, position) -> str:
    """A site at a position, or a network."""
    return site if position == "" else f"{site}, {position}"
