"""Training of the image networks with optax.

A seed and a machine give the same parameters bit for bit on CPU.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
import optax
from tqdm import tqdm

from personascan.errors import InputError
from personascan.models.autoencoder import Autoencoder, cross_entropy
from personascan.models.image import Classifier, initial_params, outputs


@dataclass(frozen=True)
class TrainingOptions:
    """How a network is trained."""

    epochs: int
    batch: int
    learning_rate: float
    seed: int
    progress: bool  # shows a bar with images/s on standard error

    def check(self) -> None:
        """Raises InputError for an option out of range."""
        if not (self.epochs >= 1 and self.batch >= 1 and self.learning_rate > 0):
            raise InputError(
                f"epochs = {self.epochs}, batch = {self.batch}, learning_rate = "
                f"{self.learning_rate}; use at least 1, 1, and above 0"
            )


def train_classifier(
    images_NHW, labels_N, *, epochs: int, batch: int = 128, learning_rate: float = 1e-3,
    seed: int = 0, classes: int = 10, progress: bool = True,
) -> dict:  # fmt: skip
    """Returns the parameters of `Classifier(classes)`, by Adam on the cross-entropy of its logits.

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
    options = TrainingOptions(epochs, batch, learning_rate, seed, progress)
    return train(Classifier(classes), logits_loss, images_NHW, labels_N, options)


def train_autoencoder(
    images_NHW, *, epochs: int, batch: int = 128, learning_rate: float = 3e-3, seed: int = 0,
    progress: bool = True,
) -> dict:  # fmt: skip
    """Returns the parameters of `Autoencoder`, by Adam on the cross-entropy of its pixels.

    The published method is Adadelta at a rate of 1; after two epochs of Fashion-MNIST its error on
    test images was .319, Adam's .298. Options and errors are those of `train_classifier`; images
    whose sides are not divisible by 4 are refused too.
    """
    unlabelled_N = np.zeros(len(images_NHW), np.int32)
    options = TrainingOptions(epochs, batch, learning_rate, seed, progress)
    return train(Autoencoder(), reconstruction_loss, images_NHW, unlabelled_N, options)


def logits_loss(logits_NC, images_NHW, labels_N):
    return optax.softmax_cross_entropy_with_integer_labels(logits_NC, labels_N).mean()


def reconstruction_loss(reconstructions_NHW, images_NHW, labels_N):
    return cross_entropy(images_NHW, reconstructions_NHW).mean()


def train(network, loss: Callable, images_NHW, labels_N, options: TrainingOptions) -> dict:
    """Returns the parameters after `epochs` shuffles of the images."""
    images_NHW = np.asarray(images_NHW, np.float32)
    if images_NHW.ndim != 3 or not len(images_NHW):
        raise InputError(f"images have the shape {images_NHW.shape}; give some as [N, H, W]")
    options.check()
    total = len(images_NHW)
    batch = min(options.batch, total)
    params = initial_params(network, options.seed, images_NHW.shape[1:])
    state = optax.adam(options.learning_rate).init(params)
    order = np.random.default_rng(options.seed)
    what = f"training, {type(network).__name__.lower()}"
    bar = tqdm(total=options.epochs * (total // batch) * batch, desc=what, unit=" images",
               disable=not options.progress)  # fmt: skip
    with bar:
        for _ in range(options.epochs):
            shuffled = order.permutation(total)
            for start in range(0, total - batch + 1, batch):
                rows = np.sort(shuffled[start : start + batch])
                params, state, value = step(
                    network, loss, options.learning_rate, params, state,
                    images_NHW[rows], labels_N[rows],
                )  # fmt: skip
                bar.update(batch)
            bar.set_postfix(loss=f"{float(value):.4f}")
            if not np.isfinite(value):
                raise InputError(
                    f"{what} diverged (its loss is {float(value)}); use a smaller learning_rate"
                )
    return params


@functools.partial(jax.jit, static_argnames=("network", "loss", "learning_rate"))
def step(network, loss, learning_rate, params, state, images_NHW, labels_N):
    """Takes one step of Adam: returns the parameters, its state, and the loss before the step."""

    def loss_of(params):
        return loss(network.apply({"params": params}, images_NHW), images_NHW, labels_N)

    value, gradients = jax.value_and_grad(loss_of)(params)
    with jax.numpy_dtype_promotion("standard"):  # optax takes powers by its count of steps
        updates, state = optax.adam(learning_rate).update(gradients, state, params)
    return optax.apply_updates(params, updates), state, value


def accuracy(network, params: dict, images_NHW, labels_N) -> float:
    """Returns the share of images whose largest logit is their label's."""
    predicted_N = outputs(network, params, images_NHW).argmax(axis=1)
    return float((predicted_N == np.asarray(labels_N)).mean())
