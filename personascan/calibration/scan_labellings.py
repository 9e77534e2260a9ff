"""The labels of a comparison and their permutations, and the splits of every run of each.

They belong to the comparison, never to a place: all places see the same permutations and the same
splits, or the maximum over places would not be one of exchangeable values.
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

RUNS_APART = 2**16  # run numbers of one labelling, so that fewer runs are the first of more
EXCHANGE = 2  # the stream of draws that exchanges the labels of clusters


@dataclass(frozen=True)
class Labellings:
    """Labels, permuted labels, and what every run of each is drawn from."""

    labels_TN: np.ndarray  # bool [T + 1, N]; the first are the labels themselves
    samples: SampleOptions
    seed: int
    clusters_N: np.ndarray | None = None  # of rows that are permuted and drawn together

    def masks(self, runs: int) -> tuple[np.ndarray, np.ndarray]:
        """Background and evaluation masks [(T + 1) R, N], the runs of a labelling together."""
        labellings = len(self.labels_TN)
        number_TR = np.arange(labellings)[:, None] * RUNS_APART + np.arange(runs)
        keys = fold_each(keys_of(self.seed)[1], jnp.asarray(number_TR.ravel(), jnp.uint32))
        labels_XN = np.repeat(self.labels_TN, runs, axis=0)
        return sample_masks(labels_XN, keys, replace(self.samples, runs=runs), self.clusters_N)


def draw_labellings(
    positive_N, samples: SampleOptions, permutations: int, seed: int, clusters_N=None
) -> Labellings:
    """The labels and T permutations of them.

    With clusters, whose rows have one label each, the labels of whole clusters are exchanged
    (`calibration.cluster_labellings`): rows that belong together are not exchangeable one by one.

    Raises:
      InputError: labels that are no bools, samples that the rows cannot give, a number of
        permutations or a seed that is none, fewer distinct labellings than permutations ask for.
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
    """Keys of the permutations and of the splits."""
    return jax.random.split(jax.random.key(seed))


@jax.jit
def shuffle(keys_T, positive_N):
    return jax.lax.map(lambda key: jax.random.permutation(key, positive_N), keys_T)
