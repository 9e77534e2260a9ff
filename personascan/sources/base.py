"""The interface of sources of rows, which a study reads whatever the rows are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from personascan.places import Place


@dataclass(frozen=True)
class Terms:
    """The report's words for the rows of a source, in the plural."""

    rows: str = "rows"
    h1: str = "rows of the group"
    h0: str = "background rows"


@dataclass(frozen=True)
class Row:
    """The id, label and further columns of a row."""

    id: str
    positive: bool  # belongs to H1
    entity: str = ""  # rows of one entity are never both background and scanned; "": its own
    condition: str = ""  # a class that p-values can be conditioned on
    pair: str = ""  # rows of one pair, on either side, are compared with one another; "": none
    text: str | None = None
    topic: str = ""  # of the group


@dataclass(frozen=True)
class Baseline:
    """A simpler detector than a scan; `method` as `detect_simply` takes it."""

    name: str
    place: Place  # among the source's places or its `extra`
    method: str


class Source(Protocol):
    """Groups of rows, and their activations at places."""

    name: str  # which keys the results
    groups: Mapping[str, list]  # {group: rows: `Row` or any record with its fields}
    places: list[Place]  # the places that are searched
    extra: list[Place]  # read and not searched: places of baselines, and `embedding`
    embedding: Place | None  # the rows before any layer; None if there is no such place
    baselines: list[Baseline]
    layers: int  # the unit of relative depth
    terms: Terms
    about: str  # sentences of the report: what was read, and how
    texts: bool  # whether rows are texts
    head_width: int  # columns of a head at the site head_out
    role: str  # of a chat message, as applied; "" where there is none
    revision: str  # the commit of a hub source, or ""
    answers: bool  # whether the network can be edited and asked; the rest is for such networks
    reader: Any = None  # the model as a worker loads it
    identified: Any = None  # the model's configuration and tokenizer
    options: Any = None  # how texts become prompts

    @property
    def shared_identity(self) -> dict[str, Any]:
        """The inputs that decide a network's answers, as JSON holds them."""
        return {}

    def identity(self, group: str, place: Place) -> dict[str, Any]:
        """Returns the inputs that decide the rows of a group at a place, as JSON holds them."""

    def hashes(self) -> dict[str, str]:
        """Returns the hashes of all inputs: {input: sha256}."""

    def shape(self, group: str, place: Place) -> tuple[int, int]:
        """Returns the numbers of rows and nodes of a group at a place: (N, D)."""

    def named(self, text: str) -> Place:
        """Returns the place that a text names. Raises InputError if there is none."""

    def fill(self, group: str, arrays: Mapping[Place, np.ndarray], progress) -> None:
        """Writes the rows of a group into the arrays [N, D] of some places, batch by batch.

        It calls `progress(n)` after every n rows.
        """


def pool_rows(groups: Mapping[str, list], members) -> list:
    """Returns the rows of a pool, in its order."""
    return [groups[group][row] for group, rows in members for row in rows]


def texts_of(groups: Mapping[str, list], members) -> tuple[str, ...] | None:
    """Returns the texts of a pool's rows; None if rows are not texts."""
    texts = tuple(row.text for row in pool_rows(groups, members))
    return None if None in texts else texts


def conditions_of(groups: Mapping[str, list], members) -> np.ndarray:
    """Returns the condition of each of a pool's rows: [N]; "" where it has none."""
    return np.array([row.condition for row in pool_rows(groups, members)])
