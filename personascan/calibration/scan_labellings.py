"""Labellings of a scan: labels and their permutations, with the samples of every run of each.

They belong to the comparison and not to a place: all places share permutations and samples, or the
maximum over places would not be one of exchangeable values.
Letters: T permutations (index 0 of T + 1 is the labels themselves), R runs, N rows.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from personascan.calibration.cluster_labellings import check_exchange, exchange_labels
from personascan.errors import InputError
from personascan.scan.samples import (
    SampleOptions,
    check_labels,
    check_seed,
    check_sizes,
    fold_each,
    largest_cluster,
    run_keys,
    sample_masks,
)

RUN_NUMBERS = 2**16  # of one labelling: fewer runs are the first of more
EXCHANGE = 2  # the stream of draws that exchanges the labels of clusters


@dataclass(frozen=True)
class Labellings:
    """Labels and permuted labels, with the options and seed of the samples of every run."""

    labels_TN: np.ndarray  # bool [T + 1, N]; the first are the labels themselves
    samples: SampleOptions
    seed: int
    clusters_N: np.ndarray | None = None  # the cluster of each row, permuted and drawn as one

    def masks(self, runs: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns background and evaluation masks, labelling by labelling: [(T + 1) R, N]."""
        labellings = len(self.labels_TN)
        number_TR = np.arange(labellings)[:, None] * RUN_NUMBERS + np.arange(runs)
        keys = fold_each(keys_of(self.seed)[1], jnp.asarray(number_TR.ravel(), jnp.uint32))
        labels_XN = np.repeat(self.labels_TN, runs, axis=0)
        return sample_masks(labels_XN, keys, replace(self.samples, runs=runs), self.clusters_N)


def draw_labellings(
    positive_N, samples: SampleOptions, permutations: int, seed: int, clusters_N=None
) -> Labellings:
    """Draws the labels and T permutations of them.

    The rows of a cluster share one label and are not exchangeable one by one, so that the labels of
    whole clusters are exchanged (`cluster_labellings.py`).

    Raises:
      InputError: labels that are no bools, samples that the rows cannot give, permutations or a
        seed that is no such number, fewer distinct labellings than permutations.
    """
    check_seed(seed)
    if isinstance(permutations, bool) or not isinstance(permutations, int | np.integer):
        raise InputError(f"permutations must be a whole number, got {permutations!r}")
    if not 1 <= permutations < RUN_NUMBERS:
        raise InputError(
            f"permutations = {permutations}; a p-value needs at least one, and less than "
            f"{RUN_NUMBERS}"
        )
    positive_N = check_labels(positive_N)
    h1 = int(positive_N.sum())
    check_sizes(positive_N.size - h1, h1, samples, largest_cluster(clusters_N))
    if clusters_N is None:
        check_exchange(positive_N, samples, permutations)
        keys = run_keys(keys_of(seed)[0], permutations)
        shuffled_TN = np.asarray(shuffle(keys, jnp.asarray(positive_N)))
    else:
        shuffled_TN = exchange_labels(
            positive_N, samples, permutations, [seed, EXCHANGE], clusters_N
        )
    return Labellings(np.concatenate([positive_N[None], shuffled_TN]), samples, seed, clusters_N)


def keys_of(seed: int):
    """Returns the keys of the permutations and of the samples."""
    return jax.random.split(jax.random.key(seed))


@jax.jit
def shuffle(keys_T, positive_N):
    """Returns one permutation of the labels for each key: bool [T, N]."""
    return jax.lax.map(lambda key: jax.random.permutation(key, positive_N), keys_T)
