"""IDX files, the format of MNIST and its relatives: a header, then unsigned bytes, row by row."""

import gzip
import math
import pathlib
import zlib

import numpy as np

from personascan.errors import InputError
from personascan.reading import is_file, refuse_special

UNSIGNED_BYTES = 8  # the type in a header's third byte
STEMS = {"train": "train", "test": "t10k"}
AGAIN = "download it again"


def idx_files(folder: pathlib.Path, subset: str) -> tuple[pathlib.Path, pathlib.Path]:
    """Finds the images and labels of a subset. Raises InputError if either file is missing."""
    stem = STEMS[subset]
    return (
        existing_file(folder, f"{stem}-images-idx3-ubyte"),
        existing_file(folder, f"{stem}-labels-idx1-ubyte"),
    )


def existing_file(folder: pathlib.Path, name: str) -> pathlib.Path:
    """Returns the path of a file, compressed or not. Raises InputError if it is missing."""
    for path in (folder / name, folder / f"{name}.gz"):
        refuse_special(path)
        if is_file(path):
            return path
    raise InputError(f"{folder} has no {name} and no {name}.gz; give a folder of IDX files")


def read_idx(path: pathlib.Path, axes: int) -> np.ndarray:
    """Reads the unsigned bytes of an IDX file, which must have that many axes.

    Layout: two zero bytes, the type, the number of axes, the length of each axis as a big-endian
    32-bit number, the values (format: the MNIST database's page). Raises InputError for a file that
    is of another format, empty, cut short or too long.
    """
    content = read_bytes(path)
    magic, start = bytes([0, 0, UNSIGNED_BYTES, axes]), 4 + 4 * axes
    if content[:4] != magic:
        raise InputError(
            f"{path} is no IDX file of unsigned bytes with {axes} axes: it begins with "
            f"{content[:4].hex() or 'nothing'}, not {magic.hex()}; {AGAIN}"
        )
    if len(content) < start:
        raise InputError(f"{path} ends inside its header, after {len(content)} bytes; {AGAIN}")
    shape = tuple(map(int, np.frombuffer(content[4:start], ">u4")))
    expected = start + math.prod(shape)
    if len(content) != expected:
        raise InputError(
            f"{path} holds {len(content)} bytes, not the {expected} of its header; {AGAIN}"
        )
    if 0 in shape:
        raise InputError(f"{path} is empty: its header says {' x '.join(map(str, shape))}; {AGAIN}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def read_bytes(path: pathlib.Path) -> bytes:
    try:
        if path.suffix != ".gz":
            return path.read_bytes()
        with gzip.open(path) as file:
            return file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}); {AGAIN}") from error
