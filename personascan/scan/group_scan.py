"""One group scan of evaluation rows against a background: a single run of `scan_runs`."""

import dataclasses

import numpy as np

from personascan.array_like import ArrayLike
from personascan.scan.masks import number_labels, pair_labels
from personascan.scan.options import DEFAULT_STARTS, ScanOptions, as_row_sets
from personascan.scan.pvalues import stack_pool
from personascan.scan.result import ScanResult
from personascan.scan.runs import scan_pool


def group_scan(
    background_BD: ArrayLike,
    evaluation_ND: ArrayLike,
    *,
    score: str = "bj",
    tail: str = "signed",
    alpha_max: float = 0.5,
    alpha_min: float = 0.0,
    alphas: str | ArrayLike = "exact",
    starts: int | str | ArrayLike = DEFAULT_STARTS,
    groups: ArrayLike | None = None,
    background_groups: tuple[ArrayLike, ArrayLike] | None = None,
    ties: str = "whole",
    seed: int = 0,
    compat: bool = False,
) -> ScanResult:
    """Finds the evaluation rows and nodes that together diverge most from the background.

    The search is `ascent.py: ascend`, the score `scores.py: berk_jones` (or the named one). This is
    A score says little by itself, also of noise: `calibrate` sets it beside permuted labels, and
    where labels are known `locate` tests them with far more power.

    `scan_runs` with one layer and one run; see there for the keywords. Here a `starts` array is
    [S, N], `groups` has N labels, both over the evaluation rows; `background_groups` is a pair of
    label sequences, for the background rows and for the evaluation rows.

    Args:
      background_BD, evaluation_ND: activations, NumPy or JAX, with the same D nodes.

    Returns:
      ScanResult: score, alpha, rows and nodes (sorted ints), `high` and `low` (the nodes returned
      for high and for low values), start_scores, starts_at_best, at_smallest_alpha.

    Raises:
      InputError: as `scan_runs`, and for differing widths.
    """
    pool_ND, background_N = stack_pool(background_BD, evaluation_ND)
    n = int(background_N.sum())
    if not isinstance(starts, int | np.integer | str) or isinstance(starts, bool):
        starts = np.pad(as_row_sets(starts), ((0, 0), (n, 0)))
    if groups is not None:
        _, distinct = number_labels("groups", groups, len(pool_ND) - n)
        groups = [distinct[0]] * n + list(groups)
    if background_groups is not None:
        background_groups = pair_labels(background_groups, n, len(pool_ND) - n)
    options = ScanOptions(
        score=score, tail=tail, alpha_max=alpha_max, alpha_min=alpha_min, alphas=alphas,
        starts=starts, ties=ties, compat=compat,
    )  # fmt: skip
    scans = scan_pool(
        pool_ND, background_N[None], ~background_N[None], options,
        groups=groups, background_groups=background_groups, seed=seed,
    )  # fmt: skip
    best = scans.run(0, 0)
    return dataclasses.replace(best, rows=best.rows - n)
