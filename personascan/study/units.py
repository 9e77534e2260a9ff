"""Units of work: pure functions of named inputs, and the name that all of these decide."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from personascan.hashes import text_sha256

LAYOUT = 2  # of what is stored: a change of any unit's meaning or form is a new number


def canonical(content) -> str:
    """JSON that is the same text for equal content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def sha256_of(content) -> str:
    """The hash of what JSON holds."""
    return text_sha256(canonical(content))


@dataclass(frozen=True)
class Unit:
    """What is to be known: its kind, and everything that decides it.

    `inputs` is JSON: options, seeds, hashes of contents, and the keys of other units.
    """

    kind: str
    inputs: dict = field(hash=False)

    @functools.cached_property
    def key(self) -> str:
        """The hash of kind, inputs and layout."""
        return sha256_of(self.record())

    def record(self) -> dict:
        """The unit as its file has it."""
        return json.loads(canonical({"kind": self.kind, "layout": LAYOUT, "inputs": self.inputs}))


@dataclass(frozen=True)
class Work:
    """How a unit is done: `function(*arguments)` gives (values, arrays).

    The function is one of a module and its arguments are small (arrays go by path), so that any
    process can do it.
    """

    unit: Unit
    function: Callable = field(compare=False)
    arguments: tuple = field(compare=False)
