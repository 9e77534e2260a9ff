"""Attention heads as groups of nodes: how strongly each differs between labelled sides."""

from dataclasses import dataclass

import numpy as np

from personascan.calibration.family import conservative_family_p
from personascan.calibration.statistics import LabelContrasts, standardise


@dataclass(frozen=True)
class Heads:
    """Results of the H heads of a place whose nodes are the heads' outputs, head by head."""

    r2: np.ndarray  # [H]: mean square correlation of a head's nodes with the labels
    null_mean: np.ndarray  # [H]: the same under permuted labels
    p_family: np.ndarray  # [H]: studentised maximum over all heads of the place


def head_of(node: int, head_width: int) -> int:
    """Returns the head whose output a node of head_out is."""
    return node // head_width


def head_tests(place_ND, labelled: LabelContrasts, head_width: int) -> Heads:
    """Tests the heads of a place by the correlations of their nodes under every labelling."""
    rows = standardise("a place of heads", place_ND, labelled.exchange.group_N)
    square_TD = (labelled.contrasts_NT.T @ rows.z_ND).astype(np.float64) ** 2
    r2_TH = square_TD.reshape(len(square_TD), -1, head_width).mean(-1)
    return Heads(r2_TH[0], r2_TH[1:].mean(0), conservative_family_p(r2_TH.T, "studentised"))


def selected_share(frequency_C, halves: int, head_width: int) -> np.ndarray:
    """Returns the share of each head's columns that a scan selects, mean over its runs: [H]."""
    return np.asarray(frequency_C).reshape(halves, -1, head_width).mean((0, 2))
