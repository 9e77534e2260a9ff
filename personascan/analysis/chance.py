"""What node sets share by chance: sets that tell random halves of the H0 rows apart.

Such sets mean nothing, and hold the nodes together that go together. Permuted labels would not do:
H1 rows lie on both sides of them, so that what tells H1 apart is in every permuted set as well.
Letters: T splits, N rows of H0, D nodes, C columns (nodes or half-nodes).
"""

from dataclasses import replace

import numpy as np

from personascan.analysis.localisation import in_half
from personascan.calibration import nodes as node_rates
from personascan.calibration.labellings import draw_labellings
from personascan.calibration.null import null_frequencies
from personascan.scan.options import ScanOptions
from personascan.scan.splits import SplitPlan, largest

LESS_THAN_A_RUN = 1e-7  # added to frequencies, which are shares of fewer than a million runs


def split_labels(rows: int, seed: int, clusters_N=None) -> np.ndarray:
    """One half of H0, drawn at random: bool [N]. Rows of a cluster stay together."""
    return in_half(np.zeros(rows), seed, clusters_N) == 1


def split_plan(runs: SplitPlan, half_N, clusters_N=None) -> SplitPlan | None:
    """Half of the samples, from the halves that there are; None where H0 has too few rows."""
    one, other = int(half_N.sum()), int((~half_N).sum())
    clean = max(1, min(runs.clean // 2, other // 2))
    background = min(runs.background // 2, other - clean - largest(clusters_N))
    positive = min(runs.positive // 2, one - 1)
    if min(background, positive) < 1:
        return None
    return replace(runs, background=background, clean=clean, positive=positive)


def split_frequencies(
    h0_ND, half_N, runs: SplitPlan, options: ScanOptions, splits: int, seed: int, clusters_N=None
) -> np.ndarray:
    """How often runs select each node when one half of H0 is set against the other: [T, D].

    A node with two halves is selected as often as the likelier of them.

    Args:
      half_N: bool, one half (`split_labels`), which is drawn anew for each split.
      runs: the samples (`split_plan`) and how many runs a split has.
      splits: T.
    """
    labellings = draw_labellings(half_N, runs, splits, seed, clusters_N)
    frequency_TC = null_frequencies(h0_ND, labellings, options)
    return node_rates.as_nodes(frequency_TC[1:], options.sides.halves)


def sets_of_size(frequency_TD, size: int, seed) -> np.ndarray:
    """The nodes selected most often in each split, ties at random: bool [T, D]."""
    chosen_TD = np.zeros(frequency_TD.shape, bool)
    if not size:
        return chosen_TD
    ties_TD = np.random.default_rng(seed).random(frequency_TD.shape)
    ordered_TD = np.argpartition(-(frequency_TD + LESS_THAN_A_RUN * ties_TD), size - 1, axis=1)
    np.put_along_axis(chosen_TD, ordered_TD[:, :size], True, axis=1)
    return chosen_TD
