"""Attacks that follow the gradient of a classifier's logits, batched and compiled.

`logits_fn` maps pixels [N, H, W] to logits [N, classes], each image by itself. Defaults are those
of the Adversarial Robustness Toolbox (ART), against which the attacks are tested.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from personascan.sources.images.attacked import (
    DEFAULTS,
    Attacked,
    AttackOptions,
    attack_batches,
    check_attack_inputs,
    clip_pixels,
    judge_success,
    refuse_below,
)

BATCH = 100  # images that are attacked at once
TINY = np.float32(1e-7)  # keeps DeepFool's division from zero, as in ART
STEPS = 5  # of deepfool, after which images that are done are left out


def fgsm(
    logits_fn: Callable, pixels_NHW, labels_N, *, eps: float = 0.01,
    options: AttackOptions = DEFAULTS,
) -> Attacked:  # fmt: skip
    """Takes one step of `eps` along the sign of the cross-entropy's gradient (L-inf).

    Fast gradient sign method: Goodfellow et al., ICLR 2015, section 4.

    Args:
      logits_fn: pixels [N, H, W] -> logits [N, classes].
      pixels_NHW, labels_N: images in [0, 1] and their true classes; images that the classifier gets
        wrong are never successes.
      options: clipping, rounding and batches; 100 images at once by default.

    Raises:
      InputError: invalid images, labels or options.
    """
    refuse_below(0, eps=eps)
    return bim(
        logits_fn, pixels_NHW, labels_N, eps=eps, step=eps, iterations=1, options=options
    )  # fmt: skip


def bim(
    logits_fn: Callable, pixels_NHW, labels_N, *, eps: float = 0.01, step: float = 0.002,
    iterations: int = 100, target=None, options: AttackOptions = DEFAULTS,
) -> Attacked:  # fmt: skip
    """Takes steps of `step` along the gradient's sign, each projected onto the L-inf ball.

    Basic iterative method: Kurakin et al., ICLR 2017 workshop, section 2.2 (2.3 with a target).

    Args:
      eps: the ball's radius about each image.
      target: a class, or one an image [N], to be predicted instead; None: any but the label.
      others: as in `fgsm`.

    Raises:
      InputError: invalid images, labels, targets or options.
    """
    refuse_below(0, eps=eps, step=step)
    refuse_below(1, iterations=iterations)
    pixels_NHW, labels_N, target_N = check_attack_inputs(pixels_NHW, labels_N, target)
    attack = functools.partial(
        signed_steps, logits_fn, np.float32(eps),
        np.float32(step if target is None else -step), iterations, options.clip,
    )  # fmt: skip
    classes_N, batch = labels_N if target_N is None else target_N, options.batch or BATCH
    attacked_NHW = attack_batches(attack, pixels_NHW, classes_N, batch=batch)
    return judge_success(
        logits_fn, pixels_NHW, attacked_NHW, labels_N, target_N, options.rounding, batch
    )


@functools.partial(jax.jit, static_argnames=("logits_fn", "iterations", "clip"))
def signed_steps(logits_fn, eps, step, iterations, clip, pixels_NHW, classes_N):
    """Climbs the cross-entropy of `classes_N`, or descends it if `step` is negative."""

    def loss(moved_NHW):
        logits_NC = logits_fn(moved_NHW)
        return optax.softmax_cross_entropy_with_integer_labels(logits_NC, classes_N).sum()

    def step_once(_, moved_NHW):
        moved_NHW = clip_pixels(moved_NHW + step * jnp.sign(jax.grad(loss)(moved_NHW)), clip)
        return pixels_NHW + jnp.clip(moved_NHW - pixels_NHW, -eps, eps)

    return jax.lax.fori_loop(0, iterations, step_once, pixels_NHW)


def deepfool(
    logits_fn: Callable, pixels_NHW, labels_N, *, iterations: int = 100, overshoot: float = 1e-6,
    nearest: int = 10, options: AttackOptions = DEFAULTS,
) -> Attacked:  # fmt: skip
    """Steps to the nearest of the linearised boundaries until the prediction changes (L2).

    DeepFool: Moosavi-Dezfooli et al., CVPR 2016, algorithm 2.

    Args:
      iterations: the most steps of an image; few images need many.
      overshoot: the share by which the whole path is lengthened at the end.
      nearest: the number of classes, those of the largest logits at the start, whose boundaries are
        tried.
      others: as in `fgsm`.

    Raises:
      InputError: invalid images, labels or options.
    """
    refuse_below(1, iterations=iterations)
    refuse_below(2, nearest=nearest)
    batch = options.batch or BATCH
    pixels_NHW, labels_N, _ = check_attack_inputs(pixels_NHW, labels_N)
    moved_NHW = pixels_NHW.copy()
    left, done = np.arange(len(pixels_NHW)), 0
    while left.size and done < iterations:
        count = min(STEPS, iterations - done)
        # Sizes that halve: few shapes are compiled, and few rows are filled up.
        size = min(batch, 1 << (left.size - 1).bit_length())
        still_N = np.empty(left.size, bool)
        for first in range(0, left.size, size):
            rows = np.resize(left[first : first + size], size)
            own = slice(first, min(first + size, left.size))
            moved_BHW, still_B = linear_steps(
                logits_fn, nearest, options.clip, count, pixels_NHW[rows], moved_NHW[rows]
            )
            moved_NHW[left[own]] = moved_BHW[: own.stop - first]
            still_N[own] = still_B[: own.stop - first]
        left, done = left[still_N], done + count
    path_NHW = np.float32(1 + overshoot) * (moved_NHW - pixels_NHW)
    attacked_NHW = np.asarray(clip_pixels(pixels_NHW + path_NHW, options.clip))
    return judge_success(
        logits_fn, pixels_NHW, attacked_NHW, labels_N, None, options.rounding, batch
    )


@functools.partial(jax.jit, static_argnames=("logits_fn", "nearest", "clip"))
def linear_steps(logits_fn, nearest, clip, count, pixels_NHW, moved_NHW):
    """Moves images by up to `count` steps; also returns whether their first class still wins."""
    logits_NC = logits_fn(pixels_NHW)
    _, classes_NK = jax.lax.top_k(logits_NC, min(nearest, logits_NC.shape[1]))

    def at(moved_NHW):
        """Returns whether the first class wins, and the others' logits and gradients less its."""
        logits_NC, pull = jax.vjp(logits_fn, moved_NHW)

        def gradient(classes_N):
            return pull(jax.nn.one_hot(classes_N, logits_NC.shape[1], dtype=logits_NC.dtype))[0]

        gradients_KNHW = jax.lax.map(gradient, classes_NK.T)
        chosen_NK = jnp.take_along_axis(logits_NC, classes_NK, axis=1)
        still_N = logits_NC.argmax(axis=1) == classes_NK[:, 0]
        return (
            still_N,
            (chosen_NK - chosen_NK[:, :1])[:, 1:],
            (gradients_KNHW - gradients_KNHW[:1])[1:],
        )

    def step_once(state):
        number, moved_NHW, (still_N, logits_NK, gradients_KNHW) = state
        norms_NK = jnp.sqrt((gradients_KNHW**2).sum(axis=(2, 3))).T
        k_N = (jnp.abs(logits_NK) / (norms_NK + TINY)).argmin(axis=1)
        rows = jnp.arange(len(k_N))
        length_N = jnp.abs(logits_NK[rows, k_N]) / (norms_NK[rows, k_N] ** 2 + TINY)
        shift_NHW = length_N[:, None, None] * gradients_KNHW[k_N, rows]
        shifted_NHW = clip_pixels(moved_NHW + shift_NHW, clip)
        moved_NHW = jnp.where(still_N[:, None, None], shifted_NHW, moved_NHW)
        return number + 1, moved_NHW, at(moved_NHW)

    def goes_on(state):
        number, _, (still_N, *_) = state
        return (number < count) & still_N.any()

    _, moved_NHW, (still_N, *_) = jax.lax.while_loop(
        goes_on, step_once, (0, moved_NHW, at(moved_NHW))
    )
    return moved_NHW, still_N
