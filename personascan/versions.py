"""The versions of Python and of the packages that a study's numbers depend on."""

import functools
import importlib.metadata
import pathlib
import platform
from typing import NamedTuple

from personascan.errors import InputError
from personascan.hashes import file_sha256, text_sha256

PACKAGES = (
    "personascan", "jax", "jaxlib", "flax", "numpy", "scikit-learn", "scipy", "transformers",
    "tokenizers", "jinja2", "gguf", "optax",
)  # fmt: skip


class Installed(NamedTuple):
    """The versions of a process, and a hash of the code of this package."""

    versions: dict[str, str]
    code: str


@functools.cache
def installed_versions() -> Installed:
    """Returns the versions that this process runs."""
    versions = {"python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in PACKAGES}
    files = sorted(pathlib.Path(__file__).parent.rglob("*.py"))
    return Installed(versions, text_sha256("".join(map(file_sha256, files))))


def refuse_other_versions(process: str, theirs: dict[str, str], ours: dict[str, str]) -> None:
    """Raises InputError for a process whose versions are not those of study.json."""
    differing = [
        f"{name} {theirs.get(name, 'unknown')} (here {ours.get(name, 'unknown')})"
        for name in sorted(theirs.keys() | ours.keys())
        if theirs.get(name) != ours.get(name)
    ]
    if differing:
        raise InputError(
            f"{process} has other versions: {', '.join(differing)}; results would depend on who "
            "made them: install the same versions everywhere"
        )


def in_same_versions(versions: dict[str, str], function, *arguments):
    """Returns `function(*arguments)`. Raises InputError in a process of other versions."""
    refuse_other_versions("a worker", installed_versions().versions, versions)
    return function(*arguments)
