"""Units of work: pure functions of named inputs, under the hash of all that decides them."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from personascan.hashes import text_sha256

LAYOUT = 2  # of what is stored: a change of any unit's meaning or form is a new number


def canonical(content) -> str:
    """Returns JSON that is the same text for equal content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def sha256_of(content) -> str:
    """Returns the hash of content that JSON can hold."""
    return text_sha256(canonical(content))


@dataclass(frozen=True)
class Unit:
    """A piece of work: its kind, and everything that decides its result.

    `inputs` is JSON: options, seeds, hashes of contents, and the keys of other units.
    """

    kind: str
    inputs: dict = field(hash=False)

    @functools.cached_property
    def key(self) -> str:
        """Hash of kind, inputs and layout."""
        return sha256_of(self.record())

    def record(self) -> dict:
        """Returns the unit as its file holds it."""
        return json.loads(canonical({"kind": self.kind, "layout": LAYOUT, "inputs": self.inputs}))


@dataclass(frozen=True)
class Work:
    """How a unit is done: `function(*arguments)` returns (values, arrays).

    The function belongs to a module and its arguments are small (arrays are given by path), so that
    any process can call it.
    """

    unit: Unit
    function: Callable = field(compare=False)
    arguments: tuple = field(compare=False)
