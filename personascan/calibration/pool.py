"""The places of a pool as a mapping, read one place at a time, however the pool is given."""

from collections.abc import Mapping

import numpy as np

from personascan.errors import InputError
from personascan.places import Place, named_place
from personascan.scan.pvalues import as_matrix
from personascan.scan.runs import refuse_no_places


def as_places(pool) -> Mapping:
    """Returns a pool as a mapping by key, or by index if it has no keys.

    Raises InputError if it holds no arrays.
    """
    refuse_no_places(pool)
    if isinstance(pool, Mapping):
        places = pool
    elif getattr(pool, "ndim", 3) == 2:
        places = {0: pool}
    elif hasattr(pool, "__len__"):
        places = IndexedPlaces(pool)
    else:
        places = dict(enumerate(pool))
    if not len(places):
        raise InputError("the pool has no places")
    return places


def matrix_at(places: Mapping, key) -> np.ndarray:
    """Returns the checked rows of a place. Raises InputError if they are no array [rows, nodes]."""
    return as_matrix(f"place {key} of the pool", places[key])


class IndexedPlaces(Mapping):
    """A sequence of places as a mapping by index; nothing is read before it is looked up."""

    def __init__(self, sequence):
        self.sequence = sequence

    def __getitem__(self, index):
        return self.sequence[index]

    def __iter__(self):
        return iter(range(len(self.sequence)))

    def __len__(self):
        return len(self.sequence)


def place_key(places, key):
    """Returns the key of a place, which for a `Place` may be given as its name.

    Raises InputError if the pool has no such place.
    """
    keys = list(places)
    if key in keys:
        return key
    if isinstance(key, str) and all(isinstance(known, Place) for known in keys):
        layers = getattr(places, "depth", 0) or 1 + max(place.layer for place in keys)
        return named_place(key, keys, layers, of="the pool")
    raise InputError(f"{key!r} is no place of the pool: {key_list(keys)}")


def key_list(places) -> str:
    """Returns the keys as text, shortened if there are many."""
    keys = list(map(str, places))
    return "; ".join(keys if len(keys) <= 8 else [*keys[:7], f"... {keys[-1]}"])
