"""The parts that all attacks share: options, batches, the range of a pixel, and success."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.models.image import padded_batches


@dataclass(frozen=True)
class AttackOptions:
    """The options that every attack has."""

    clip: bool = True  # keep pixels in [0, 1]
    rounding: bool = False  # round to 8 bits before success is judged
    batch: int = 0  # images at once; 0: the attack's default

    def __post_init__(self) -> None:
        if self.batch < 0:
            raise InputError(f"batch = {self.batch}; use at least 1, or 0 for the default")


DEFAULTS = AttackOptions()


class Attacked(NamedTuple):
    """Images after an attack, all of them, and which of the attacks succeeded."""

    pixels_NHW: np.ndarray  # float32
    success_N: np.ndarray  # bool


def round_to_8_bits(pixels_NHW) -> np.ndarray:
    """Rounds images to 8 bits, as a file would hold them: float32 in [0, 1]."""
    levels_NHW = np.clip(np.rint(np.asarray(pixels_NHW) * 255), 0, 255)
    return levels_NHW.astype(np.float32) / np.float32(255)


def attack_batches(attack: Callable, pixels_NHW, *rows_N, batch: int) -> np.ndarray:
    """Calls `attack(pixels, *rows)` on each batch and joins the results; pads the last batch."""
    batches = []
    for rows, padded_NHW in padded_batches(pixels_NHW, batch):
        missing = len(padded_NHW) - (rows.stop - rows.start)
        padded = [np.pad(values_N[rows], (0, missing), mode="edge") for values_N in rows_N]
        attacked_NHW = attack(padded_NHW, *padded)
        batches.append(np.asarray(attacked_NHW)[: rows.stop - rows.start])
    return np.concatenate(batches)


def judge_success(
    logits_fn: Callable, pixels_NHW, attacked_NHW, labels_N, target_N, rounding: bool, batch: int
) -> Attacked:
    """Returns the attacked images, rounded if asked, and whether each attack succeeded.

    An attack succeeds if it changes the prediction (to the target, if there is one). It does not
    count where the classifier is wrong before it, or where the target is the label.
    """
    if rounding:
        attacked_NHW = round_to_8_bits(attacked_NHW)
    before_N = predictions(logits_fn, pixels_NHW, batch)
    after_N = predictions(logits_fn, attacked_NHW, batch)
    fooled_N = after_N != before_N if target_N is None else after_N == target_N
    attackable_N = before_N == labels_N
    if target_N is not None:
        attackable_N &= labels_N != target_N
    return Attacked(attacked_NHW, fooled_N & attackable_N)


def predictions(logits_fn: Callable, pixels_NHW, batch: int) -> np.ndarray:
    """Returns the class of the largest logit of each image: [N]."""
    return attack_batches(functools.partial(predict_batch, logits_fn), pixels_NHW, batch=batch)


@functools.partial(jax.jit, static_argnames="logits_fn")
def predict_batch(logits_fn, pixels_NHW):
    return logits_fn(pixels_NHW).argmax(axis=1)


def clip_pixels(pixels, clip: bool):
    return jnp.clip(pixels, 0.0, 1.0) if clip else pixels


def check_attack_inputs(pixels_NHW, labels_N, target=None):
    """Returns (images float32, labels, targets or None), one of each for every image.

    Raises InputError for images of another shape, and for labels or targets of another number.
    """
    pixels_NHW = np.asarray(pixels_NHW, np.float32)
    if pixels_NHW.ndim != 3 or not len(pixels_NHW):
        raise InputError(f"images have the shape {pixels_NHW.shape}; give some as [N, H, W]")
    total = len(pixels_NHW)
    labels_N = np.asarray(labels_N, np.int32)
    if labels_N.shape != (total,):
        raise InputError(f"{total} images have labels of shape {labels_N.shape}; give one each")
    if target is None:
        return pixels_NHW, labels_N, None
    target_N = np.asarray(target, np.int32)
    if target_N.shape not in ((), (total,)):
        raise InputError(f"target has the shape {target_N.shape}; give one class, or one an image")
    return pixels_NHW, labels_N, np.broadcast_to(target_N, (total,))


def refuse_below(least: float, **options) -> None:
    """Raises InputError for an option below `least`, or where that is 0, not above it."""
    for name, value in options.items():
        if not (value >= least if least else value > 0):
            raise InputError(f"{name} = {value}; use {f'at least {least}' if least else 'above 0'}")
