"""Caps: what activations have along a direction is kept at most, or at least, at a threshold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from personascan.array_like import ArrayLike
from personascan.direction import Direction
from personascan.errors import InputError
from personascan.interventions.edits import NamedEdit, cap_projection
from personascan.places import Place
from personascan.reading import real_array


@dataclass(frozen=True, eq=False, repr=False)
class Cap:
    """A bound on the projection of activations on a direction. Keys: (site, layer).

    `generate` takes it as `edits`. With h the activations of a token, v the unit direction and t
    the threshold, h becomes h - max(0, <h, v> - t) v; with `below` h + max(0, t - <h, v>) v.
    """

    direction: Direction
    threshold: dict[tuple[str, int], float]  # of the projection on the direction at length 1
    below: bool = False  # True: what lies below the threshold is lifted to it
    quantile: float = np.nan  # of the rows that the threshold was taken from

    def __repr__(self) -> str:
        bound = "at least" if self.below else "at most"
        places = ", ".join(
            f"{bound} {value:.3g} at {site} {layer}"
            for (site, layer), value in self.threshold.items()
        )
        return f"Cap({self.direction.name}: {places})"


def cap(
    direction: Direction,
    threshold: float | Mapping[Any, float] | None = None,
    *,
    rows: ArrayLike | Mapping[Any, ArrayLike] | None = None,
    quantile: float | None = None,
    below: bool = False,
) -> Cap:
    """Returns the edit that caps what activations have along a direction, while a model writes.

    Projections are those on the direction at length 1, so that its strength counts for nothing.
    Source: arXiv 2601.10387, whose axis points to the assistant and is capped below.

    Args:
      direction: from `locate`, `found_direction` or `read_direction`, of one place or several.
      threshold: the bound, or one for each place: {Place or (site, layer): bound}.
      rows: instead of a threshold, activations of H0 [N, D] that it is taken from, or of each place
        of the direction {Place or (site, layer): [N, D]}.
      quantile: of the projections of these rows, such as 0.95; with `below` such as 0.05.
      below: keeps projections at or above the threshold instead of at or below it.

    Raises:
      InputError: both a threshold and rows, or neither; a place without one; rows of another width
        or that are not finite; a quantile outside [0, 1]; a direction without a length.
    """
    if not isinstance(direction, Direction):
        raise InputError(f"direction must be a Direction, got {type(direction).__name__}")
    vectors = {at: np.asarray(x_D, np.float64) for at, x_D in direction.shift.items()}
    vectors = {at: x_D for at, x_D in vectors.items() if x_D.any()}
    if not vectors:
        raise InputError("the direction is 0 everywhere, and caps nothing; give another")
    if (threshold is None) == (rows is None) or (rows is None) != (quantile is None):
        raise InputError("give a threshold, or rows of H0 and a quantile of their projections")
    if quantile is not None and not 0 <= quantile <= 1:
        raise InputError(f"quantile = {quantile}; use a share such as 0.95")
    given = of_places("rows" if threshold is None else "threshold", rows, threshold, vectors)
    if quantile is None:
        for value in given.values():
            if isinstance(value, bool) or not isinstance(value, int | float | np.number):
                raise InputError(f"threshold must be a number, got {value!r}")
        bounds = {at: float(value) for at, value in given.items()}
    else:
        bounds = {
            at: projection_quantile(at, given[at], x_D, quantile) for at, x_D in vectors.items()
        }
    for at, x_D in vectors.items():
        cap_projection(x_D, bounds[at], below)  # what cannot be done is refused here
    return Cap(direction, bounds, below, np.nan if quantile is None else float(quantile))


def of_places(name: str, rows, threshold, vectors) -> dict[tuple[str, int], Any]:
    """Returns what is given of each place of a direction, by (site, layer)."""
    given = threshold if rows is None else rows
    if not isinstance(given, Mapping):
        if len(vectors) > 1 and rows is not None:
            raise InputError(
                f"the direction has {len(vectors)} places; give rows of each: "
                "{(site, layer): [N, D]}"
            )
        return dict.fromkeys(vectors, given)
    keyed = {}
    for key, value in given.items():
        at = (key.site, key.layer) if isinstance(key, Place) else key
        if at in keyed:
            raise InputError(f"{name} has {at} twice; give one position of each place")
        keyed[at] = value
    for site, layer in vectors:
        if (site, layer) not in keyed:
            raise InputError(f"{name} has nothing of {site} {layer}, a place of the direction")
    return {at: keyed[at] for at in vectors}


def projection_quantile(at, rows_ND, direction_D, quantile: float) -> float:
    """Returns a quantile of the projections of rows on a direction at length 1."""
    name = "rows of {} {}".format(*at)
    rows_ND = np.asarray(real_array(name, rows_ND), np.float64)
    if rows_ND.ndim != 2 or rows_ND.shape[1] != direction_D.size or not len(rows_ND):
        raise InputError(f"{name} must be [N, {direction_D.size}], got {rows_ND.shape}")
    if not np.isfinite(rows_ND).all():
        raise InputError(f"{name} hold values that are not finite; leave these rows out")
    return float(np.quantile(rows_ND @ (direction_D / np.linalg.norm(direction_D)), quantile))


def cap_edit(one: Cap) -> NamedEdit:
    """Returns the edit of a cap."""
    changes = {
        at: cap_projection(one.direction.shift[at], bound, one.below)
        for at, bound in one.threshold.items()
    }
    return NamedEdit(one.direction.name, "cap", changes=changes)
