"""Docstrings as they are written in the code, for autodoc and napoleon.

They are plain text with Google's headings: what reStructuredText would take for markup is escaped.
The fields of a record are listed with the comments beside or above them in the code.
"""

import ast
import dataclasses
import functools
import inspect
import pathlib
import re
import tokenize

ANY_ARRAY = "ndarray[tuple[Any, ...], dtype[Any]]"  # as numpy.ndarray is spelled in a union
PROPERTIES = {}  # docstrings of properties, by name, while napoleon reads them


def escaped(text: str) -> str:
    """Escapes what reStructuredText would read as markup, but for code in backticks."""
    spans = re.split(r"(`+[^`]+`+)", text)
    spans[::2] = [re.sub(r"([|*])|(?<=\w)(_)(?!\w)", r"\\\1\2", span) for span in spans[::2]]
    return "".join(spans)


def comments_by_line(source: str) -> tuple[dict[int, str], set[int]]:
    """Returns the comments of a file by line, and the lines that hold a comment alone."""
    comments, alone = {}, set()
    for token in tokenize.generate_tokens(iter(source.splitlines(keepends=True)).__next__):
        if token.type == tokenize.COMMENT:
            comments[token.start[0]] = token.string.lstrip("# ").strip()
            if not token.line[: token.start[1]].strip():
                alone.add(token.start[0])
    return comments, alone


@functools.cache
def described_fields(path: str) -> dict[str, dict[str, tuple[str, str]]]:
    """Returns {class: {field: (type, comment)}} of a file."""
    source = pathlib.Path(path).read_text(encoding="utf-8")
    comments, alone = comments_by_line(source)
    found = {}
    for record in (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ClassDef)):
        fields = found.setdefault(record.name, {})
        for node in record.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                first = node.lineno
                while first - 1 in alone:
                    first -= 1
                lines = [*range(first, node.lineno), node.end_lineno]
                text = " ".join(comments[line] for line in lines if line in comments)
                fields[node.target.id] = ast.unparse(node.annotation), text
    return found


def fields_of(record: type) -> list[str]:
    """Returns a list of the fields of a record, in reStructuredText."""
    described = {}
    for base in reversed(record.__mro__):
        if base.__module__.startswith("personascan."):
            described |= described_fields(inspect.getsourcefile(base)).get(base.__name__, {})
    lines = ["", ".. rubric:: Fields", ""]
    for field in dataclasses.fields(record):
        if field.name.startswith("_"):
            continue
        kind, text = described[field.name]
        plain = field.default is not dataclasses.MISSING and field.default != ""
        text = "; ".join(filter(None, [text, f"default ``{field.default!r}``" if plain else ""]))
        dash = " -- " if text else ""
        lines.append(f"- **{escaped(field.name)}** (``{kind}``){dash}{escaped(text)}")
    return lines


def before_napoleon(app, what, name, thing, options, lines: list[str]) -> None:
    """Escapes a docstring, and keeps it if it is a property's, which has no headings."""
    lines[:] = escaped("\n".join(lines)).split("\n")
    if what == "property":
        PROPERTIES[name] = list(lines)


def after_napoleon(app, what, name, thing, options, lines: list[str]) -> None:
    """Adds the fields of a record to its docstring."""
    if what == "property":
        lines[:] = PROPERTIES.pop(name)
    if what == "class" and dataclasses.is_dataclass(thing):
        lines += fields_of(thing)


def short_signature(app, what, name, thing, options, signature, returns):
    """Leaves the signature of a class out, whose fields say the same, and the types of arrays."""
    if not signature:
        return None
    short = "" if what == "class" else signature.replace(ANY_ARRAY, "ndarray")
    return short, returns and returns.replace(ANY_ARRAY, "ndarray")


def setup(app) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", before_napoleon, priority=400)
    app.connect("autodoc-process-docstring", after_napoleon, priority=600)
    app.connect("autodoc-process-signature", short_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
