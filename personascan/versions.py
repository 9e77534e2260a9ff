"""What a study's numbers were made with: the versions of Python and of the packages that count."""

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
    """What this process runs."""
    versions = {"python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in PACKAGES}
    files = sorted(pathlib.Path(__file__).parent.rglob("*.py"))
    return Installed(versions, text_sha256("".join(map(file_sha256, files))))


def refuse_other_versions(who: str, theirs: dict[str, str], wanted: dict[str, str]) -> None:
    """Refuse a process whose versions are not those that study.json names."""
    differing = [
        f"{name} {theirs.get(name, 'unknown')} (here {wanted.get(name, 'unknown')})"
        for name in sorted(theirs.keys() | wanted.keys())
        if theirs.get(name) != wanted.get(name)
    ]
    if differing:
        raise InputError(
            f"{who} has other versions: {', '.join(differing)}; results would depend on who made "
            "them: install the same versions everywhere"
        )


def in_same_versions(wanted: dict[str, str], function, *arguments):
    """`function(*arguments)`. Raises InputError in a process of other versions than `wanted`."""
    refuse_other_versions("a worker", installed_versions().versions, wanted)
    return function(*arguments)
