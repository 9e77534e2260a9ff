"""Names and texts from files, as they may go to a terminal, a table or a page."""

import unicodedata

# Control and format characters (escape sequences, NUL, direction marks), halves of characters, and
# the separators that end a line; of the format characters, these two only join letters.
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
JOINERS = "\u200c\u200d"
FORMULA = ("=", "+", "-", "@", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # fullwidth ones too


def visible(text: str) -> str:
    """The text with every character that acts instead of being shown spelled out."""
    return "".join(escape(c) for c in str(text))


def escape(character: str) -> str:
    if unicodedata.category(character) not in HIDDEN or character in JOINERS:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def is_shown(text: str) -> bool:
    """Whether anything of a text is more than space and characters that act."""
    return any(unicodedata.category(c) not in HIDDEN and not c.isspace() for c in text)


def cell(text: str) -> str:
    """A cell of a table: shown, and no formula; one quote in front of what could be one."""
    shown = visible(text)
    return f"'{shown}" if shown.startswith(FORMULA) else shown
