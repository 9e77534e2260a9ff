"""What a study needs of where its rows come from, whatever they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from personascan.places import Place


@dataclass(frozen=True)
class Terms:
    """What the rows of a source are called, in the plural where none is said."""

    rows: str = "rows"
    h1: str = "rows of the group"
    h0: str = "background rows"


@dataclass(frozen=True)
class Row:
    """What is known of a row beside its activations."""

    id: str
    positive: bool  # belongs to H1
    entity: str = ""  # rows of one entity are never both background and scanned; "": its own
    condition: str = ""  # a class that p-values can be conditioned on
    pair: str = ""  # rows of one pair, on either side, are compared with one another; "": none
    text: str | None = None
    topic: str = ""  # of the group


@dataclass(frozen=True)
class Baseline:
    """Something simpler than a scan that tells rows apart; `method` as `detect_simply` takes it."""

    name: str
    place: Place  # of the source's places or of its `extra`
    method: str


class Source(Protocol):
    """Groups of rows, and their activations at places."""

    name: str  # as results are keyed
    groups: Mapping[str, list]  # {group: rows: `Row` or whatever has its fields}
    places: list[Place]  # that are searched
    extra: list[Place]  # that are read and not searched: of baselines, and `embedding`
    embedding: Place | None  # what rows are before any layer; None where nothing is
    baselines: list[Baseline]
    layers: int  # that relative depth is counted in
    terms: Terms
    about: str  # sentences of the report: what was read, and how
    texts: bool  # whether rows are texts
    head_width: int  # columns of a head at the site head_out
    role: str  # of a chat message, as applied; "" where there is none
    revision: str  # the commit of a hub source, or ""
    # A network that can be edited and asked. `reader` is what a worker needs of it, `identified`
    # its configuration and tokenizer, `options` how texts are put to it.
    answers: bool
    reader: Any = None
    identified: Any = None
    options: Any = None

    @property
    def shared_identity(self) -> dict[str, Any]:
        """What decides all that is asked of such a network, as JSON holds it."""
        return {}

    def identity(self, group: str, place: Place) -> dict[str, Any]:
        """What decides the rows of a group at a place, as JSON holds it."""

    def hashes(self) -> dict[str, str]:
        """{input: sha256} of all that was read."""

    def shape(self, group: str, place: Place) -> tuple[int, int]:
        """Rows and nodes [N, D] of a group at a place."""

    def named(self, text: str) -> Place:
        """The place that a text names. Raises InputError for one that is not there."""

    def fill(self, group: str, arrays: Mapping[Place, np.ndarray], progress) -> None:
        """Write the rows of a group into the arrays [N, D] of some places, batch by batch.

        `progress(n)` is called with every n rows done.
        """


def pool_rows(groups: Mapping[str, list], members) -> list:
    """Returns the rows of a pool, in its order."""
    return [groups[group][row] for group, rows in members for row in rows]


def texts_of(groups: Mapping[str, list], members) -> tuple[str, ...] | None:
    """The texts of a pool's rows; None where rows are no texts."""
    found = tuple(e.text for e in pool_rows(groups, members))
    return None if None in found else found


def conditions_of(groups: Mapping[str, list], members) -> np.ndarray:
    """The condition of each of a pool's rows; "" where it has none."""
    return np.array([e.condition for e in pool_rows(groups, members)])
