import json

import jax
import numpy as np
import pytest
import torch
from torch_images import TorchAutoencoder, TorchClassifier

import personascan
from personascan.hashes import seal
from personascan.models import parameter_cache
from personascan.models.autoencoder import AUTOENCODER_SITES, Autoencoder, cross_entropy
from personascan.models.image import (
    CLASSIFIER_SITES,
    Classifier,
    activations,
    initial_params,
    max_pool,
    outputs,
    site_widths,
)
from personascan.models.parameter_cache import cached_arrays
from personascan.models.training import accuracy, train_autoencoder, train_classifier

# Nodes of Cintas et al., IJCAI 2020, as their released weights have them.
PUBLISHED_WIDTHS = {
    "conv1": 12544, "pool1": 3136, "conv2": 1568, "pool2": 392, "conv3": 392, "pool3": 128,
    "conv4": 128, "up1": 512, "conv5": 512, "up2": 2048, "conv6": 3136, "up3": 12544,
    "conv7": 784, "error": 784,
}  # fmt: skip


def some_images(number, height, width, seed=0):
    return np.random.default_rng(seed).random((number, height, width), np.float32)


def spread_params(network, image_shape):
    """Random parameters with biases that are not zero."""
    params = initial_params(network, 0, image_shape)
    leaves, structure = jax.tree.flatten(params)
    rng = np.random.default_rng(1)
    leaves = [leaf + 0.1 * rng.standard_normal(leaf.shape).astype(np.float32) for leaf in leaves]
    return structure.unflatten(leaves)


def test_sites_have_the_published_widths():
    found = site_widths(Autoencoder(), (28, 28))
    assert found == PUBLISHED_WIDTHS
    assert tuple(found) == AUTOENCODER_SITES
    found = site_widths(Classifier(), (28, 28))
    assert tuple(found) == CLASSIFIER_SITES
    assert list(found.values()) == [25088, 6272, 12544, 3136, 128, 10]


@pytest.mark.parametrize("sides", [(8, 8), (12, 16)])
def test_the_autoencoder_gives_back_the_shape(sides):
    images = some_images(3, *sides)
    params = initial_params(Autoencoder(), 0, sides)
    widths = site_widths(Autoencoder(), sides)
    kept = activations(Autoencoder(), params, images, AUTOENCODER_SITES)
    assert widths["conv7"] == sides[0] * sides[1]
    assert {site: kept[site].shape for site in kept} == {s: (3, w) for s, w in widths.items()}


def test_the_autoencoder_refuses_other_sides():
    with pytest.raises(personascan.InputError, match=r"divisible by 4, not \(30, 28\)"):
        site_widths(Autoencoder(), (30, 28))


@pytest.mark.parametrize("side", [28, 8])
def test_the_classifier_is_the_one_in_torch(side):
    images = some_images(5, side, side)
    params = spread_params(Classifier(), (side, side))
    theirs = TorchClassifier(params)(torch.tensor(images[:, None])).numpy()
    ours = activations(Classifier(), params, images, ("conv1", "logits"), batch=2)
    np.testing.assert_allclose(ours["logits"], theirs, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(outputs(Classifier(), params, images), theirs, rtol=1e-5, atol=1e-5)
    assert (ours["conv1"] == 0).any()  # after the ReLU
    assert ours["conv1"].min() == 0


@pytest.mark.parametrize("side", [28, 8])
def test_the_autoencoder_is_the_one_in_torch(side):
    images = some_images(5, side, side)
    params = spread_params(Autoencoder(), (side, side))
    pixels = torch.tensor(images[:, None])
    theirs = TorchAutoencoder(params, valid=side == 28)(pixels)
    kept = activations(Autoencoder(), params, images, AUTOENCODER_SITES, batch=3)
    widths = site_widths(Autoencoder(), (side, side))
    assert {site: kept[site].shape for site in kept} == {s: (5, w) for s, w in widths.items()}
    np.testing.assert_allclose(kept["conv7"], theirs.flatten(1).numpy(), rtol=1e-5, atol=1e-5)
    error = torch.nn.functional.binary_cross_entropy(theirs, pixels, reduction="none")
    np.testing.assert_allclose(kept["error"], error.flatten(1).numpy(), rtol=1e-4, atol=1e-5)


def test_sites_are_flattened_row_by_row():
    """Height, width, channel: node (y * W + x) * C + c."""
    image = np.zeros((1, 8, 8), np.float32)
    image[0, 2, 5] = 1
    params = initial_params(Classifier(), 0, (8, 8))
    kernel = np.zeros((3, 3, 1, 32), np.float32)
    kernel[1, 1, 0, 7] = 1  # channel 7 is the image itself
    params["conv1"] = {"kernel": kernel, "bias": np.zeros(32, np.float32)}
    kept = activations(Classifier(), params, image, ("conv1", "pool1"))
    assert np.flatnonzero(kept["conv1"]).tolist() == [(2 * 8 + 5) * 32 + 7]
    assert np.flatnonzero(kept["pool1"]).tolist() == [(1 * 4 + 2) * 32 + 7]


def test_a_tie_in_a_pool_is_the_first_ones():
    """As in torch, and so in what attacks follow."""
    images = np.random.default_rng(0).integers(0, 3, (6, 5, 7)).astype(np.float32)
    weights = np.random.default_rng(1).random((6, 3, 4), np.float32)
    ours = jax.grad(lambda x: (max_pool(x[..., None])[..., 0] * weights).sum())(images)
    theirs = torch.tensor(images[:, None], requires_grad=True)
    pooled = torch.nn.functional.max_pool2d(theirs, 2, ceil_mode=True)
    (pooled[:, 0] * torch.tensor(weights)).sum().backward()
    np.testing.assert_array_equal(ours, theirs.grad[:, 0].numpy())


def test_the_error_is_clipped_as_in_keras():
    pixels = np.array([[[1, 0, 0.5]]], np.float32)
    found = cross_entropy(pixels, np.array([[[0, 1, 0.5]]], np.float32))
    np.testing.assert_allclose(
        found[0, 0], [-np.log(1e-7), -np.log(2**-23), np.log(2)], rtol=1e-5
    )  # the float32 next below 1 is the nearest to 1 - 1e-7


def test_what_shares_a_batch_changes_nothing():
    images = some_images(7, 8, 8)
    params = initial_params(Classifier(), 0, (8, 8))
    together = activations(Classifier(), params, images, ("dense1",), batch=7)["dense1"]
    apart = activations(Classifier(), params, images, ("dense1",), batch=3)["dense1"]
    np.testing.assert_allclose(together, apart, rtol=1e-5, atol=1e-6)


def test_unknown_sites_and_no_images_are_refused():
    params = initial_params(Classifier(), 0, (8, 8))
    with pytest.raises(personascan.InputError, match="site 'conv7' is unknown; known: conv1"):
        activations(Classifier(), params, some_images(2, 8, 8), ("conv7",))
    with pytest.raises(personascan.InputError, match="there are no images"):
        activations(Classifier(), params, np.zeros((0, 8, 8), np.float32), ("conv1",))


def test_the_classifier_learns(digits, digit_classifier):
    assert accuracy(Classifier(), digit_classifier, *digits[1]) > 0.9
    assert accuracy(Classifier(), initial_params(Classifier(), 0, (8, 8)), *digits[1]) < 0.3


def test_the_autoencoder_learns(digits):
    """Better than the best image that is the same for all."""
    train, test = digits
    params = train_autoencoder(train.pixels_NHW, epochs=12, batch=32, progress=False)
    error = activations(Autoencoder(), params, test.pixels_NHW, ("error",))["error"].mean()
    mean_image = np.broadcast_to(train.pixels_NHW.mean(axis=0), test.pixels_NHW.shape)
    assert error < float(cross_entropy(test.pixels_NHW, mean_image).mean())


def test_a_seed_gives_the_same_parameters(digits):
    images = digits[0].pixels_NHW[:200]
    options = dict(epochs=2, batch=64, progress=False)
    once, again = (train_autoencoder(images, **options) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, once, again)
    other = train_autoencoder(images, **options, seed=1)
    assert (np.asarray(once["conv1"]["kernel"]) != np.asarray(other["conv1"]["kernel"])).any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict(labels_N=np.zeros(3)), "4 images have 3 labels"),
        (dict(labels_N=np.array([0, 1, 2, 10])), "labels go from 0 to 10; with classes = 10"),
        (dict(images_NHW=np.zeros((4, 64), np.float32)), r"shape \(4, 64\)"),
        (dict(epochs=0), "epochs = 0"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(change, said):
    asked = dict(images_NHW=some_images(4, 8, 8), labels_N=np.zeros(4), epochs=1) | change
    images, labels = asked.pop("images_NHW"), asked.pop("labels_N")
    with pytest.raises(personascan.InputError, match=said):
        train_classifier(images, labels, **asked, progress=False)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A cache of its own, a way to keep parameters in it, and the seeds that were trained."""
    monkeypatch.setattr(parameter_cache, "cache_folder", lambda: tmp_path)
    made = []

    def keep(seed=0):
        def make():
            made.append(seed)
            return initial_params(Classifier(), seed, (8, 8))

        return cached_arrays({"network": "classifier", "seed": seed}, make)

    return tmp_path, keep, made


def test_parameters_are_trained_once(kept):
    _, keep, made = kept
    first, again = keep(), keep()
    assert made == [0]
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert jax.tree.structure(first) == jax.tree.structure(again)
    keep(seed=1)
    assert made == [0, 1]


def test_damaged_parameters_are_made_anew(kept, capsys):
    folder, keep, made = kept
    first = keep()
    for name in ("params/manifest.ocdbt", parameter_cache.RECORD, "sha256.json"):
        [file] = folder.glob(f"networks/*/{name}")
        content = bytearray(file.read_bytes())
        content[-5] ^= 1
        file.write_bytes(content)
        again = keep()
        assert "is damaged" in capsys.readouterr().err
        jax.tree.map(np.testing.assert_array_equal, first, again)
    assert made == [0] * 4
    keep()
    assert len(made) == 4


def test_arrays_without_entries_are_kept_too(kept):
    made = []

    def make():
        made.append(None)
        return {"attacked": {"pixels_NHW": np.zeros((0, 8, 8), np.float32),
                             "rows_N": np.arange(len(made) - 1, dtype=np.int32)}}  # fmt: skip

    for _ in range(2):
        found = cached_arrays({"attack": "of no success"}, make)["attacked"]
        assert (found["pixels_NHW"].shape, found["pixels_NHW"].dtype) == ((0, 8, 8), np.float32)
        assert (found["rows_N"].shape, found["rows_N"].dtype) == ((0,), np.int32)
    assert len(made) == 1


def test_what_an_earlier_version_kept_is_made_anew(kept, capsys):
    folder, keep, made = kept
    keep()
    [record] = folder.glob(f"networks/*/{parameter_cache.RECORD}")
    record.rename(record.with_name("key.json"))
    seal(record.parent)
    keep()
    assert f"{parameter_cache.RECORD}" in capsys.readouterr().err
    assert made == [0, 0]
    keep()
    assert made == [0, 0]


def test_the_key_is_kept_with_the_version_of_jax(kept):
    folder, keep, _ = kept
    keep()
    [file] = folder.glob(f"networks/*/{parameter_cache.RECORD}")
    assert json.loads(file.read_text())["key"] == {
        "jax": jax.__version__, "network": "classifier", "seed": 0,
    }  # fmt: skip


def test_parameters_that_cannot_be_kept_are_returned(kept, monkeypatch, capsys):
    folder, keep, made = kept
    (folder / "networks").write_text("")
    assert set(keep()) == {"conv1", "conv2", "dense1", "logits"}
    assert "are not kept" in capsys.readouterr().err
    assert made == [0]
