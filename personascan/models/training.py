"""Training of the image networks with optax.

A seed and a machine give the same parameters bit for bit on CPU.
"""

import functools
from collections.abc import Callable

import jax
import numpy as np
import optax
from tqdm import tqdm

from personascan.errors import InputError
from personascan.models.autoencoder import Autoencoder, cross_entropy
from personascan.models.image import Classifier, initial_params, outputs


def train_classifier(
    images_NHW, labels_N, *, epochs: int, batch: int = 128, learning_rate: float = 1e-3,
    seed: int = 0, classes: int = 10, progress: bool = True,
) -> dict:  # fmt: skip
    """Parameters of `Classifier(classes)`, by Adam on the cross-entropy of its logits.

    Args:
      images_NHW: pixels, float32; labels_N: their classes, 0 to classes - 1.
      epochs: times that each image is seen; the order is drawn anew each time, and what does not
        fill a batch waits for the next.
      progress: show a bar with images/s on standard error.

    Raises:
      InputError: images and labels that do not go together, a label that is no class, an option
        out of range, a loss that is not finite.
    """
    labels_N = np.asarray(labels_N, np.int32)
    if len(labels_N) != len(images_NHW):
        raise InputError(f"{len(images_NHW)} images have {len(labels_N)} labels; give one each")
    if len(labels_N) and not (labels_N.min() >= 0 and labels_N.max() < classes):
        raise InputError(
            f"labels go from {labels_N.min()} to {labels_N.max()}; with classes = {classes} they "
            f"are 0 to {classes - 1}"
        )
    return train(
        Classifier(classes), logits_loss, optax.adam, images_NHW, labels_N,
        epochs, batch, learning_rate, seed, progress,
    )  # fmt: skip


def train_autoencoder(
    images_NHW, *, epochs: int, batch: int = 128, learning_rate: float = 3e-3, seed: int = 0,
    progress: bool = True,
) -> dict:  # fmt: skip
    """Parameters of `Autoencoder`, by Adam on the cross-entropy of pixels and reconstructions.

    Published was Adadelta at a rate of 1; after two epochs of Fashion-MNIST its error on test
    images was .319, Adam's .298. Options and errors as in `train_classifier`; images with sides
    that are not divisible by 4 are refused too.
    """
    unlabelled_N = np.zeros(len(images_NHW), np.int32)
    return train(
        Autoencoder(), reconstruction_loss, optax.adam, images_NHW, unlabelled_N,
        epochs, batch, learning_rate, seed, progress,
    )  # fmt: skip


def logits_loss(logits_NC, images_NHW, labels_N):
    return optax.softmax_cross_entropy_with_integer_labels(logits_NC, labels_N).mean()


def reconstruction_loss(reconstructions_NHW, images_NHW, labels_N):
    return cross_entropy(images_NHW, reconstructions_NHW).mean()


def train(
    network, loss: Callable, optimizer: Callable, images_NHW, labels_N,
    epochs: int, batch: int, learning_rate: float, seed: int, progress: bool,
) -> dict:  # fmt: skip
    """Parameters after `epochs` shuffles of the images."""
    images_NHW = np.asarray(images_NHW, np.float32)
    if images_NHW.ndim != 3 or not len(images_NHW):
        raise InputError(f"images have the shape {images_NHW.shape}; give some as [N, H, W]")
    if not (epochs >= 1 and batch >= 1 and learning_rate > 0):
        raise InputError(
            f"epochs = {epochs}, batch = {batch}, learning_rate = {learning_rate}; use at least 1, "
            "1, and above 0"
        )
    total = len(images_NHW)
    batch = min(batch, total)
    params = initial_params(network, seed, images_NHW.shape[1:])
    state = optimizer(learning_rate).init(params)
    order = np.random.default_rng(seed)
    what = f"training, {type(network).__name__.lower()}"
    bar = tqdm(total=epochs * (total // batch) * batch, desc=what, unit=" images",
               disable=not progress)  # fmt: skip
    with bar:
        for _ in range(epochs):
            shuffled = order.permutation(total)
            for start in range(0, total - batch + 1, batch):
                rows = np.sort(shuffled[start : start + batch])
                params, state, value = step(
                    network, loss, optimizer, learning_rate, params, state,
                    images_NHW[rows], labels_N[rows],
                )  # fmt: skip
                bar.update(batch)
            bar.set_postfix(loss=f"{float(value):.4f}")
            if not np.isfinite(value):
                raise InputError(
                    f"{what} diverged (its loss is {float(value)}); use a smaller learning_rate"
                )
    return params


@functools.partial(jax.jit, static_argnames=("network", "loss", "optimizer", "learning_rate"))
def step(network, loss, optimizer, learning_rate, params, state, images_NHW, labels_N):
    """One batch: parameters, optimizer's state and the loss before it."""

    def loss_of(params):
        return loss(network.apply({"params": params}, images_NHW), images_NHW, labels_N)

    value, gradients = jax.value_and_grad(loss_of)(params)
    with jax.numpy_dtype_promotion("standard"):  # optax takes powers by its count of steps
        updates, state = optimizer(learning_rate).update(gradients, state, params)
    return optax.apply_updates(params, updates), state, value


def accuracy(network, params: dict, images_NHW, labels_N) -> float:
    """The share of images whose largest logit is their label's."""
    predicted_N = outputs(network, params, images_NHW).argmax(axis=1)
    return float((predicted_N == np.asarray(labels_N)).mean())
