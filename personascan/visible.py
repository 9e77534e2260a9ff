"""Names and texts from files made safe for a terminal, a table or a page."""

import unicodedata

# Control and format characters (escape sequences, NUL, direction marks), halves of characters, and
# the separators that end a line. Of the format characters two only join letters (JOINERS).
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
JOINERS = "\u200c\u200d"
FORMULA = ("=", "+", "-", "@", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # fullwidth ones too


def visible(text: str) -> str:
    """Returns a text in which control characters and the like are written as escapes."""
    return "".join(escape(c) for c in str(text))


def escape(character: str) -> str:
    """Returns a character, or its escape if it is one of HIDDEN."""
    if unicodedata.category(character) not in HIDDEN or character in JOINERS:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def is_shown(text: str) -> bool:
    """Tells whether a text holds anything but space and characters of HIDDEN."""
    return any(unicodedata.category(c) not in HIDDEN and not c.isspace() for c in text)


def cell(text: str) -> str:
    """Returns the visible cell of a table, with a quote in front of what could be a formula."""
    shown = visible(text)
    return f"'{shown}" if shown.startswith(FORMULA) else shown
