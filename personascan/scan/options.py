"""The options of a scan: one frozen record, checked once, that all functions below it take."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from personascan.array_like import ArrayLike
from personascan.errors import InputError
from personascan.reading import real_array
from personascan.scan.alphas import (
    attained_alphas,
    check_alphas,
    check_range,
    floor_count,
    grid_alphas,
    log_alphas,
)
from personascan.scan.scores import score_function
from personascan.scan.tails import Tail, tail_named

DEFAULT_STARTS = "auto"
FIXED_STARTS = 10  # where "auto" has no batches: fractional ties
TIES = ("whole", "fractional")


@dataclass(frozen=True)
class ScanOptions:
    """Score, tail, alphas, starts and ties; fields as the keywords of `scan_runs`.

    Raises:
      InputError: a field at fault, or two that do not go together.
    """

    score: str = "bj"
    tail: str = "signed"
    alpha_max: float = 0.5
    alpha_min: float = 0.0
    alphas: Any = "exact"  # "exact", "grid", "log" or a sequence
    starts: Any = DEFAULT_STARTS  # "auto", a number, or a bool array of row sets
    ties: str = "whole"
    compat: bool = False

    def __post_init__(self) -> None:
        score_function(self.score)
        tail_named(self.tail)
        check_range(self.alpha_max, self.alpha_min)
        checked = check_alphas(self.alphas, self.alpha_max, self.alpha_min)
        object.__setattr__(self, "alphas", checked)
        check_starts(self.starts)
        if self.ties not in TIES:
            raise InputError(f'ties = {self.ties!r} is unknown; use "whole" or "fractional"')
        if self.ties == "fractional" and self.compat:
            raise InputError('compat tests whole p-values; use ties="whole"')
        if self.compat and (self.alphas in ("exact", "log") or self.tail not in ("left", "two")):
            raise InputError(
                'compat needs alphas="grid" or a sequence (its p-values can be 0), and tail="left" '
                'or tail="two"'
            )

    def keywords(self) -> dict[str, Any]:
        """Returns the keywords of `scan_runs` and `group_scan`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def phi(self) -> Callable[..., Any]:
        """The score function."""
        return score_function(self.score)

    @property
    def sides(self) -> Tail:
        """The record of the tail. Published p-values are in either table, so they are folded."""
        tail = tail_named(self.tail)
        return replace(tail, folds=True) if self.compat else tail

    @property
    def starts_vary(self) -> bool:
        """Whether every search takes as many starts as pay."""
        return isinstance(self.starts, str)

    @property
    def number(self) -> int:
        """The number of starts, where they do not vary and no row sets are given."""
        return FIXED_STARTS if self.starts_vary else int(self.starts)

    def alphas_for(self, sizes: ArrayLike) -> np.ndarray:
        """Returns the alphas, ascending, of a search with background groups of these sizes."""
        if self.alphas == "grid":
            return grid_alphas(self.alpha_min, self.alpha_max)
        if not isinstance(self.alphas, str):
            return np.array(self.alphas)
        kind = attained_alphas if self.alphas == "exact" else log_alphas
        bounds = (self.sides, self.alpha_min, self.alpha_max)
        return np.unique(np.concatenate([kind(int(n), *bounds) for n in np.unique(sizes)]))

    def unattainable(self, n_RG: ArrayLike) -> str:
        """Says what is wrong with alphas that no p-value of any search reaches.

        Returns "" where some p-value may reach one, and where published p-values are tested.
        """
        n, sides = int(np.max(n_RG)), self.sides
        alphas_A = self.alphas_for([n])
        if self.compat or (len(alphas_A) and floor_count(alphas_A[-1], n) >= sides.step):
            return ""
        named = isinstance(self.alphas, str) and self.alphas != "grid"
        searched = (
            f"from {self.alpha_min:g} to {self.alpha_max:g}"
            if named
            else f"up to {alphas_A[-1] if len(alphas_A) else self.alpha_max:g}"
        )
        return (
            f"no p-value lies at the alphas searched ({searched}): against {n} background rows the "
            f"smallest attainable is {self.smallest(n):.4g} (tail {self.tail}); raise alpha_max "
            "or the alphas, or take more background rows"
        )

    def smallest(self, n: int) -> float:
        """Returns the smallest p-value against n background rows."""
        return self.sides.step / (n + 1)


def check_starts(starts) -> None:
    """Raises InputError unless starts are "auto", a positive number or row sets."""
    if isinstance(starts, str):
        if starts != "auto":
            raise InputError(f'starts = {starts!r} is unknown; use "auto", a number or row sets')
    elif isinstance(starts, int | np.integer) and not isinstance(starts, bool):
        if starts < 1:
            raise InputError(f"starts = {starts}; the ascent needs at least one start")
    else:
        as_row_sets(starts)


def as_row_sets(starts) -> np.ndarray:
    """Returns row sets to start from as bool [S, N]. Raises InputError if they are none."""
    expected = 'starts must be "auto", a number or a bool array [row sets, rows]'
    try:
        starts_SN = real_array("starts", starts)
    except InputError as error:
        raise InputError(expected) from error
    if starts_SN.dtype != bool or starts_SN.ndim != 2 or not len(starts_SN):
        raise InputError(expected)
    return starts_SN
