"""Simulated activations with known truth, to measure what the scan and its calibration do.

Letters: L layers, N rows, D nodes, B background rows, M evaluation rows, P problems.
"""

import numpy as np
from scipy.signal import convolve
from sklearn.datasets import load_digits

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


DIGIT_NOISE = 0.08  # of the brightest pixel
FILTERS = 32
DIGIT_BACKGROUND = 1000


def digit_images(size: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Scikit-learn's digits [N, size, size] in 0..1, and their labels; pixels are repeated."""
    digits = load_digits()
    images_NYX = digits.images.astype(np.float32) / 16
    return np.kron(images_NYX, np.ones((1, size // 8, size // 8), np.float32)), digits.target


def noised(rng, images_NYX, strength: float = DIGIT_NOISE) -> np.ndarray:
    """Images with every pixel a step brighter or darker, as far as there is room."""
    signs_NYX = rng.choice(np.float32([-1, 1]), images_NYX.shape)
    return np.clip(images_NYX + np.float32(strength) * signs_NYX, 0, 1)


def convolved(rng, images_NYX, filters: int = FILTERS) -> np.ndarray:
    """ReLU activations [N, D] of a random 3 x 3 convolution: many values tie at zero."""
    kernels_KYX = rng.normal(size=(filters, 3, 3)).astype(np.float32)
    maps = [convolve(images_NYX, kernel_YX[None], "valid") for kernel_YX in kernels_KYX]
    return np.maximum(np.stack(maps, 1), 0).reshape(len(images_NYX), -1)


def digits_problem(rng, rows: int = 300, share: float = 0.5, size: int = 8):
    """Activations [N, D] of digits through a random convolution, their labels, and masks [N].

    The masks: the background of 1000, the evaluated rows, and which of these carry noise.
    """
    images_NYX, label_N = digit_images(size)
    order_N = rng.permutation(len(images_NYX))
    images_NYX, label_N = images_NYX[order_N], label_N[order_N]
    place_N = np.arange(len(order_N)) - DIGIT_BACKGROUND
    noised_N = (place_N >= 0) & (place_N < share * rows)
    images_NYX[noised_N] = noised(rng, images_NYX[noised_N])
    values_ND = convolved(rng, images_NYX)
    return values_ND, label_N, place_N < 0, (place_N >= 0) & (place_N < rows), noised_N
