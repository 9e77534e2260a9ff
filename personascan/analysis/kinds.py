"""Kinds among the rows of one side: how they differ from one another on nodes that were found.

Rows of H1 may be of several kinds, which a label for all of them hides. The first principal
component of their values on the found nodes orders them; whether other rows give the same order
says if it is more than noise. Letters: N rows, D nodes.
"""

from dataclasses import dataclass

import numpy as np

LEAST_ROWS, LEAST_NODES = 3, 2


@dataclass(frozen=True)
class Kinds:
    """Rows in the order of the first principal component of rows of their side.

    NaN where fewer than two nodes were found or fewer than three rows make a component.
    """

    score_N: np.ndarray  # of the rows that are ordered, in deviations of the component
    share: float  # of the variance of the rows that made it, on these nodes
    agreement: float  # |correlation| of this order with that by the component of other rows


def kinds(place_ND, nodes_D, fit, ordered, others) -> Kinds:
    """The first principal component of some rows on found nodes, and the order it gives.

    Args:
      place_ND: the rows of a place.
      nodes_D: bool [D], or numbers: the found nodes.
      fit, ordered, others: numbers of rows: that make the component, that it orders, and that make
        another component to compare with. Nodes are standardised by the rows that make each.
    """
    found_ND = np.asarray(place_ND, np.float64)[:, nodes_D]
    if found_ND.shape[1] < LEAST_NODES or min(len(fit), len(others)) < LEAST_ROWS:
        return Kinds(np.full(len(ordered), np.nan), np.nan, np.nan)
    score_N, share = along_first(found_ND, fit, ordered)
    other_N, _ = along_first(found_ND, others, ordered)
    both = np.stack([score_N, other_N])
    moved = both.std(1).min() > 0
    agreement = float(abs(np.corrcoef(both)[0, 1])) if moved else np.nan
    return Kinds(score_N, share, agreement)


def along_first(rows_ND, fit, ordered) -> tuple[np.ndarray, float]:
    """Rows along the first component of others, in its deviations, and its share of variance."""
    mean_D, deviation_D = rows_ND[fit].mean(0), rows_ND[fit].std(0)
    z_ND = (rows_ND - mean_D) / np.where(deviation_D > 0, deviation_D, np.inf)
    _, size_C, axes_CD = np.linalg.svd(z_ND[fit], full_matrices=False)
    if not size_C[0]:
        return np.zeros(len(ordered)), np.nan
    axis_D = axes_CD[0] * np.sign(axes_CD[0][np.abs(axes_CD[0]).argmax()])  # heaviest node high
    along_N = z_ND @ axis_D
    return along_N[ordered] / along_N[fit].std(), float(size_C[0] ** 2 / (size_C**2).sum())
