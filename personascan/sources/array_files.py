"""Arrays of `.npy` files, bfloat16 included."""

import hashlib
import pathlib

import ml_dtypes
import numpy as np

from personascan.errors import InputError
from personascan.hashes import RUN_AGAIN
from personascan.reading import refuse_special

BFLOAT16 = np.dtype("V2")  # the name in .npy files of a type that NumPy lacks


def read_array(path, sha256: str = "") -> np.ndarray:
    """Reads the array of a `.npy` file, bfloat16 included.

    sha256: the hash that the file must have; "": any.

    Raises InputError for a file that is missing, damaged, of objects, of another kind or hash.
    """
    path = pathlib.Path(path)
    if path.suffix in OTHER_ARRAYS:
        raise InputError(f"{path} is no .npy file; {OTHER_ARRAYS[path.suffix]}")
    refuse_special(path)
    try:
        with open(path, "rb") as raw:
            if sha256 and hashlib.file_digest(raw, "sha256").hexdigest() != sha256:
                raise InputError(f"{path} has changed since it was first read; {RUN_AGAIN}")
            raw.seek(0)
            array = np.load(raw, allow_pickle=False)
    except (InputError, MemoryError):
        raise
    except Exception as error:
        # As above: a damaged file raises many errors.
        raise InputError(f"{path} cannot be read as a .npy file ({error})") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} is an archive of several arrays; give a .npy file with one")
    return array.view(ml_dtypes.bfloat16) if array.dtype == BFLOAT16 else array


OTHER_ARRAYS = {
    **dict.fromkeys(
        (".pt", ".pth", ".bin"),
        'save the tensor with numpy.save("x.npy", tensor.float().numpy()) and give that',
    ),
    **dict.fromkeys(
        (".csv", ".tsv", ".txt"),
        'save it with numpy.save("x.npy", numpy.loadtxt("x.csv", delimiter=",")) and give that',
    ),
    ".safetensors": 'save one tensor of it with numpy.save("x.npy", tensor) and give that',
}
