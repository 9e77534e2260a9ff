"""Labellings of a scan that exchange the labels of whole clusters of any sizes.

If clusters differ in size, labellings differ in the number of rows of H1. The samples of a run do
not, so that a labelling is drawn only if both of its sides can give them, as those of the true
labels can. That depends on labels and sizes and on no activation: if labels mean nothing, the true
labelling is as likely as any other that may be drawn. No labelling is drawn twice, so that no
p-value is below one over the number of distinct labellings.
Letters: C clusters, T labellings, N rows.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from personascan.errors import InputError
from personascan.scan.samples import SampleOptions, largest_cluster, least_sides

MANY = 10**6  # more labellings are not counted
COUNTED = 40  # the most clusters of a side whose labellings are counted
BLOCK = 1024  # labellings drawn together
TRIES = 10**6  # the most draws between two labellings that can give the samples


@dataclass(frozen=True)
class Clusters:
    """Clusters of one label each, and the bounds of H1 rows that a labelling must keep."""

    label_C: np.ndarray  # bool: of H1
    sizes_C: np.ndarray  # rows
    own_N: np.ndarray  # the cluster of each row
    least: int  # fewest rows of H1
    most: int  # and the most


class Count(NamedTuple):
    """The number of distinct labellings, including the true one."""

    number: int
    exact: bool  # False: there are at least so many

    def __str__(self) -> str:
        return f"{self.number:,}" if self.exact else f"at least {self.number:,}"


def clusters_of(positive_N, samples: SampleOptions, clusters_N) -> Clusters:
    """Returns the clusters of labelled rows. Raises InputError if one has both labels."""
    _, first, own_N, sizes_C = np.unique(
        clusters_N, return_index=True, return_inverse=True, return_counts=True
    )
    label_C = positive_N[first]
    if (label_C[own_N] != positive_N).any():
        raise InputError("the rows of a cluster have both labels; they cannot be permuted as one")
    h0, h1 = least_sides(samples, largest_cluster(clusters_N))
    return Clusters(label_C, sizes_C, own_N, h1, positive_N.size - h0)


def count_labellings(positive_N, samples: SampleOptions, clusters_N=None) -> Count:
    """Counts the labellings that can give such samples, of single rows if `clusters_N` is None.

    The count stops at MANY. If a side has more than COUNTED clusters, the others keep their labels
    here.
    """
    if clusters_N is None:
        number = math.comb(positive_N.size, int(positive_N.sum()))
        return Count(min(MANY, number), number < MANY)
    clusters = clusters_of(positive_N, samples, clusters_N)
    free = np.concatenate(
        [np.flatnonzero(clusters.label_C == side)[:COUNTED] for side in (True, False)]
    )
    label_C, sizes_C = clusters.label_C[free], clusters.sizes_C[free]
    fixed = int(clusters.sizes_C[clusters.label_C].sum() - sizes_C[label_C].sum())
    chosen, rows = int(label_C.sum()), int(sizes_C.sum())
    # Ways to choose so many clusters with so many rows, cluster after cluster.
    ways = np.zeros((chosen + 1, rows + 1), np.int64)
    ways[0, 0] = 1
    for size in sizes_C:
        ways[1:, size:] += ways[:-1, :-size].copy()
        np.minimum(ways, MANY, out=ways)
    allowed = ways[chosen, max(0, clusters.least - fixed) : max(0, clusters.most - fixed + 1)]
    number = int(allowed.sum())
    return Count(min(MANY, number), number < MANY and free.size == clusters.label_C.size)


def check_exchange(positive_N, samples: SampleOptions, permutations: int, clusters_N=None) -> None:
    """Raises InputError if there are fewer distinct labellings than `permutations` asks for."""
    count = count_labellings(positive_N, samples, clusters_N)
    if count.number > permutations or not count.exact:
        return
    number, units = positive_N.size, "rows"
    if clusters_N is not None:
        number, units = np.unique(clusters_N).size, "entities"
    if count.number == 1:
        raise InputError(
            f"the labels of {number} {units} cannot be exchanged: no other labelling can give the "
            f"samples; add {units}, lower the samples, or set permutations = 0"
        )
    raise InputError(
        f"{number} {units} have {count} distinct labellings that can give the samples, and "
        f"permutations = {permutations} needs {permutations + 1}; use at most {count.number - 1} "
        f"(no p is then below {1 / count.number:.3g}), or add {units}"
    )


def exchange_labels(
    positive_N, samples: SampleOptions, permutations: int, seed, clusters_N
) -> np.ndarray:
    """Draws distinct labellings by clusters, other than the true one: bool [T, N].

    With fewer permutations the result is the first part of that with more.

    Raises:
      InputError: fewer distinct labellings than permutations, hardly any labelling that can give
        the samples, a cluster with both labels.
    """
    check_exchange(positive_N, samples, permutations, clusters_N)
    clusters, rng = clusters_of(positive_N, samples, clusters_N), np.random.default_rng(seed)
    seen, labellings, missed = {np.packbits(clusters.label_C).tobytes()}, [], 0
    while len(labellings) < permutations:
        label_BC = rng.permuted(np.tile(clusters.label_C, (BLOCK, 1)), axis=1)
        h1_B = label_BC @ clusters.sizes_C
        fits_B = (h1_B >= clusters.least) & (h1_B <= clusters.most)
        for label_C in label_BC[fits_B]:
            key = np.packbits(label_C).tobytes()
            if key not in seen:
                seen.add(key)
                labellings.append(label_C)
                missed = 0
        missed += BLOCK
        if missed > TRIES:
            raise InputError(
                f"hardly any labelling of the {clusters.label_C.size} entities can give the "
                "samples; lower background, clean or positive"
            )
    return np.array(labellings[:permutations])[:, clusters.own_N]
