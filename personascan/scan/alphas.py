"""The alphas that a search tries: all attained ones, a grid, a geometric series, or given ones."""

import numpy as np

from personascan.errors import InputError
from personascan.reading import real_array
from personascan.scan.tails import Tail

GRID_STEPS = 50
LOG_STEPS = 60
NAMED = ("exact", "grid", "log")


def check_range(alpha_max, alpha_min) -> None:
    """Raises InputError unless both are numbers inside (0, 1), in order; alpha_min may be 0."""
    for name, alpha in (("alpha_max", alpha_max), ("alpha_min", alpha_min or alpha_max)):
        if not np.isscalar(alpha) or not np.isreal(alpha) or isinstance(alpha, str):
            raise InputError(f"{name} must be a number, got {alpha!r}")
        if not 0 < alpha < 1:
            raise InputError(f"{name} = {alpha} is outside (0, 1)")
    if alpha_min > alpha_max:
        raise InputError(f"alpha_min = {alpha_min} exceeds alpha_max = {alpha_max}")


def check_alphas(alphas, alpha_max: float, alpha_min: float):
    """Returns a name of NAMED, or the caller's alphas as a tuple of floats.

    Raises InputError if they are neither, not ascending, or outside alpha_min and alpha_max.
    """
    if isinstance(alphas, str):
        if alphas not in NAMED:
            names = ", ".join(f'"{name}"' for name in NAMED)
            raise InputError(f"alphas = {alphas!r} is unknown; use {names} or a sequence")
        return alphas
    try:
        alphas_A = np.atleast_1d(real_array("alphas", alphas).astype(np.float64))
    except (ValueError, TypeError) as error:
        raise InputError(f"alphas must be a sequence of numbers, got {alphas!r}") from error
    if alphas_A.ndim != 1 or not alphas_A.size or not ((alphas_A > 0) & (alphas_A < 1)).all():
        raise InputError(f"alphas must be a sequence of numbers inside (0, 1), got {alphas}")
    if (np.diff(alphas_A) <= 0).any():
        raise InputError("alphas must be strictly ascending; sort them and drop repeats")
    if alphas_A[0] < alpha_min or alphas_A[-1] > alpha_max:
        raise InputError(
            f"alphas must lie within alpha_min = {alpha_min} and alpha_max = {alpha_max}; "
            "widen these bounds"
        )
    return tuple(alphas_A.tolist())


def floor_count(alpha, n: int):
    """Returns the largest integer k with k/(n+1) <= alpha, even if alpha is a rounded k/(n+1)."""
    return np.floor(np.asarray(alpha) * (n + 1) + 1e-9).astype(np.int64)


def attained_alphas(n: int, tail: Tail, alpha_min: float, alpha_max: float) -> np.ndarray:
    """Returns every p = k/(n+1) that occurs in [alpha_min, alpha_max] (FGSS, Theorem 7)."""
    counts = np.arange(tail.step, n + 1, tail.step)
    least, most = np.ceil(alpha_min * (n + 1) - 1e-9), floor_count(alpha_max, n)
    return counts[(counts >= least) & (counts <= most)] / (n + 1)


def log_alphas(n: int, tail: Tail, alpha_min: float, alpha_max: float) -> np.ndarray:
    """Returns the attained alphas nearest above a geometric series from the least to alpha_max."""
    attained_A = attained_alphas(n, tail, alpha_min, alpha_max)
    if len(attained_A) <= LOG_STEPS:
        return attained_A
    series_A = np.geomspace(attained_A[0], attained_A[-1], LOG_STEPS)
    index_A = np.searchsorted(attained_A, series_A * (1 - 1e-12)).clip(max=len(attained_A) - 1)
    return attained_A[np.unique(index_A)]


def grid_alphas(alpha_min: float, alpha_max: float) -> np.ndarray:
    """Returns 50 equal steps up to alpha_max, as in the published code."""
    grid_A = np.linspace(alpha_max / GRID_STEPS, alpha_max, GRID_STEPS)
    return grid_A[grid_A >= alpha_min]
