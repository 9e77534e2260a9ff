"""Rows in pairs, which are compared with one another, such as one question asked in two ways.

A pair has rows of both sides (one of each, or more), and labels are exchanged inside it alone.
"""

import hashlib
from collections import Counter

import numpy as np

from personascan.errors import InputError


def draw_pairs(
    name: str, sides: list[list], limit: int, seed: int, own: bool = True
) -> set[str] | None:
    """Draws the pairs of a comparison by a hash, with at most `limit` rows of a side.

    Args:
      name: the comparison's, for messages.
      sides: the rows of H1 and of H0, each with its `pair`.
      own: the rows of H0 are those of the groups of H1; else, since other groups have questions of
        their own, pairs with rows on one side alone are not drawn.

    Returns:
      The pairs; None where rows are not paired: the sides have no pair in common.

    Raises:
      InputError: some rows with a pair beside others without, a pair with rows on one side alone,
        a limit below the rows of the first pair.
    """
    h1, h0 = (Counter(e.pair for e in side) for side in sides)
    if not any(h1.keys() & h0.keys()):
        return None
    refuse_unpaired(name, sides, h1, h0, own)
    drawn, rows = set(), np.zeros(2, int)
    for pair in sorted(
        h1.keys() & h0.keys(), key=lambda p: hashlib.sha256(f"{seed}/{p}".encode()).digest()
    ):
        rows += (h1[pair], h0[pair])
        if rows.max() > limit:
            break
        drawn.add(pair)
    if not drawn:
        raise InputError(f"{name}: no pair of rows fits into limit = {limit}; use a larger one")
    return drawn


def refuse_unpaired(name: str, sides, h1: Counter, h0: Counter, own: bool) -> None:
    if alone := [e.id for side in sides for e in side if not e.pair]:
        raise InputError(
            f"{name}: row {alone[0]} has no pair, and others have ({len(alone)} such rows); give "
            "every row one, or none"
        )
    if own and (single := sorted(h1.keys() ^ h0.keys())):
        raise InputError(
            f"{name}: pair {single[0]} has rows on one side alone ({len(single)} such pairs); "
            "labels are exchanged within a pair, so that each needs both"
        )


def pairs_of(groups: dict, members) -> np.ndarray:
    """Returns the number of each row's pair: int [N]."""
    names = [groups[persona][i].pair for persona, rows in members for i in rows]
    return np.unique(names, return_inverse=True)[1]
