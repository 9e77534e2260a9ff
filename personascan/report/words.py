"""Names and tables as Markdown that nothing in them can break."""

from personascan.visible import visible


def safe(name: str) -> str:
    """A name from a file of statements, so that it cannot break the page."""
    return "".join(c if c.isalnum() or c in " -_.&" else "?" for c in name)


def listed(names) -> str:
    return joined(map(safe, names))


def joined(words) -> str:
    words = list(words)
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def quoted(text: str) -> str:
    return "`" + visible(text).replace("`", "?") + "`"


def line_name(site: str, position) -> str:
    """A site at a position, or a network."""
    return site if position == "" else f"{site}, {position}"
