"""What a page says, as lines that tests can look through."""

from personascan.report.document import read_document


def section_words(section: dict) -> str:
    """A section as it is packed: its title, paragraphs, rows of tables, names of pictures."""
    lines = [f"## {section['title']}"]
    for block in section["blocks"]:
        if "text" in block:
            lines.append(block["text"])
        elif "picture" in block:
            lines.append(f"![{block['picture']}]")
        elif "shaded" in block:
            texts = [t for group in block["shaded"] for t in group["texts"]]
            lines += [block["title"], *("".join(text["pieces"]) for text in texts)]
        else:
            rows = [block["header"], *block["rows"]]
            lines.append("\n".join("| " + " | ".join(row) + " |" for row in rows))
    return "\n\n".join(lines)


def page_words(out) -> str:
    """All that the page of a study's folder says."""
    return content_words(read_document(out))


def content_words(content: dict) -> str:
    """All that the page of a document says."""
    parts = [
        "\n\n".join(
            [f"# {part['title']}", part["asked"], *part["lead"], part["how"],
             *map(section_words, part["sections"])]
        )
        for part in content["parts"]
    ]  # fmt: skip
    return "\n\n".join([*parts, *map(section_words, content["across"])])
