"""Attention heads as groups of columns: how much of each is selected, beside permuted labels."""

from dataclasses import dataclass

import numpy as np

from personascan.calibration.nodes import family_p


@dataclass(frozen=True)
class Heads:
    """Of the H heads of a place whose nodes are their outputs, head by head."""

    share: np.ndarray  # [H]: share of a head's columns that a run selects, mean over runs
    null_mean: np.ndarray  # [H]: the same under permuted labels; NaN without permutations
    p_family: np.ndarray  # [H]: over all heads of the place; NaN without permutations


def head_of(node: int, head_width: int) -> int:
    """The head whose output a node of head_out is."""
    return node // head_width


def head_shares(frequency_TC, halves: int, head_width: int, runs: int) -> Heads:
    """Heads from the selection frequencies of their columns (index 0 of T + 1 is observed).

    The share of a head's columns that is selected is the mean of their selection frequencies; its
    p is the studentised maximum over heads inside each permutation.
    """
    labellings = len(frequency_TC)
    share_TH = frequency_TC.reshape(labellings, halves, -1, head_width).mean((1, 3))
    if labellings == 1:
        none_H = np.full(share_TH.shape[1], np.nan)
        return Heads(share_TH[0], none_H, none_H)
    # One run's selection of one column is the least that a share can change by.
    least = runs * halves * head_width
    return Heads(share_TH[0], share_TH[1:].mean(0), family_p(share_TH, least))
