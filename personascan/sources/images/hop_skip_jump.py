"""HopSkipJump: an attack that asks a classifier for its predictions alone, batched and compiled.

Chen, Jordan, Wainwright: HopSkipJumpAttack, IEEE S&P 2020, algorithm 2 for L2, with the choices of
the authors' code that the Adversarial Robustness Toolbox has kept.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from personascan.sources.images.attacked import (
    Attacked,
    attack_batches,
    check_attack_inputs,
    clip_pixels,
    judged,
    refuse_below,
)

BATCH = 20  # images that are attacked at once
ASKED = 50  # neighbours of each of them that are asked for at once
HALVINGS = 60  # of a step; one that is still too long then is none


def hop_skip_jump(
    logits_fn: Callable, pixels_NHW, labels_N, *, iterations: int = 20, evaluations: int = 100,
    trials: int = 100, seed: int = 0, clip: bool = True, rounding: bool = False,
    batch: int = BATCH,
) -> Attacked:  # fmt: skip
    """Walks from noise of another class along the boundary towards each image (L2).

    Each iteration goes back to the boundary by bisection, estimates its normal from the predictions
    of `int(evaluations * sqrt(iteration))` neighbours, and steps along it, by at most the distance
    over sqrt(iteration); so the last step leaves the boundary by that much, as in ART. For 28 x 28
    pixels 20 iterations ask for about 6,500 predictions an image, 50 (ART's default) for 24,600.
    What an image becomes depends on the seed and its place among the images, not on the batch.

    Args:
      logits_fn: pixels [N, H, W] -> logits [N, classes]; only the largest is looked at.
      pixels_NHW, labels_N: images in [0, 1] and their true classes; images that the classifier gets
        wrong are never successes.
      trials: uniform noise images that are tried for a start; without one an image stays as it is.
      clip: keep pixels in [0, 1], those of the neighbours too.
      rounding: round to 8 bits before success is judged.
      batch: images at once.

    Raises:
      InputError: images, labels or options that are not such.
    """
    refuse_below(1, iterations=iterations, evaluations=evaluations, trials=trials, batch=batch)
    pixels_NHW, labels_N, _ = check_attack_inputs(pixels_NHW, labels_N)
    attack = functools.partial(
        hop_batch, logits_fn, iterations, evaluations, trials, clip, jax.random.key(seed)
    )
    numbers_N = np.arange(len(pixels_NHW), dtype=np.int32)
    attacked_NHW = attack_batches(attack, pixels_NHW, numbers_N, batch=batch)
    return judged(logits_fn, pixels_NHW, attacked_NHW, labels_N, None, rounding, batch)


@functools.partial(
    jax.jit, static_argnames=("logits_fn", "iterations", "evaluations", "trials", "clip")
)
def hop_batch(logits_fn, iterations, evaluations, trials, clip, key, pixels_NHW, numbers_N):
    image_shape = pixels_NHW.shape[1:]
    theta = 0.01 / math.sqrt(math.prod(image_shape))  # as in the authors' code
    roots_I = np.sqrt(np.arange(1.0, iterations + 1))
    counts_I = (evaluations * roots_I).astype(np.int32)
    keys_N = jax.vmap(lambda number: jax.random.fold_in(key, number))(numbers_N)
    before_N = logits_fn(pixels_NHW).argmax(axis=1)

    def fooled(candidates):
        """[..., N] of candidates [..., N, H, W]."""
        shape = candidates.shape[:-2]
        logits = logits_fn(clip_pixels(candidates, clip).reshape(-1, *image_shape))
        return logits.argmax(axis=1).reshape(shape) != jnp.broadcast_to(before_N, shape)

    def normals(number):
        """For each image its own noise [ASKED, N, H, W], of a number that is used once."""

        def draw(key):
            key = jax.random.fold_in(key, number + trials)
            return jax.random.normal(key, (ASKED, *image_shape))

        return jax.vmap(draw, out_axes=1)(keys_N)

    start_NHW, found_N = first_misclassified(fooled, keys_N, pixels_NHW, trials)
    most = -(-int(counts_I[-1]) // ASKED)

    def hop(iteration, moved_NHW):
        # 0.01 of the distance before the bisection; the first distance says little.
        radius_N = jnp.where(iteration == 0, 0.1, 0.01 * distance(pixels_NHW, moved_NHW))
        moved_NHW = bisect_boundary(fooled, pixels_NHW, moved_NHW, theta)
        normal_NHW = estimated_normal(
            fooled, lambda chunk: normals(iteration * most + chunk), moved_NHW, radius_N,
            jnp.asarray(counts_I)[iteration], clip,
        )  # fmt: skip
        longest_N = distance(pixels_NHW, moved_NHW) / jnp.asarray(roots_I, jnp.float32)[iteration]
        return step_outward(fooled, moved_NHW, normal_NHW, longest_N, ~found_N, clip)

    moved_NHW = bisect_boundary(fooled, pixels_NHW, start_NHW, 0.001)
    moved_NHW = jax.lax.fori_loop(0, iterations, hop, moved_NHW)
    return jnp.where(across(found_N), moved_NHW, pixels_NHW)


def across(values_N):
    """One value an image, for all of its pixels."""
    return values_N[..., None, None]


def distance(a_NHW, b_NHW):
    """L2 [N]."""
    return jnp.sqrt(((a_NHW - b_NHW) ** 2).sum(axis=(1, 2)))


def first_misclassified(fooled: Callable, keys_N, pixels_NHW, trials: int):
    """(the first uniform noise of another class, or the image itself, and whether there is one)."""

    def draw(state):
        number, start_NHW, found_N = state
        noise_NHW = jax.vmap(
            lambda key: jax.random.uniform(jax.random.fold_in(key, number), pixels_NHW.shape[1:])
        )(keys_N)
        new_N = fooled(noise_NHW) & ~found_N
        return number + 1, jnp.where(across(new_N), noise_NHW, start_NHW), found_N | new_N

    def goes_on(state):
        number, _, found_N = state
        return (number < trials) & ~found_N.all()

    unfound_N = jnp.zeros(len(pixels_NHW), bool)
    return jax.lax.while_loop(goes_on, draw, (0, pixels_NHW, unfound_N))[1:]


def bisect_boundary(fooled: Callable, pixels_NHW, moved_NHW, precision: float):
    """The point nearest to each image on the line to it that fools, to a share of the line."""

    def between(share_N):
        return (1 - across(share_N)) * pixels_NHW + across(share_N) * moved_NHW

    def halve(_, bounds):
        low_N, high_N = bounds
        middle_N = (low_N + high_N) / 2
        fooled_N = fooled(between(middle_N))
        return jnp.where(fooled_N, low_N, middle_N), jnp.where(fooled_N, middle_N, high_N)

    halvings = math.ceil(math.log2(1 / precision))
    zeros_N = jnp.zeros(len(pixels_NHW))
    return between(jax.lax.fori_loop(0, halvings, halve, (zeros_N, zeros_N + 1))[1])


def estimated_normal(fooled: Callable, normals: Callable, moved_NHW, radius_N, count, clip: bool):
    """The boundary's unit normal, towards what fools, as Chen et al. estimate it.

    From `count` neighbours at `radius_N`, a few at a time: summed are their directions, their signs
    (1: fooled, -1), and the products of the two.
    """

    def ask(chunk, sums):
        noise = normals(chunk)
        noise = noise / across(jnp.sqrt((noise**2).sum(axis=(2, 3))))
        neighbours = clip_pixels(moved_NHW[None] + across(radius_N[None]) * noise, clip)
        directions = (neighbours - moved_NHW[None]) / across(radius_N[None])
        weights_C = (chunk * ASKED + jnp.arange(ASKED) < count).astype(jnp.float32)
        signs_CN = jnp.where(fooled(neighbours), 1.0, -1.0) * weights_C[:, None]
        added = (
            signs_CN.sum(axis=0),
            jnp.einsum("c,cnhw->nhw", weights_C, directions, precision="highest"),
            jnp.einsum("cn,cnhw->nhw", signs_CN, directions, precision="highest"),
        )
        return jax.tree.map(jnp.add, sums, added)

    zeros_NHW = jnp.zeros_like(moved_NHW)
    sums = (jnp.zeros_like(radius_N), zeros_NHW, zeros_NHW)
    signs_N, directions_NHW, products_NHW = jax.lax.fori_loop(0, -(-count // ASKED), ask, sums)
    mean_N = signs_N / count.astype(jnp.float32)
    # Less the mean sign, which lowers the variance, unless all signs are one.
    centred_NHW = products_NHW - across(mean_N) * directions_NHW
    gradient_NHW = jnp.where(across(jnp.abs(mean_N) == 1), products_NHW, centred_NHW)
    return gradient_NHW / across(distance(gradient_NHW, zeros_NHW))


def step_outward(fooled: Callable, moved_NHW, normal_NHW, length_N, done_N, clip: bool):
    """A step along the normal, halved until it fools; none where it never does, or `done_N`."""
    still_N = done_N

    def after(length_N):
        return clip_pixels(moved_NHW + across(length_N) * normal_NHW, clip)

    def halve(state):
        number, length_N, done_N = state
        done_N = done_N | fooled(after(length_N))
        return number + 1, jnp.where(done_N, length_N, length_N / 2), done_N

    def goes_on(state):
        number, _, done_N = state
        return (number < HALVINGS) & ~done_N.all()

    _, length_N, done_N = jax.lax.while_loop(goes_on, halve, (0, length_N, done_N))
    return jnp.where(across(done_N & ~still_N), after(length_N), moved_NHW)
