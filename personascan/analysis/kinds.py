"""Kinds among the rows of one side: how these differ from one another on found nodes.

Rows of H1 may be of several kinds that share a label. The first principal component of their values
on the found nodes orders them; whether other rows give the same order says if it is more than
noise. Letters: N rows, D nodes.
"""

from dataclasses import dataclass

import numpy as np

LEAST_ROWS, LEAST_NODES = 3, 2


@dataclass(frozen=True)
class Kinds:
    """Scores of rows along the first principal component of rows of their side.

    NaN where fewer than two nodes were found or a component has fewer than three rows.
    """

    score_N: np.ndarray  # of the ordered rows, in deviations of the component
    share: float  # the component's, of the variance of its own rows on these nodes
    agreement: float  # |correlation| of this order with that by the component of other rows


def kinds(place_ND, nodes_D, fit, ordered, others) -> Kinds:
    """Orders rows by the first principal component of some rows on found nodes.

    Args:
      place_ND: the rows of a place.
      nodes_D: bool [D], or numbers: the found nodes.
      fit, ordered, others: numbers of the rows whose component is taken, of those that it orders,
        and of those whose component it is compared with. Nodes are standardised by the rows of the
        component.
    """
    set_ND = np.asarray(place_ND, np.float64)[:, nodes_D]
    if set_ND.shape[1] < LEAST_NODES or min(len(fit), len(others)) < LEAST_ROWS:
        return Kinds(np.full(len(ordered), np.nan), np.nan, np.nan)
    score_N, share = project_on_first(set_ND, fit, ordered)
    other_N, _ = project_on_first(set_ND, others, ordered)
    both = np.stack([score_N, other_N])
    varied = both.std(1).min() > 0
    agreement = float(abs(np.corrcoef(both)[0, 1])) if varied else np.nan
    return Kinds(score_N, share, agreement)


def project_on_first(rows_ND, fit, ordered) -> tuple[np.ndarray, float]:
    """Projects rows on others' first component, in its deviations; also its share of variance."""
    mean_D, deviation_D = rows_ND[fit].mean(0), rows_ND[fit].std(0)
    z_ND = (rows_ND - mean_D) / np.where(deviation_D > 0, deviation_D, np.inf)
    _, size_C, axes_CD = np.linalg.svd(z_ND[fit], full_matrices=False)
    if not size_C[0]:
        return np.zeros(len(ordered)), np.nan
    # Its largest loading is made positive.
    axis_D = axes_CD[0] * np.sign(axes_CD[0][np.abs(axes_CD[0]).argmax()])
    along_N = z_ND @ axis_D
    return along_N[ordered] / along_N[fit].std(), float(size_C[0] ** 2 / (size_C**2).sum())
