"""The direction that separates labelled rows, by ridge regression of the labels."""

import numpy as np

# c: c D is added to the eigenvalues of the correlations of D nodes, whose mean is 1. Its test has
# the highest power, or nearly so, from 96 to 2,304 nodes and 20 to 100 rows a side.
SHRINKAGE = 0.01
CONSTANT = 1e-6  # deviations at most this share of a node's largest value are rounding


def readout(z_ND, length_D, contrast_N) -> np.ndarray:
    """Returns (Z'Z + c D I)^-1 Z'v in the activations' units, of length 1: [D]; 0 if constant.

    Args:
      z_ND: nodes that are centred and of length 1, constant ones 0.
      length_D: lengths of the centred nodes, in the activations' units; 0 of constant ones.
      contrast_N: labels less their mean, of length 1.
    """
    z_ND, varies_D = np.asarray(z_ND, np.float64), np.asarray(length_D) > 0
    if not varies_D.any():
        return np.zeros(varies_D.size)
    ridge, (rows, nodes) = SHRINKAGE * int(varies_D.sum()), z_ND.shape
    if rows <= nodes:
        direction_D = z_ND.T @ np.linalg.solve(z_ND @ z_ND.T + ridge * np.eye(rows), contrast_N)
    else:
        direction_D = np.linalg.solve(z_ND.T @ z_ND + ridge * np.eye(nodes), z_ND.T @ contrast_N)
    direction_D = np.where(varies_D, direction_D / np.where(varies_D, length_D, 1.0), 0.0)
    return direction_D / np.linalg.norm(direction_D)


def readout_of(rows_ND, positive_N) -> np.ndarray:
    """Returns the readout of rows that are not standardised yet."""
    rows_ND = np.asarray(rows_ND, np.float64)
    largest_D = np.abs(rows_ND).max(0)
    centred_ND = rows_ND - rows_ND.mean(0)
    length_D = np.sqrt((centred_ND**2).sum(0))
    varies_D = length_D > CONSTANT * np.sqrt(len(rows_ND)) * largest_D
    z_ND = centred_ND * np.where(varies_D, 1 / np.where(varies_D, length_D, 1.0), 0.0)
    contrast_N = positive_N - positive_N.mean()
    return readout(z_ND, np.where(varies_D, length_D, 0.0), contrast_N / np.linalg.norm(contrast_N))
