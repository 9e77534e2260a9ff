"""The place at which a comparison's direction is looked at, and the halves that find and show it.

Half A finds the direction; every statement that it is shown for is one of half B.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from personascan.analysis.localisation import HALVES
from personascan.calibration.label_exchange import comparison_exchange
from personascan.errors import InputError
from personascan.places import Place
from personascan.sources.base import pool_rows
from personascan.sources.language.statements import Statement

if TYPE_CHECKING:
    from personascan.study.stages.where import LabelledRows

FINDER, JUDGE = HALVES
LEAST = 2  # rows of each side of a half


@dataclass(frozen=True)
class HalfDirection:
    """Where and from which rows a direction is found, and for which it is shown."""

    place: Place
    find: "LabelledRows"
    show: "LabelledRows"


def half_direction(case, place: Place | None = None) -> HalfDirection | None:
    """Returns a place (None: the furthest one, which the page's headline names) with both halves.

    None where a half has too few rows of a side, or too few to exchange labels among.
    """
    find, show = case.chosen(FINDER), case.chosen(JUDGE)
    if min(side_size(half, side) for half in (find, show) for side in (True, False)) < LEAST:
        return None
    try:
        comparison_exchange(find.positive_N, find.entities_N, find.pairs_N)
    except InputError:
        return None
    return HalfDirection(place or case.furthest(), find, show)


def chosen_place(case) -> Place | None:
    """Returns the place that half A chose; None where halves choose none."""
    chosen = (place for finder, _, place, _ in case.choices() if finder == FINDER)
    return next(chosen, None)


def side_size(half: "LabelledRows", side: bool) -> int:
    return int((half.positive_N == side).sum())


def statements_of(case, rows) -> tuple[Statement, ...]:
    """Returns the statements of some rows of a comparison."""
    statements = pool_rows(case.source.groups, case.pool.members)
    return tuple(statements[row] for row in rows)


def place_inputs(place: Place) -> list:
    """Returns a place as JSON holds it."""
    return [place.site, place.layer, place.position]


def text_inputs(statements) -> list:
    """Returns what of statements a model reads, as JSON holds it."""
    return [[one.id, one.text] for one in statements]


def extreme_rows(score_N: np.ndarray, positive_N, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns rows to show, the most surprising first, and whether each is surprising: bool.

    Negatives that score highest, positives that score lowest, then positives that score highest
    and negatives that score lowest: at most `most` of each, and no row twice.
    """
    order = np.argsort(score_N, kind="stable")
    chosen = {}
    for side in (False, True):
        own = order[np.asarray(positive_N)[order] == side]
        own = own[::-1] if side else own  # the typical ones first
        number = min(most, len(own) // 2)
        chosen[side] = own[::-1][:number], own[:number]
    (odd_0, usual_0), (odd_1, usual_1) = chosen[False], chosen[True]
    rows = np.concatenate([odd_0, odd_1, usual_1, usual_0])
    return rows, np.arange(rows.size) < odd_0.size + odd_1.size
