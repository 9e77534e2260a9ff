"""Simulated activations with known truth, to measure what the scan and its calibration do.

Letters: L layers, N rows, D nodes, B background rows, M evaluation rows, P problems.
"""

import numpy as np

NULL_KINDS = ("iid", "correlated", "ties", "heavy tails")
FACTORS = 3  # shared by all nodes of correlated noise


def noise(rng, rows: int, nodes: int, kind: str = "iid", loadings=None) -> np.ndarray:
    """Rows without signal [N, D] float32: independent normal, with common factors, rounded, or
    heavy-tailed (multivariate t of two degrees of freedom: a row is far out at all its nodes).
    """
    values_ND = rng.normal(size=(rows, nodes))
    if kind == "correlated":
        loadings = rng.normal(size=(FACTORS, nodes)) if loadings is None else loadings
        values_ND += rng.normal(size=(rows, FACTORS)) @ loadings
    if kind == "ties":
        values_ND = values_ND.round(0)
    if kind == "heavy tails":
        values_ND /= np.sqrt(rng.chisquare(2, size=(rows, 1)) / 2)
    return values_ND.astype(np.float32)


def null_pool(rng, rows: int, nodes: int) -> dict[str, np.ndarray]:
    """A place of every kind of noise [N, D], whose nulls differ; labels mean nothing."""
    return {kind: noise(rng, rows, nodes, kind) for kind in NULL_KINDS}


def planted(rng, values_MD, n_rows: int, n_nodes: int, strength: float) -> np.ndarray:
    """A copy with a random block of rows x nodes shifted up by `strength` standard deviations."""
    shifted_MD = values_MD.copy()
    rows = rng.permutation(len(values_MD))[:n_rows]
    nodes = rng.permutation(values_MD.shape[1])[:n_nodes]
    shifted_MD[np.ix_(rows, nodes)] += np.float32(strength)
    return shifted_MD


KINDS = ("null", "sparse", "block", "dense", "correlated", "ties", "mixed signs", "wider")


def problem(rng, kind: str, rows: int, nodes: int, background: int):
    """(background [B, D], evaluation [M, D]) with a signal of one of KINDS in some rows."""
    noise_kind = kind if kind in NULL_KINDS else "iid"
    both_ND = noise(rng, background + rows, nodes, noise_kind)
    background_BD, evaluation_MD = both_ND[:background], both_ND[background:]
    chosen = slice(0, rows // 3)
    few, some, half = slice(0, max(3, nodes // 40)), slice(0, nodes // 8), slice(0, nodes // 2)
    if kind in ("sparse", "correlated", "ties"):
        evaluation_MD[chosen, few] += 2
    elif kind == "block":
        evaluation_MD[chosen, some] += 1
    elif kind == "dense":
        evaluation_MD[chosen, half] += np.float32(0.25)
    elif kind == "mixed signs":
        signs_D = rng.choice([-1.2, 1.2], nodes // 8).astype(np.float32)
        evaluation_MD[chosen, some] += signs_D
    elif kind == "wider":
        evaluation_MD[chosen, some] *= np.float32(1.6)
    return background_BD, evaluation_MD
