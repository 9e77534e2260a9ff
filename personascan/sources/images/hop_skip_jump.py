"""HopSkipJump: an attack that uses a classifier's predictions alone, batched and compiled.

Chen, Jordan, Wainwright: HopSkipJumpAttack, IEEE S&P 2020, algorithm 2 for L2, with the choices of
the authors' code that the Adversarial Robustness Toolbox (ART) has kept.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

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

BATCH = 20  # images that are attacked at once
QUERIES = 50  # neighbours of each image whose predictions are queried at once
HALVINGS = 60  # of a step; no step is taken if it is still too long then


def hop_skip_jump(
    logits_fn: Callable, pixels_NHW, labels_N, *, iterations: int = 20, evaluations: int = 100,
    trials: int = 100, seed: int = 0, options: AttackOptions = DEFAULTS,
) -> Attacked:  # fmt: skip
    """Walks from noise of another class along the boundary towards each image (L2).

    Each iteration goes back to the boundary by bisection, estimates its normal from the predictions
    of `int(evaluations * sqrt(iteration))` neighbours, and steps along it, by at most the distance
    over sqrt(iteration); so the last step leaves the boundary by that much, as in ART. For 28 x 28
    pixels 20 iterations query about 6,500 predictions an image, 50 (ART's default) 24,600.
    The result depends on the seed and an image's number among the images, not on the batch.

    Args:
      logits_fn: pixels [N, H, W] -> logits [N, classes]; only which is largest is used.
      pixels_NHW, labels_N: images in [0, 1] and their true classes; images that the classifier gets
        wrong are never successes.
      trials: uniform noise images that are tried for a start; without one an image stays as it is.
      options: clipping (of the neighbours too), rounding and batches; 20 images at once by default.

    Raises:
      InputError: invalid images, labels or options.
    """
    refuse_below(1, iterations=iterations, evaluations=evaluations, trials=trials)
    pixels_NHW, labels_N, _ = check_attack_inputs(pixels_NHW, labels_N)
    attack = functools.partial(
        hop_batch, logits_fn, iterations, evaluations, trials, options.clip, jax.random.key(seed)
    )
    numbers_N, batch = np.arange(len(pixels_NHW), dtype=np.int32), options.batch or BATCH
    attacked_NHW = attack_batches(attack, pixels_NHW, numbers_N, batch=batch)
    return judge_success(
        logits_fn, pixels_NHW, attacked_NHW, labels_N, None, options.rounding, batch
    )


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
        """Returns whether candidates [..., N, H, W] change the prediction: [..., N]."""
        shape = candidates.shape[:-2]
        logits = logits_fn(clip_pixels(candidates, clip).reshape(-1, *image_shape))
        return logits.argmax(axis=1).reshape(shape) != jnp.broadcast_to(before_N, shape)

    def normals(number):
        """Draws noise for each image: [QUERIES, N, H, W]; every number gives other noise."""

        def draw(key):
            key = jax.random.fold_in(key, number + trials)
            return jax.random.normal(key, (QUERIES, *image_shape))

        return jax.vmap(draw, out_axes=1)(keys_N)

    start_NHW, started_N = first_misclassified(fooled, keys_N, pixels_NHW, trials)
    most = -(-int(counts_I[-1]) // QUERIES)

    def hop(iteration, moved_NHW):
        # 0.01 of the distance before the bisection; the first distance says little.
        radius_N = jnp.where(iteration == 0, 0.1, 0.01 * distance(pixels_NHW, moved_NHW))
        moved_NHW = bisect_boundary(fooled, pixels_NHW, moved_NHW, theta)
        normal_NHW = estimate_normal(
            fooled, lambda chunk: normals(iteration * most + chunk), moved_NHW, radius_N,
            jnp.asarray(counts_I)[iteration], clip,
        )  # fmt: skip
        longest_N = distance(pixels_NHW, moved_NHW) / jnp.asarray(roots_I, jnp.float32)[iteration]
        return step_outward(fooled, moved_NHW, normal_NHW, longest_N, ~started_N, clip)

    moved_NHW = bisect_boundary(fooled, pixels_NHW, start_NHW, 0.001)
    moved_NHW = jax.lax.fori_loop(0, iterations, hop, moved_NHW)
    return jnp.where(across(started_N), moved_NHW, pixels_NHW)


def across(values_N):
    """Broadcasts one value an image to its pixels."""
    return values_N[..., None, None]


def distance(a_NHW, b_NHW):
    """Returns the L2 distance of each pair of images: [N]."""
    return jnp.sqrt(((a_NHW - b_NHW) ** 2).sum(axis=(1, 2)))


def first_misclassified(fooled: Callable, keys_N, pixels_NHW, trials: int):
    """Returns the first uniform noise of another class, or the image; and whether one was drawn."""

    def draw(state):
        number, start_NHW, started_N = state
        noise_NHW = jax.vmap(
            lambda key: jax.random.uniform(jax.random.fold_in(key, number), pixels_NHW.shape[1:])
        )(keys_N)
        new_N = fooled(noise_NHW) & ~started_N
        return number + 1, jnp.where(across(new_N), noise_NHW, start_NHW), started_N | new_N

    def goes_on(state):
        number, _, started_N = state
        return (number < trials) & ~started_N.all()

    none_N = jnp.zeros(len(pixels_NHW), bool)
    return jax.lax.while_loop(goes_on, draw, (0, pixels_NHW, none_N))[1:]


def bisect_boundary(fooled: Callable, pixels_NHW, moved_NHW, precision: float):
    """Returns the nearest fooling point on the line to each image, to a share of its length."""

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


def estimate_normal(fooled: Callable, normals: Callable, moved_NHW, radius_N, count, clip: bool):
    """Estimates the boundary's unit normal, towards the fooling side, as Chen et al. do.

    It takes `count` neighbours at `radius_N`, a few at a time, and sums their directions, their
    signs (1: fooled, -1), and the products of the two.
    """

    def ask(chunk, sums):
        noise = normals(chunk)
        noise = noise / across(jnp.sqrt((noise**2).sum(axis=(2, 3))))
        neighbours = clip_pixels(moved_NHW[None] + across(radius_N[None]) * noise, clip)
        directions = (neighbours - moved_NHW[None]) / across(radius_N[None])
        weights_C = (chunk * QUERIES + jnp.arange(QUERIES) < count).astype(jnp.float32)
        signs_CN = jnp.where(fooled(neighbours), 1.0, -1.0) * weights_C[:, None]
        added = (
            signs_CN.sum(axis=0),
            jnp.einsum("c,cnhw->nhw", weights_C, directions, precision="highest"),
            jnp.einsum("cn,cnhw->nhw", signs_CN, directions, precision="highest"),
        )
        return jax.tree.map(jnp.add, sums, added)

    zeros_NHW = jnp.zeros_like(moved_NHW)
    sums = (jnp.zeros_like(radius_N), zeros_NHW, zeros_NHW)
    signs_N, directions_NHW, products_NHW = jax.lax.fori_loop(0, -(-count // QUERIES), ask, sums)
    mean_N = signs_N / count.astype(jnp.float32)
    # Subtracting the mean sign lowers the variance, but not where all signs are equal.
    centred_NHW = products_NHW - across(mean_N) * directions_NHW
    gradient_NHW = jnp.where(across(jnp.abs(mean_N) == 1), products_NHW, centred_NHW)
    return gradient_NHW / across(distance(gradient_NHW, zeros_NHW))


def step_outward(fooled: Callable, moved_NHW, normal_NHW, length_N, still_N, clip: bool):
    """Steps along the normal, halving until it fools; no step if it never does, or in `still_N`."""

    def after(length_N):
        return clip_pixels(moved_NHW + across(length_N) * normal_NHW, clip)

    def halve(state):
        number, length_N, done_N = state
        done_N = done_N | fooled(after(length_N))
        return number + 1, jnp.where(done_N, length_N, length_N / 2), done_N

    def goes_on(state):
        number, _, done_N = state
        return (number < HALVINGS) & ~done_N.all()

    _, length_N, done_N = jax.lax.while_loop(goes_on, halve, (0, length_N, still_N))
    return jnp.where(across(done_N & ~still_N), after(length_N), moved_NHW)
