"""The pages of the API: every public name of personascan, grouped by what it is for.

`{public-names} GROUP` in a page stands for the names of a group, functions first. The group of a
name follows from the module that holds it. The build warns where a public name is on no page.
Docstrings are plain text with Google's headings: characters that reStructuredText would take for
markup are escaped. A field of a record is described by the comment beside or above it.
"""

import ast
import dataclasses
import functools
import inspect
import pathlib
import re
import tokenize

import numpy.typing
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

# Modules by group; of two that fit, the longer one counts.
GROUPS = {
    "errors": ("errors",),
    "models": ("models", "places", "sharding", "processes"),
    "activations": ("sources",),
    "locate": ("calibration",),
    "scan": ("scan",),
    "analysis": ("analysis",),
    "interventions": ("interventions", "sources.language.generate", "study.steering"),
    "studies": ("study", "studies", "report", "sources.arrays"),
}
STOP = "Mapping, Exception, ValueError, KeyError, object"  # members of these are not ours
PROPERTIES = {}  # docstrings of properties, by name, while napoleon reads them


class ArrayLike:
    """Stands for numpy.typing.ArrayLike, which signatures would spell out in five lines."""


# Before personascan is imported, whose annotations are evaluated then.
ArrayLike.__module__, ArrayLike.__qualname__ = "numpy.typing", "ArrayLike"
numpy.typing.ArrayLike = ArrayLike

import personascan  # noqa: E402


def group_of(home: str) -> str | None:
    """Returns the group of the names of a module, None where it has none."""
    fitting = [
        (len(module), group)
        for group, modules in GROUPS.items()
        for module in modules
        if home == module or home.startswith(f"{module}.")
    ]
    return max(fitting)[1] if fitting else None


class PublicNames(SphinxDirective):
    """`{public-names} GROUP`: the functions and classes of a group, from their docstrings."""

    required_arguments = 1

    def run(self):
        (group,) = self.arguments
        names = [n for n, home in personascan.HOME.items() if group_of(home) == group]
        lines = []
        for name in sorted(names, key=lambda n: (n[0].isupper(), n)):
            record = inspect.isclass(getattr(personascan, name))
            lines += ["```{eval-rst}", f".. auto{'class' if record else 'function'}:: personascan.{name}"]
            if record:
                lines += ["   :members:", f"   :inherited-members: {STOP}"]
            lines += ["```", ""]
        return self.parse_text_to_nodes("\n".join(lines))


@functools.cache
def comments_on_fields(path: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Returns type and comment of the fields of classes in a file, by class and field."""
    source = pathlib.Path(path).read_text(encoding="utf-8")
    comments, alone = {}, set()
    for token in tokenize.generate_tokens(iter(source.splitlines(keepends=True)).__next__):
        if token.type == tokenize.COMMENT:
            comments[token.start[0]] = token.string.lstrip("# ").strip()
            if not token.line[: token.start[1]].strip():
                alone.add(token.start[0])
    found = {}
    for record in (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ClassDef)):
        for node in record.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                first = node.lineno
                while first - 1 in alone:
                    first -= 1
                lines = [*range(first, node.lineno), node.end_lineno]
                text = " ".join(comments[line] for line in lines if line in comments)
                found[record.name, node.target.id] = ast.unparse(node.annotation), text
    return found


def fields_of(record: type) -> list[str]:
    """Returns a list of the fields of a record, in reStructuredText."""
    if not dataclasses.is_dataclass(record):
        return []
    described = {}
    for base in reversed(record.__mro__):
        if base.__module__.startswith("personascan."):
            for (name, field), description in comments_on_fields(inspect.getsourcefile(base)).items():
                if name == base.__name__:
                    described[field] = description
    lines = [""]
    for field in dataclasses.fields(record):
        kind, text = described[field.name]
        if not field.name.startswith("_"):
            plain = field.default is not dataclasses.MISSING and field.default != ""
            default = f"; default {field.default!r}" if plain else ""
            lines += [f":ivar {field.name}: {escaped(text + default).removeprefix('; ')}"]
            lines += [f":vartype {field.name}: {escaped(kind)}"]
    return lines


def escaped(text: str) -> str:
    """Escapes what reStructuredText would read as markup, but for code in backticks."""
    spans = re.split(r"(`+[^`]+`+)", text)
    spans[::2] = [re.sub(r"([|*])|(?<=\w)(_)(?!\w)", r"\\\1\2", span) for span in spans[::2]]
    return "".join(spans)


def before_napoleon(app, what, name, thing, options, lines: list[str]) -> None:
    """Escapes a docstring; those of properties are kept, as they have no headings."""
    lines[:] = escaped("\n".join(lines)).split("\n")
    if what == "property":
        PROPERTIES[name] = list(lines)


def after_napoleon(app, what, name, thing, options, lines: list[str]) -> None:
    """Adds the fields to the docstring of a record."""
    if what == "property":
        lines[:] = PROPERTIES.pop(name)
    if what == "class":
        lines += fields_of(thing)


def without_fields(app, what, name, thing, options, signature, returns):
    """Leaves the signature of a record out: its fields follow, each with its default."""
    return ("", None) if what == "class" and signature else None


def check_names(app, env) -> None:
    """Warns of public names that are on no page."""
    missing = sorted(n for n, home in personascan.HOME.items() if group_of(home) is None)
    if missing:
        logging.getLogger(__name__).warning(
            "no page shows %s: add the module to GROUPS in docs/_site/public_names.py",
            ", ".join(missing),
        )


def setup(app) -> dict[str, bool]:
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-process-docstring", before_napoleon, priority=400)
    app.connect("autodoc-process-docstring", after_napoleon, priority=600)
    app.connect("autodoc-process-signature", without_fields)
    app.connect("env-check-consistency", check_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
