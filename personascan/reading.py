"""Foreign files and arrays: regular files, objects in JSON, real numbers, or one clear line."""

import json
import pathlib
import stat

import numpy as np

from personascan.errors import InputError


def is_file(path: pathlib.Path) -> bool:
    """Whether a regular file is there; a pipe is none, nor is a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def refuse_special(path: pathlib.Path) -> None:
    """Refuse a pipe, socket or device, which could keep a reader waiting for ever."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return  # whoever opens it says what is wrong
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"{path} is not a regular file; give the file itself")


def read_json(path: pathlib.Path) -> dict:
    """The object in a JSON file. Raises InputError for everything else."""
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
    """`values` as an array of real numbers: of NumPy or JAX, or a tensor of torch, wherever it is.

    Raises InputError, with the name, for what is none, and for a masked array.
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
    # Of the kind V are bfloat16 and its like, and what holds no numbers.
    if array.dtype.kind not in "biufV" or array.dtype.names or array.dtype.type is np.void:
        raise InputError(f"{name} must hold real numbers, got {array.dtype}")
    return array
