"""Simulated activations with known truth, to measure what the scan and its calibration do.

Letters: L layers, N rows, D nodes, B background rows, M evaluation rows, P problems.
"""

import numpy as np

NULL_KINDS = ("iid", "correlated", "ties")
FACTORS = 3  # shared by all nodes of correlated noise


def noise(rng, rows: int, nodes: int, kind: str = "iid", loadings=None) -> np.ndarray:
    """Rows without signal [N, D] float32: independent normal, with common factors, or rounded."""
    values_ND = rng.normal(size=(rows, nodes))
    if kind == "correlated":
        loadings = rng.normal(size=(FACTORS, nodes)) if loadings is None else loadings
        values_ND += rng.normal(size=(rows, FACTORS)) @ loadings
    if kind == "ties":
        values_ND = values_ND.round(0)
    return values_ND.astype(np.float32)


def null_pool(rng, layers: int, rows: int, nodes: int, kind: str) -> np.ndarray:
    """Layers [L, N, D] in which labels mean nothing."""
    return np.stack([noise(rng, rows, nodes, kind) for _ in range(layers)])


def planted(rng, values_MD, n_rows: int, n_nodes: int, strength: float) -> np.ndarray:
    """A copy with a random block of rows x nodes shifted up by `strength` standard deviations."""
    shifted_MD = values_MD.copy()
    rows = rng.permutation(len(values_MD))[:n_rows]
    nodes = rng.permutation(values_MD.shape[1])[:n_nodes]
    shifted_MD[np.ix_(rows, nodes)] += np.float32(strength)
    return shifted_MD
