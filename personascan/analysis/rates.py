"""Rates of returned and flagged rows: precision and recall, true-positive rate at a low FPR.

Letters: N rows, R runs.
"""

import numpy as np

from personascan.array_like import ArrayLike
from personascan.errors import InputError
from personascan.row_labels import RowLabels, sides_of
from personascan.scan.samples import check_labels

LOW_FPR = 0.01  # the false-positive rate at which true-positive rates are reported


def precision_recall(
    returned_RN: ArrayLike, evaluation_RN: ArrayLike, positive_N: RowLabels
) -> tuple[np.ndarray, np.ndarray]:
    """Computes precision and recall of the returned rows with respect to H1, run by run.

    Args:
      returned_RN: bool, the rows of the pool that each run returned, such as `RunScans.rows[0]`.
      evaluation_RN: bool, the rows that each run scanned.
      positive_N: bool, True where a row of the pool is from H1; or the rows, such as statements.

    Returns:
      Precision [R], NaN if no row was returned, and recall [R] over the positives that a run
      scanned.

    Raises:
      InputError: masks that are not bool or of different shapes, a run that scanned no positive.
    """
    masks = [np.asarray(mask) for mask in (returned_RN, evaluation_RN, sides_of(positive_N))]
    returned_RN, evaluation_RN, positive_N = masks
    if {mask.dtype for mask in masks} != {np.dtype(bool)}:
        raise InputError("returned_RN, evaluation_RN and positive_N must be bool masks")
    if returned_RN.ndim != 2 or not (
        returned_RN.shape == evaluation_RN.shape == (len(returned_RN), positive_N.size)
    ):
        raise InputError(
            f"masks of {returned_RN.shape} returned rows, {evaluation_RN.shape} scanned rows and "
            f"{positive_N.shape} labels do not fit; use [R, N], [R, N] and [N]"
        )
    if not (evaluation_RN & positive_N).any(1).all():
        raise InputError("a run scanned no row of H1, so that it has no recall")
    hits_R = (returned_RN & positive_N).sum(1).astype(float)
    returned_R, positives_R = returned_RN.sum(1), (evaluation_RN & positive_N).sum(1)
    precision_R = np.divide(
        hits_R, returned_R, out=np.full(len(hits_R), np.nan), where=returned_R > 0
    )
    return precision_R, hits_R / positives_R


def tpr_at_fpr(score_N, positive_N, fpr: float = LOW_FPR) -> float:
    """Returns the largest true-positive rate at a false-positive rate of at most `fpr`.

    Rows with score >= threshold are flagged; nothing is interpolated, and H1 rows that tie with the
    first H0 row that may not be flagged count as missed. Of n H0 rows k = floor(fpr n) may be
    flagged: at 1% none of fewer than 100, so that a single H0 row can bring the rate to 0. On new
    rows the false-positive rate of such a threshold is on average (k + 1)/(n + 1): 2% for n = 50 or
    100, 1.1% for n = 1000. Below some hundreds of H0 rows the figure is coarse.

    Raises:
      InputError: a score that is not finite, a label without rows.
    """
    score_N = np.asarray(score_N, float)
    positive_N = check_rows(score_N, positive_N)
    if not np.isfinite(score_N).all():
        raise InputError("scores must be finite to be ordered; leave out rows without one")
    highest = np.sort(score_N[~positive_N])[::-1]
    # Compared as rates: fpr * n can fall short of a whole number by rounding.
    allowed = int((np.arange(len(highest) + 1) / len(highest) <= fpr).sum()) - 1
    if allowed < 0:
        raise InputError(f"fpr = {fpr!r}; use a rate from 0 to 1")
    if allowed == len(highest):
        return 1.0
    return float((score_N[positive_N] > highest[allowed]).mean())


def check_rows(place_ND, positive_N, name: str = "positive_N") -> np.ndarray:
    """Returns labels as bool [N]. Raises InputError unless both occur, one for each row."""
    positive_N = check_labels(positive_N, name)
    if len(positive_N) != len(place_ND):
        raise InputError(f"there are {len(positive_N)} labels for {len(place_ND)} rows")
    if positive_N.all() or not positive_N.any():
        raise InputError("there is nothing to tell apart: the rows need both H1 and H0 among them")
    return positive_N
