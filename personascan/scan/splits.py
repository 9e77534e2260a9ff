"""How a pool of rows is dealt into background, clean and positive rows of each run."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.reading import real_array


@dataclass(frozen=True)
class SplitPlan:
    """Sizes of the samples of a run. Background and clean come from H0, positives from H1."""

    background: int
    clean: int
    positive: int
    runs: int = 100
    redraw: bool = True  # a new background each run; one shared by all runs looks stable by itself


def draw_splits(
    positive_N, plan: SplitPlan, seed: int, clusters_N=None
) -> tuple[np.ndarray, np.ndarray]:
    """The background and evaluation rows of every run, as two bool masks [R, N].

    Args:
      positive_N: bool, True where a pool row belongs to H1.
      plan: sample sizes; background and clean rows of a run are disjoint.
      seed: each run draws from its own key.
      clusters_N: whole numbers; rows of one cluster are never both background and scanned. None:
        every row is its own.

    Raises:
      InputError: a pool too small for its samples, or a sample as large as its pool, which every
        run would draw alike.
    """
    check_seed(seed)
    positive_N = check_labels(positive_N)
    check_sizes(int((~positive_N).sum()), int(positive_N.sum()), plan, largest(clusters_N))
    labels_RN = np.broadcast_to(positive_N, (plan.runs, positive_N.size))
    return split_masks(labels_RN, run_keys(jax.random.key(seed), plan.runs), plan, clusters_N)


def largest(clusters_N) -> int:
    """Rows of the largest cluster."""
    return 1 if clusters_N is None else int(np.bincount(clusters_N).max())


def run_keys(key, runs: int):
    """One key for each run."""
    return fold_each(key, jnp.arange(runs))


@jax.jit
def fold_each(key, number_R):
    return jax.vmap(partial(jax.random.fold_in, key))(number_R)


def split_masks(labels_RN, keys_R, plan: SplitPlan, clusters_N=None):
    """Background and evaluation masks of runs that each have their own labels and key.

    Without redrawing, every `plan.runs` runs share the background of their first.
    """
    numbers_N = None if clusters_N is None else jnp.asarray(clusters_N, jnp.int32)
    rank_RN = np.asarray(deal(jnp.asarray(labels_RN), keys_R, numbers_N))
    h0_RN = ~labels_RN
    background_RN = h0_RN & (rank_RN < plan.background)
    clean_RN = h0_RN & ~background_RN & (rank_RN < plan.background + plan.clean)
    if not plan.redraw:
        background_RN = np.repeat(background_RN[:: plan.runs], plan.runs, axis=0)
    if not plan.redraw or clusters_N is not None:
        taken_RN = background_RN
        if clusters_N is not None:
            taken_RN = with_clusters(background_RN, np.asarray(clusters_N))
        rest_RN = np.where(h0_RN & ~taken_RN, rank_RN, labels_RN.shape[1])
        clean_RN = rest_RN.argsort(1).argsort(1) < plan.clean
    chosen_RN = labels_RN & (rank_RN - h0_RN.sum(1, keepdims=True) < plan.positive)
    return background_RN, clean_RN | chosen_RN


def with_clusters(chosen_RN, clusters_N) -> np.ndarray:
    """The chosen rows and all others of their clusters."""
    found_RN = np.zeros_like(chosen_RN)
    for run, chosen_N in enumerate(chosen_RN):
        found_RN[run] = np.isin(clusters_N, clusters_N[chosen_N])
    return found_RN


@jax.jit
def deal(labels_RN, keys_R, clusters_N=None):
    """The place of each row in a random order of its run, H0 rows first: [R, N].

    Rows of a cluster stand together: they have the draw of the cluster's number.
    """

    def one(labels_N, key):
        draw_N = jax.random.uniform(key, labels_N.shape)
        draw_N = draw_N if clusters_N is None else draw_N[clusters_N]
        order_N = jnp.argsort(jnp.where(labels_N, draw_N + 1, draw_N))
        place_N = jnp.arange(labels_N.size)
        return jnp.zeros(labels_N.size, jnp.int32).at[order_N].set(place_N)

    return jax.lax.map(lambda run: one(*run), (labels_RN, keys_R), batch_size=256)


def check_labels(positive_N) -> np.ndarray:
    """H1 labels as bool [N], or an InputError."""
    labels_N = real_array("positive_N", positive_N)
    if labels_N.ndim != 1 or labels_N.dtype.kind not in "bui" or (labels_N > 1).any():
        raise InputError(
            f"positive_N needs one bool for each row, got {labels_N.dtype} {labels_N.shape}"
        )
    return labels_N.astype(bool)


def check_seed(seed) -> None:
    """Seeds outside 32 bits would repeat others."""
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise InputError(f"seed = {seed!r}; use a whole number from 0 to 2**32 - 1")


def check_sizes(h0_size: int, h1_size: int, plan: SplitPlan, cluster: int = 1) -> None:
    """Refuse samples that the pools cannot give, with clusters of up to so many rows."""
    for name in ("background", "clean", "positive", "runs"):
        if not isinstance(getattr(plan, name), int | np.integer):
            raise InputError(f"{name} must be a whole number, got {getattr(plan, name)!r}")
    if min(plan.background, plan.clean, plan.positive, plan.runs) < 1:
        raise InputError("background, clean, positive and runs must each be at least 1")
    if plan.background + plan.clean + cluster - 1 > h0_size:
        kept = f" (up to {cluster} of them stay together)" if cluster > 1 else ""
        raise InputError(
            f"the {h0_size} H0 rows{kept} cannot give {plan.background} background and "
            f"{plan.clean} clean ones; lower them or add rows"
        )
    if plan.background == h0_size - plan.clean and not plan.redraw:
        raise InputError(
            f"with one background for all runs, all {plan.clean} remaining H0 rows would be "
            "drawn in every run; lower clean or background"
        )
    if plan.positive >= h1_size:
        raise InputError(
            f"a sample of {plan.positive} of {h1_size} H1 rows is the same in every run or does "
            "not exist; lower positive or add rows"
        )
