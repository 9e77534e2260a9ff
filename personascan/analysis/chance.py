"""What node sets share by chance: sets that tell random halves of the H0 rows apart.

Such sets mean nothing, and hold the nodes together that go together. Permuted labels would not do:
H1 rows lie on both sides of them, so that what tells H1 apart is in every permuted set as well.
Letters: T splits, N rows of H0, D nodes.
"""

import numpy as np

from personascan.analysis.localisation import in_half
from personascan.calibration.exchangeable import draw_exchanges, exchange_of
from personascan.calibration.statistics import Labelled, standardised
from personascan.errors import InputError


def split_labels(rows: int, seed: int, clusters_N=None) -> np.ndarray:
    """One half of H0, drawn at random: bool [N]. Rows of a cluster stay together."""
    return in_half(np.zeros(rows), seed, clusters_N) == 1


def can_split(half_N, splits: int, clusters_N=None) -> bool:
    """Whether H0 can be split in so many ways."""
    try:
        return exchange_of(half_N, entities=clusters_N).distinct > splits
    except InputError:
        return False


def split_sizes(h0_ND, half_N, splits: int, seed: int, clusters_N=None) -> np.ndarray:
    """How far each node differs when one half of H0 is set against the other: [T, D].

    Sizes are |correlations| with the split, which order nodes as |t| does.

    Args:
      half_N: bool, one half (`split_labels`), which is drawn anew for each split.
      splits: T.
    """
    exchange = exchange_of(half_N, entities=clusters_N)
    labels = Labelled(exchange, draw_exchanges(exchange, splits, seed))
    rows = standardised("H0", h0_ND, exchange.group_N)
    return np.abs(labels.contrasts_NT[:, 1:].T @ rows.z_ND)


def sets_of_size(size_TD, size: int, seed) -> np.ndarray:
    """The nodes that differ most in each split, ties at random: bool [T, D]."""
    chosen_TD = np.zeros(size_TD.shape, bool)
    if not size:
        return chosen_TD
    ties_TD = np.random.default_rng(seed).random(size_TD.shape)
    ordered_TD = np.lexsort((ties_TD, -size_TD), axis=1)
    np.put_along_axis(chosen_TD, ordered_TD[:, :size], True, axis=1)
    return chosen_TD
