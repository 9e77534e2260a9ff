"""The pages of the API: every public name of personascan, grouped by what it is for.

`{public-names} GROUP` in a page stands for the names of a group, functions first. The group of a
name follows from the module that holds it. The build warns where a public name has no group.
"""

import inspect

import numpy.typing
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

# Modules by group; of two that fit, the longer one counts.
GROUPS = {
    "errors": ("errors",),
    "models": ("models", "sources.language.model", "places", "sharding", "processes"),
    "activations": ("sources",),
    "locate": ("calibration",),
    "scan": ("scan",),
    "analysis": ("analysis",),
    "interventions": (
        "interventions",
        "direction",
        "sources.language.decoding",
        "study.steering",
    ),
    "studies": ("study", "studies", "report", "sources.arrays"),
}
FOREIGN = "Mapping, Exception, ValueError, KeyError, object"  # classes whose members are not ours


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


def directive(name: str) -> str:
    """Returns the directive that documents a public name from its docstring."""
    if inspect.isclass(getattr(personascan, name)):
        lines = [f".. autoclass:: personascan.{name}"]
        lines += ["   :members:", f"   :inherited-members: {FOREIGN}"]
    else:
        lines = [f".. autofunction:: personascan.{name}"]
    return "\n".join(["```{eval-rst}", *lines, "```", ""])


class PublicNames(SphinxDirective):
    """`{public-names} GROUP`: the functions and classes of a group, from their docstrings."""

    required_arguments = 1

    def run(self):
        (group,) = self.arguments
        names = [n for n, home in personascan.HOME.items() if group_of(home) == group]
        names.sort(key=lambda name: (name[0].isupper(), name))
        return self.parse_text_to_nodes("\n".join(map(directive, names)))


def check_names(app, env) -> None:
    """Warns of public names that have no group, and so no page."""
    missing = sorted(n for n, home in personascan.HOME.items() if group_of(home) is None)
    if missing:
        logging.getLogger(__name__).warning(
            "no page shows %s: add the module to GROUPS in docs/_site/public_names.py",
            ", ".join(missing),
        )


def setup(app) -> dict[str, bool]:
    app.add_directive("public-names", PublicNames)
    app.connect("env-check-consistency", check_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
