"""Rows in a size that libraries expect, for what does not hang on the size of activations.

scikit-learn's trees do not split a column whose values lie within 1e-7, its local outlier factor
adds 1e-10 to distances, and its Davies-Bouldin index is 0 where distances are below 1e-8.
Multiplication by powers of two changes no digit. Letters: N rows, D nodes.
"""

import numpy as np


def in_units(rows_ND, *others_ND, by_node: bool) -> list[np.ndarray]:
    """Rows whose largest span is from 1 to 2, and others multiplied by the same.

    Args:
      by_node: each node is multiplied by a power of two of its own, which trees and standardised
        values do not see; or all by one, so that distances keep their proportions.
    """
    span_D = np.ptp(np.asarray(rows_ND, float), axis=0)
    exponent = exponent_of(span_D if by_node else span_D.max())
    return [np.ldexp(each_ND, -exponent) for each_ND in (rows_ND, *others_ND)]


def exponent_of(span):
    """The power of two at or below a span; 0 of none."""
    return np.where(np.asarray(span) > 0, np.frexp(span)[1] - 1, 0)
