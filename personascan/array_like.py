"""Arrays as callers give them: NumPy, JAX or torch arrays, or nested lists."""

import numpy as np

from personascan.errors import InputError


def as_array(name: str, values) -> np.ndarray:
    """`values` as a NumPy array.

    Raises InputError for what is none (None, ragged lists, a tensor that requires grad), and for
    masked arrays, whose masked values would be taken for measured ones.
    """
    if values is None:
        raise InputError(f"{name} is None; give an array of numbers")
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(f"{name} is a masked array; fill or drop its masked values first")
    try:
        return np.asarray(values)
    except Exception as error:
        # Whatever holds the values raises what it likes.
        raise InputError(f"{name} is not an array of numbers ({error})") from error
