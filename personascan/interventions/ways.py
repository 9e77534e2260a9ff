"""Ways of editing a model: ablation, steering, patching, projection, and stacks of them.

Letters: W ways, K layers, D nodes of a site.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from personascan.errors import InputError
from personascan.models.tap import Edit
from personascan.places import ONCE, Place


@dataclass(frozen=True)
class Change:
    """What happens to the nodes of one site of one layer: x * scale + shift + (x . read) write."""

    scale_D: np.ndarray
    shift_D: np.ndarray
    read_D: np.ndarray | None = None
    write_D: np.ndarray | None = None


@dataclass(frozen=True)
class Way:
    """One way of editing, by name; no changes: the model as it is."""

    method: str  # whose nodes or direction: "found nodes", "random nodes", ...
    action: str  # "ablate mean", "steer", ...; "" where nothing is edited
    strength: float = np.nan  # of steering, in deviations of the background
    number: int = 0  # of several sets or directions of one kind of control
    draw: int = 0  # of several rows that nodes are set to
    # By (site, layer).
    changes: dict[tuple[str, int], Change] = field(default_factory=dict, repr=False)


UNEDITED = Way("unedited", "")


def site_layer(place: Place) -> tuple[str, int]:
    """Where the activations of a place are edited, whatever its position."""
    return place.site, place.layer


def replaced(signed_D, row_D) -> Change:
    """The nodes (where `signed_D` is not 0) take the values of a row: ablation, patching."""
    chosen_D = np.asarray(signed_D) != 0
    kept_D = (~chosen_D).astype(np.float32)
    return Change(kept_D, np.where(chosen_D, row_D, 0).astype(np.float32))


def shifted(shift_D) -> Change:
    """A vector is added: steering.

    Raises InputError for one that is too large: a model's norms square it in float32, and where
    that is infinite they leave nothing of the activations.
    """
    with np.errstate(over="ignore"):
        shift_D = np.asarray(shift_D).astype(np.float32)
        squared = np.square(shift_D).sum()
    if not np.isfinite(squared):
        raise InputError(
            "a steering vector is too large for float32, in which a model squares it; use a "
            "smaller strength or direction"
        )
    return Change(np.ones_like(shift_D), shift_D)


def projected_out(direction_D, centre_D) -> Change:
    """What lies along a direction becomes that of the centre (Arditi et al. 2024, eq. 4)."""
    unit_D = direction_D / np.linalg.norm(direction_D)
    shift_D = (centre_D @ unit_D) * unit_D
    ones_D = np.ones(unit_D.size, np.float32)
    return Change(ones_D, *(a.astype(np.float32) for a in (shift_D, unit_D, -unit_D)))


def stacked(ways: list[Way], widths: dict[str, int]) -> dict[str, Edit]:
    """The ways side by side: an Edit of W ways for every site that any of them changes.

    widths: nodes of each site.
    """
    where = sorted({place for way in ways for place in way.changes})
    found = {}
    for site in dict.fromkeys(site for site, _ in where):
        layers = [layer for other, layer in where if other == site]
        found[site] = stack(site, layers, ways, widths[site])
    return found


def stack(site: str, layers: list[int], ways: list[Way], width: int) -> Edit:
    shape = (len(layers), len(ways), width)
    scale, shift = np.ones(shape, np.float32), np.zeros(shape, np.float32)
    read, write = np.zeros((2, *shape), np.float32)
    for k, layer in enumerate(layers):
        for w, way in enumerate(ways):
            if change := way.changes.get((site, layer)):
                scale[k, w], shift[k, w] = change.scale_D, change.shift_D
                if change.read_D is not None:
                    read[k, w], write[k, w] = change.read_D, change.write_D
    projects = (read, write) if write.any() else (None, None)
    return Edit(np.array(layers, np.int32), scale, shift, *projects)


def first_layer(ways: Iterable[Way], layers: int) -> int:
    """The first block that any of the ways changes; the last one, if none of the blocks."""
    changed = [layers - 1 if site in ONCE else layer for way in ways for site, layer in way.changes]
    return min(changed, default=layers - 1)
