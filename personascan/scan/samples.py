"""Samples: the background, negative and positive rows that each run draws from a pool."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.reading import real_array
from personascan.row_labels import RowLabels, clusters_by_rows, sides_of


class SampleSizeError(InputError):
    """Samples are larger than the rows can give."""


@dataclass(frozen=True)
class SampleOptions:
    """Sizes of the samples of a run: background and `clean` rows of H0, positive rows of H1."""

    background: int
    clean: int  # negative rows that are scanned; configurations and units spell it so
    positive: int
    runs: int = 100
    redraw: bool = True  # a new background each run; one for all makes results look stable


def draw_samples(
    positive_N: RowLabels,
    samples: SampleOptions,
    seed: int,
    clusters_N: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws the background and evaluation rows of every run: two bool masks [R, N].

    Args:
      positive_N: bool, True where a pool row belongs to H1; or the rows, such as statements,
        whose entities are then the clusters.
      samples: sizes of the samples; background and negative rows of a run are disjoint.
      seed: seed of the draws; each run has its own key.
      clusters_N: whole numbers; rows of one cluster are never both background and scanned. None:
        every row is its own.

    Raises:
      InputError: a pool too small for its samples, or a sample as large as its pool, which would be
        the same in every run.
    """
    check_seed(seed)
    clusters_N = clusters_by_rows(positive_N, clusters_N)
    positive_N = check_labels(positive_N)
    check_sizes(
        int((~positive_N).sum()), int(positive_N.sum()), samples, largest_cluster(clusters_N)
    )
    labels_RN = np.broadcast_to(positive_N, (samples.runs, positive_N.size))
    return sample_masks(
        labels_RN, run_keys(jax.random.key(seed), samples.runs), samples, clusters_N
    )


def largest_cluster(clusters_N) -> int:
    """Returns the number of rows of the largest cluster; 1 without clusters."""
    return 1 if clusters_N is None else int(np.bincount(clusters_N).max())


def run_keys(key, runs: int):
    """Returns one key for each run."""
    return fold_each(key, jnp.arange(runs))


@jax.jit
def fold_each(key, number_R):
    return jax.vmap(partial(jax.random.fold_in, key))(number_R)


def sample_masks(labels_RN, keys_R, samples: SampleOptions, clusters_N=None):
    """Draws background and evaluation masks of runs that each have their own labels and key.

    Without redrawing, every `samples.runs` runs share the background of their first.
    """
    if clusters_N is not None:
        return cluster_masks(np.asarray(labels_RN), keys_R, samples, clusters_N)
    turn_RN = np.asarray(deal(jnp.asarray(labels_RN), keys_R))
    h0_RN = ~labels_RN
    background_RN = h0_RN & (turn_RN < samples.background)
    negative_RN = h0_RN & ~background_RN & (turn_RN < samples.background + samples.clean)
    if not samples.redraw:
        background_RN = share_first(background_RN, samples)
        rest_RN = np.where(h0_RN & ~background_RN, turn_RN, labels_RN.shape[1])
        negative_RN = rest_RN.argsort(1).argsort(1) < samples.clean
    chosen_RN = labels_RN & (turn_RN - h0_RN.sum(1, keepdims=True) < samples.positive)
    return background_RN, negative_RN | chosen_RN


def cluster_masks(
    labels_RN, keys_R, samples: SampleOptions, clusters_N
) -> tuple[np.ndarray, np.ndarray]:
    """Draws masks in which no cluster has both background rows and scanned rows.

    The clusters of H0 are dealt out in a random order, first to the background. Its share of their
    rows comes as near as possible to its share of background and negative rows together. Rows are
    then drawn one by one, so that a sample is spread over many clusters.
    """
    _, first, own_N, sizes_C = np.unique(
        clusters_N, return_index=True, return_inverse=True, return_counts=True
    )
    draw_RN, draw_RC = map(np.asarray, cluster_draws(keys_R, own_N.size, sizes_C.size))
    h0_RC = ~labels_RN[:, first]
    order_RC = np.where(h0_RC, draw_RC, 1 + draw_RC).argsort(1)
    rows_RC = np.take_along_axis(h0_RC * sizes_C, order_RC, 1).cumsum(1)
    all_R1 = rows_RC[:, -1:]
    share = samples.background / (samples.background + samples.clean)
    enough_RC = (rows_RC >= samples.background) & (all_R1 - rows_RC >= samples.clean)
    last_R1 = np.where(enough_RC, np.abs(rows_RC - share * all_R1), np.inf).argmin(1)[:, None]
    dealt_RC = np.zeros_like(h0_RC)
    np.put_along_axis(dealt_RC, order_RC, np.arange(sizes_C.size) <= last_R1, 1)
    dealt_RN = dealt_RC[:, own_N]
    if not samples.redraw:
        dealt_RN = share_first(dealt_RN, samples)
    background_RN = lowest(draw_RN, dealt_RN, samples.background)
    if not samples.redraw:
        background_RN = share_first(background_RN, samples)
    negative_RN = lowest(draw_RN, ~labels_RN & ~dealt_RN, samples.clean)
    return background_RN, negative_RN | lowest(draw_RN, labels_RN, samples.positive)


def share_first(masks_RN, samples: SampleOptions) -> np.ndarray:
    """Repeats the mask of the first of every `samples.runs` runs for all of them."""
    return np.repeat(masks_RN[:: samples.runs], samples.runs, axis=0)


def lowest(draw_RN, among_RN, count: int) -> np.ndarray:
    """Returns the `count` rows of a mask with the lowest draws in each run: bool [R, N]."""
    chosen_RN = np.zeros(draw_RN.shape, bool)
    order_RN = np.argpartition(np.where(among_RN, draw_RN, 1 + draw_RN), count - 1, axis=1)
    np.put_along_axis(chosen_RN, order_RN[:, :count], True, axis=1)
    return chosen_RN


@jax.jit
def deal(labels_RN, keys_R):
    """Returns the index of each row in a random order of its run, H0 rows first: [R, N]."""

    def one(labels_N, key):
        draw_N = jax.random.uniform(key, labels_N.shape)
        order_N = jnp.argsort(jnp.where(labels_N, draw_N + 1, draw_N))
        index_N = jnp.arange(labels_N.size)
        return jnp.zeros(labels_N.size, jnp.int32).at[order_N].set(index_N)

    return jax.lax.map(lambda run: one(*run), (labels_RN, keys_R), batch_size=256)


@partial(jax.jit, static_argnums=(1, 2))
def cluster_draws(keys_R, rows: int, clusters: int):
    """Returns uniform draws of each run: of its rows [R, N] and of its clusters [R, C]."""

    def one(key):
        row_key, cluster_key = jax.random.split(key)
        return jax.random.uniform(row_key, (rows,)), jax.random.uniform(cluster_key, (clusters,))

    return jax.lax.map(one, keys_R, batch_size=256)


def check_labels(positive_N, name: str = "positive_N") -> np.ndarray:
    """Returns H1 labels as bool [N]. Raises InputError, with their name, if they are none."""
    labels_N = real_array(name, sides_of(positive_N))
    known = labels_N.dtype.kind in "bui" and bool(((labels_N == 0) | (labels_N == 1)).all())
    if labels_N.ndim != 1 or not known:
        raise InputError(
            f"{name} needs one label for each row, True or 1 for H1 and False or 0 for H0, got "
            f"{labels_N.dtype} {labels_N.shape}"
        )
    return labels_N.astype(bool)


def check_seed(seed) -> None:
    """Raises InputError for a seed outside 32 bits, which would repeat another."""
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise InputError(f"seed = {seed!r}; use a whole number from 0 to 2**32 - 1")


def least_sides(samples: SampleOptions, cluster: int = 1) -> tuple[int, int]:
    """Returns the fewest rows of H0 and of H1 that `check_sizes` accepts."""
    spare = max(cluster - 1, int(not samples.redraw))
    return samples.background + samples.clean + spare, samples.positive + 1


def check_sizes(h0_size: int, h1_size: int, samples: SampleOptions, cluster: int = 1) -> None:
    """Raises InputError for samples that the pools cannot give, with clusters of so many rows."""
    for name in ("background", "clean", "positive", "runs"):
        if not isinstance(getattr(samples, name), int | np.integer):
            raise InputError(f"{name} must be a whole number, got {getattr(samples, name)!r}")
    if min(samples.background, samples.clean, samples.positive, samples.runs) < 1:
        raise InputError("background, clean, positive and runs must each be at least 1")
    if samples.background + samples.clean + cluster - 1 > h0_size:
        clusters = f" (up to {cluster} of them stay together)" if cluster > 1 else ""
        raise SampleSizeError(
            f"the {h0_size} H0 rows{clusters} cannot give {samples.background} background and "
            f"{samples.clean} clean ones; lower them or add rows"
        )
    if samples.background == h0_size - samples.clean and not samples.redraw:
        raise SampleSizeError(
            f"with one background for all runs, all {samples.clean} remaining H0 rows would be "
            "drawn in every run; lower clean or background"
        )
    if samples.positive >= h1_size:
        raise SampleSizeError(
            f"a sample of {samples.positive} of {h1_size} H1 rows is the same in every run or does "
            "not exist; lower positive or add rows"
        )
