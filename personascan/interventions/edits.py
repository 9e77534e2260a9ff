"""Edits of a model: ablation, steering, patching, projection, caps, and stacks of them.

Letters: W edits, K layers, D nodes of a site.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from personascan.errors import InputError
from personascan.models.tap import Edit
from personascan.places import ONCE, Place


@dataclass(frozen=True)
class Change:
    """An edit of the nodes of one site of one layer: x * scale + shift + (x . read) write.

    With a bound it writes max(0, x . read - bound) instead of x . read.
    """

    scale_D: np.ndarray
    shift_D: np.ndarray
    read_D: np.ndarray | None = None
    write_D: np.ndarray | None = None
    bound: float | None = None


@dataclass(frozen=True)
class NamedEdit:
    """An edit with its names; without changes it leaves the model as it is."""

    method: str  # whose nodes or direction: "found nodes", "random nodes", ...
    action: str  # "ablate mean", "steer", ...; "" where nothing is edited
    strength: float = np.nan  # of steering, in deviations of the background
    number: int = 0  # of several sets or directions of one kind of control
    draw: int = 0  # of several rows that nodes are set to
    # By (site, layer).
    changes: dict[tuple[str, int], Change] = field(default_factory=dict, repr=False)


UNEDITED = NamedEdit("unedited", "")


def site_layer(place: Place) -> tuple[str, int]:
    """Returns the (site, layer) at which the activations of a place are edited."""
    return place.site, place.layer


def replace_nodes(signed_D, row_D) -> Change:
    """Returns the change that sets nodes (`signed_D` not 0) to a row: ablation, patching."""
    chosen_D = np.asarray(signed_D) != 0
    kept_D = (~chosen_D).astype(np.float32)
    return Change(kept_D, np.where(chosen_D, row_D, 0).astype(np.float32))


def add_vector(shift_D) -> Change:
    """Returns the change that adds a vector: steering.

    Raises InputError for one that is too large: a model's norms square it in float32, and if that
    is infinite they leave nothing of the activations.
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


def project_out(direction_D, centre_D) -> Change:
    """Returns the change that sets the component along a direction to that of the centre.

    Source: Arditi et al. 2024, equation 4.
    """
    unit_D = direction_D / np.linalg.norm(direction_D)
    shift_D = (centre_D @ unit_D) * unit_D
    ones_D = np.ones(unit_D.size, np.float32)
    return Change(ones_D, *(a.astype(np.float32) for a in (shift_D, unit_D, -unit_D)))


def cap_projection(direction_D, threshold: float, below: bool = False) -> Change:
    """Returns the change that keeps the projection on a unit direction at most at a threshold.

    below: it is kept at least there. Where it is so already, no bit changes. An infinite threshold
    that caps nothing is allowed. Source: arXiv 2601.10387, where what lies below is capped.

    Raises InputError for a direction without a length, and a threshold that would remove all.
    """
    length = np.linalg.norm(np.asarray(direction_D, np.float64))
    if not length or not np.isfinite(length):
        raise InputError("a direction has no length: all of its values are 0, or one is not finite")
    sign = -1.0 if below else 1.0
    bound = float(np.float32(sign * threshold))
    if not bound > -np.inf:
        raise InputError(f"threshold = {threshold}: a cap needs a number")
    unit_D = (np.asarray(direction_D, np.float64) / length).astype(np.float32)
    ones_D = np.ones_like(unit_D)
    return Change(ones_D, np.zeros_like(unit_D), sign * unit_D, -sign * unit_D, bound)


def stack_edits(edits: list[NamedEdit], widths: dict[str, int]) -> dict[str, Edit]:
    """Returns, for every site that any edit changes, one Edit that holds all W of them.

    widths: nodes of each site.
    """
    where = sorted({place for edit in edits for place in edit.changes})
    of_site = {}
    for site in dict.fromkeys(site for site, _ in where):
        layers = [layer for other, layer in where if other == site]
        of_site[site] = stack(site, layers, edits, widths[site])
    return of_site


def stack(site: str, layers: list[int], edits: list[NamedEdit], width: int) -> Edit:
    shape = (len(layers), len(edits), width)
    scale, shift = np.ones(shape, np.float32), np.zeros(shape, np.float32)
    read, write = np.zeros((2, *shape), np.float32)
    bound = np.full(shape[:2], -np.inf, np.float32)
    for k, layer in enumerate(layers):
        for w, edit in enumerate(edits):
            if change := edit.changes.get((site, layer)):
                scale[k, w], shift[k, w] = change.scale_D, change.shift_D
                if change.read_D is not None:
                    read[k, w], write[k, w] = change.read_D, change.write_D
                    bound[k, w] = -np.inf if change.bound is None else change.bound
    projects = (read, write) if write.any() else (None, None)
    capped = bound if (bound > -np.inf).any() else None
    return Edit(np.array(layers, np.int32), scale, shift, *projects, capped)


def first_layer(edits: Iterable[NamedEdit], layers: int) -> int:
    """Returns the first block that any edit changes, or the last one if no block is changed."""
    changed = [
        layers - 1 if site in ONCE else layer for edit in edits for site, layer in edit.changes
    ]
    return min(changed, default=layers - 1)
