"""Curves over the strength of a direction: how far a score grows before the text breaks down.

Letters: V directions (the first is looked at, the others are random ones as long), S strengths.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reach:
    """How far a score grows on one side of strength 0, along the direction of that side."""

    strength: float  # the last one up to which it grows at every step; 0: it never does
    beyond: bool  # whether it passes all random directions at one of these strengths


def reach(
    strengths: Sequence[float],
    score_VS: np.ndarray,
    perplexity_S: np.ndarray,
    *,
    side: int,
    factor: float,
) -> Reach:
    """Returns how far a score grows from strength 0 on, step by step.

    It has to rise at each strength above 0, or fall at each below, and the perplexity to stay
    within a factor of that at strength 0; NaN is neither.

    Args:
      strengths: with 0 among them.
      side: 1 for those above 0, -1 for those below.
    """
    strengths_S = np.asarray(strengths, float)
    (zero,) = np.flatnonzero(strengths_S == 0)
    order = np.argsort(np.abs(strengths_S), kind="stable")
    last, beyond, before = 0.0, False, score_VS[0, zero]
    for s in order[side * strengths_S[order] > 0]:
        grows = side * (score_VS[0, s] - before) > 0
        if not grows or not perplexity_S[s] <= factor * perplexity_S[zero]:
            break
        last, before = float(strengths_S[s]), score_VS[0, s]
        beyond |= bool((side * (score_VS[0, s] - score_VS[1:, s]) > 0).all())
    return Reach(last, beyond)
