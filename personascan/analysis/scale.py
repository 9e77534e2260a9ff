"""Rescaling of rows, for methods whose results must not depend on the size of activations.

scikit-learn's trees do not split a column whose values lie within 1e-7, its local outlier factor
adds 1e-10 to distances, and its Davies-Bouldin index is 0 where distances are below 1e-8.
Multiplication by powers of two changes no digit. Letters: N rows, D nodes.
"""

import numpy as np


def rescale(rows_ND, *others_ND, by_node: bool) -> list[np.ndarray]:
    """Multiplies rows so that their largest span is from 1 to 2, and others by the same factor.

    Args:
      by_node: each node has a power of two of its own, which trees and standardised values do not
        depend on; False: all nodes have one, so that distances keep their proportions.
    """
    span_D = np.ptp(np.asarray(rows_ND, float), axis=0)
    exponent = exponent_of(span_D if by_node else span_D.max())
    return [np.ldexp(each_ND, -exponent) for each_ND in (rows_ND, *others_ND)]


def exponent_of(span):
    """Returns the exponent of the power of two at or below a span; 0 for a span of 0."""
    return np.where(np.asarray(span) > 0, np.frexp(span)[1] - 1, 0)
