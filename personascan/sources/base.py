"""What a study needs of where its rows come from, whatever they are."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from personascan.places import Place


class Source(Protocol):
    """Groups of examples, and their activations at places."""

    name: str  # as results are keyed
    groups: Mapping[str, list]  # {group: examples with `id`, `text` and `positive`}
    places: list[Place]
    layers: int  # that relative depth is counted in

    def identity(self, group: str, place: Place) -> dict[str, Any]:
        """What decides the rows of a group at a place, as JSON holds it."""

    def shape(self, group: str, place: Place) -> tuple[int, int]:
        """Rows and nodes [N, D] of a group at a place."""

    def fill(self, group: str, arrays: Mapping[Place, np.ndarray], progress) -> None:
        """Write the rows of a group into the arrays [N, D] of some places, batch by batch.

        `progress(n)` is called with every n rows done.
        """
