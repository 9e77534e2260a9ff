"""How well rows are told apart: precision and recall of a group scan, and rows scanned alone.

Letters: N rows, D nodes, R runs, K splits.
"""

from dataclasses import dataclass, field

import numpy as np
from sklearn.metrics import roc_auc_score

from personascan.errors import InputError
from personascan.scan.individual import scan_alone
from personascan.scan.options import ScanOptions
from personascan.scan.pvalues import as_matrix
from personascan.scan.splits import check_labels, check_seed

LOW_FPR = 0.01  # the false-positive rate at which true-positive rates are told


def precision_recall(returned_RN, evaluation_RN, positive_N) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall [R] of the returned rows with respect to H1.

    returned_RN, evaluation_RN: bool masks over the pool; positive_N: True where a row is from H1.
    Recall is over the positives of the run. An empty subset has precision NaN and recall 0.
    """
    hits_R = (returned_RN & positive_N).sum(1).astype(float)
    returned_R, positives_R = returned_RN.sum(1), (evaluation_RN & positive_N).sum(1)
    precision_R = np.divide(
        hits_R, returned_R, out=np.full(len(hits_R), np.nan), where=returned_R > 0
    )
    return precision_R, hits_R / positives_R


@dataclass(frozen=True)
class DetectionPlan:
    """How the rows of a place are scanned alone."""

    splits: int = 5  # each draws its own background
    background: float = 0.5  # share of the H0 rows; the rest is scanned, with all of H1


@dataclass(frozen=True)
class Detection:
    """How well individual scans tell H1 from held-out H0: means and deviations over the splits.

    The splits share rows, so that the deviation is no standard error: it says what the choice of
    the background changes.
    """

    auroc: float
    auroc_deviation: float
    tpr: float  # at an FPR of at most LOW_FPR
    tpr_deviation: float
    background: int  # H0 rows of each split's background
    score_N: np.ndarray = field(repr=False)  # mean over splits that scanned the row; NaN: none did


def detect(place_ND, positive_N, plan: DetectionPlan, options: ScanOptions, seed: int) -> Detection:
    """Scan every row of a place by itself, against backgrounds drawn from H0.

    In each split a share of the H0 rows is the background; the other H0 rows and all of H1 are
    scanned alone, and their scores are what AUROC and the true-positive rate are taken from. A
    plan of fewer splits makes the first ones of a plan of more.

    Args:
      place_ND: activations of one place, or features of any origin.
      positive_N: bool, True where a row belongs to H1.
      options: score, tail and alphas; starts mean nothing for a single row.
      seed: decides the backgrounds.

    Raises:
      InputError: as `individual_scan`; a label without rows, a share that leaves no H0 row for
        either part, no splits, alphas that no p-value reaches.
    """
    place_ND = as_matrix("the place", place_ND)
    positive_N = check_rows(place_ND, positive_N)
    check_seed(seed)
    h0 = np.flatnonzero(~positive_N)
    size = background_size(len(h0), plan)
    if note := options.unattainable(size):
        raise InputError(note)
    score_KN = np.full((plan.splits, len(place_ND)), np.nan)
    auroc_K, tpr_K = np.empty(plan.splits), np.empty(plan.splits)
    for split in range(plan.splits):
        background = np.random.default_rng([seed, split]).permutation(h0)[:size]
        scanned_N = ~np.isin(np.arange(len(place_ND)), background)
        scores = scan_alone(place_ND[background], place_ND[scanned_N], options).score
        score_KN[split, scanned_N] = scores
        auroc_K[split] = roc_auc_score(positive_N[scanned_N], scores)
        tpr_K[split] = tpr_at_fpr(scores, positive_N[scanned_N])
    scanned_K = (~np.isnan(score_KN)).sum(0)
    mean_N = np.divide(
        np.nansum(score_KN, 0), scanned_K, out=np.full(len(place_ND), np.nan), where=scanned_K > 0
    )
    return Detection(
        float(auroc_K.mean()), float(auroc_K.std()), float(tpr_K.mean()), float(tpr_K.std()),
        size, mean_N,
    )  # fmt: skip


def check_rows(place_ND, positive_N) -> np.ndarray:
    """Labels of a place's rows as bool [N], both of which occur."""
    positive_N = check_labels(positive_N)
    if len(positive_N) != len(place_ND):
        raise InputError(f"there are {len(positive_N)} labels for {len(place_ND)} rows")
    if positive_N.all() or not positive_N.any():
        raise InputError("there is nothing to tell apart: the rows need both H1 and H0 among them")
    return positive_N


def background_size(h0: int, plan: DetectionPlan) -> int:
    """How many of the H0 rows are the background of a split."""
    if not isinstance(plan.splits, int) or plan.splits < 1:
        raise InputError(f"splits = {plan.splits!r}; use a whole number from 1")
    if not 0 < plan.background < 1:
        raise InputError(f"background = {plan.background!r}; use a share of H0 between 0 and 1")
    size = round(plan.background * h0)
    if not 0 < size < h0:
        raise InputError(
            f"a background of {plan.background:g} of {h0} H0 rows leaves none for the "
            f"{'background' if not size else 'scan'}; change the share or add rows"
        )
    return size


def tpr_at_fpr(score_N, positive_N, fpr: float = LOW_FPR) -> float:
    """The largest true-positive rate of a threshold whose false-positive rate is at most `fpr`.

    Rows with score >= threshold are flagged; nothing is interpolated, and H1 rows that tie with an
    H0 row too many count as missed. Of n H0 rows k = floor(fpr n) may be flagged. At 1% that is
    none of fewer than 100, and a single H0 row can bring the rate to 0. The false-positive rate
    of such a threshold on further rows is on average (k + 1)/(n + 1): 2% where n is 50, still 2%
    where it is 100, 1.1% where it is 1000. Below some hundreds of H0 rows the figure is coarse.

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
