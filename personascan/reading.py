"""Checked reading of foreign files and arrays: regular files, JSON objects, real numbers."""

import json
import pathlib
import stat

import numpy as np

from personascan.errors import InputError


def is_file(path: pathlib.Path) -> bool:
    """Tells whether a path is a regular file: no pipe, and no name that a file cannot have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def refuse_special(path: pathlib.Path) -> None:
    """Raises InputError for a pipe, socket or device, for which a reader could wait for ever."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return  # the reader that opens it says what is wrong
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"{path} is not a regular file; give the file itself")


def read_json(path: pathlib.Path) -> dict:
    """Returns the object in a JSON file. Raises InputError if there is none."""
    refuse_special(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); download it again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is not a JSON object")
    return content


def real_array(name: str, values) -> np.ndarray:
    """Returns a NumPy or JAX array, or a torch tensor on any device, as a NumPy array.

    Raises InputError, with the name, unless it holds real numbers, and for a masked array.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise InputError(f"{name} is a masked array; fill or drop its masked values first")
    try:
        if hasattr(values, "detach"):  # a tensor, which may want gradients or lie on a GPU
            values = values.detach().cpu()
            values = values.float() if str(values.dtype) == "torch.bfloat16" else values
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{name} is not an array of numbers ({error})") from error
    # Kind V is that of bfloat16 and the like, but also that of records and raw bytes.
    if array.dtype.kind not in "biufV" or array.dtype.names or array.dtype.type is np.void:
        raise InputError(f"{name} must hold real numbers, got {array.dtype}")
    return array
