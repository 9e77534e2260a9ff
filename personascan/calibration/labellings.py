"""The labels of a comparison and their permutations, and the splits of every run of each.

They belong to the comparison, never to a place: all places see the same permutations and the same
splits, or the maximum over places would not be one of exchangeable values.
Letters: T permutations (index 0 of T + 1 is the labels themselves), R runs, N rows.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.scan.splits import (
    SplitPlan,
    check_labels,
    check_seed,
    check_sizes,
    fold_each,
    largest,
    run_keys,
    split_masks,
)

RUNS_APART = 2**16  # run numbers of one labelling, so that fewer runs are the first of more


@dataclass(frozen=True)
class Labellings:
    """Labels, permuted labels, and what every run of each is drawn from."""

    labels_TN: np.ndarray  # bool [T + 1, N]; the first are the labels themselves
    plan: SplitPlan
    seed: int
    clusters_N: np.ndarray | None = None  # of rows that are permuted and drawn together

    def masks(self, runs: int) -> tuple[np.ndarray, np.ndarray]:
        """Background and evaluation masks [(T + 1) R, N], the runs of a labelling together."""
        labellings = len(self.labels_TN)
        number_TR = np.arange(labellings)[:, None] * RUNS_APART + np.arange(runs)
        keys = fold_each(keys_of(self.seed)[1], jnp.asarray(number_TR.ravel(), jnp.uint32))
        labels_XN = np.repeat(self.labels_TN, runs, axis=0)
        return split_masks(labels_XN, keys, replace(self.plan, runs=runs), self.clusters_N)


def draw_labellings(
    positive_N, plan: SplitPlan, permutations: int, seed: int, clusters_N=None
) -> Labellings:
    """The labels and T permutations of them.

    With clusters, whose rows have one label each, labels are exchanged between clusters of equally
    many rows: rows that belong together are not exchangeable one by one.

    Raises:
      InputError: labels that are no bools, samples that the rows cannot give, a number of
        permutations or a seed that is none.
    """
    check_seed(seed)
    if isinstance(permutations, bool) or not isinstance(permutations, int | np.integer):
        raise InputError(f"permutations must be a whole number, got {permutations!r}")
    if not 1 <= permutations < RUNS_APART:
        raise InputError(
            f"permutations = {permutations}; a p-value needs at least one, and less than "
            f"{RUNS_APART}"
        )
    positive_N = check_labels(positive_N)
    h1 = int(positive_N.sum())
    check_sizes(positive_N.size - h1, h1, plan, largest(clusters_N))
    keys = run_keys(keys_of(seed)[0], permutations)
    if clusters_N is None:
        shuffled_TN = np.asarray(shuffle(keys, jnp.asarray(positive_N)))
    else:
        shuffled_TN = shuffle_clusters(keys, positive_N, np.asarray(clusters_N))
    return Labellings(np.concatenate([positive_N[None], shuffled_TN]), plan, seed, clusters_N)


def shuffle_clusters(keys_T, positive_N, clusters_N) -> np.ndarray:
    """Labels exchanged between clusters of one size: [T, N]."""
    numbers, first, own_N, sizes = np.unique(
        clusters_N, return_index=True, return_inverse=True, return_counts=True
    )
    label_C = positive_N[first]
    if (label_C[own_N] != positive_N).any():
        raise InputError("the rows of a cluster have both labels; they cannot be permuted as one")
    label_TC = np.empty((len(keys_T), len(numbers)), bool)
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        keys = jax.vmap(lambda key, size=int(size): jax.random.fold_in(key, size))(keys_T)
        label_TC[:, alike] = np.asarray(shuffle(keys, jnp.asarray(label_C[alike])))
    return label_TC[:, own_N]


def keys_of(seed: int):
    """Keys of the permutations and of the splits."""
    return jax.random.split(jax.random.key(seed))


@jax.jit
def shuffle(keys_T, positive_N):
    return jax.lax.map(lambda key: jax.random.permutation(key, positive_N), keys_T)
