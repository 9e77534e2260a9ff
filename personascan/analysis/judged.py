"""The methods that a validation compares, and how well each tells H1 from H0."""

from dataclasses import dataclass

import numpy as np

from personascan.analysis.claims import auroc
from personascan.analysis.rates import precision_recall, tpr_at_fpr
from personascan.analysis.unlabelled import OUTLIERS

FOUND, RANDOM, TOP, SIGNED = "found nodes", "random nodes", "top mean difference", "signed sum"
DIRECTION, ALL, SHUFFLED = "mean-difference direction", "all nodes", "shuffled labels"
CLUSTERS, LENGTH = "k-means", "length"


@dataclass(frozen=True)
class Judged:
    """How well a method tells H1 from H0 on the judging rows; None: it has no such figure."""

    auroc: float | None = None  # of repeated methods the mean, as is tpr
    tpr: float | None = None  # at an FPR of at most 1%: see `rates.tpr_at_fpr`
    auroc_deviation: float | None = None
    tpr_deviation: float | None = None
    precision: float | None = None  # of the rows flagged at the method's own threshold
    recall: float | None = None


# The figures that each method has, NaN until they are known.
RATES = Judged(auroc=np.nan, tpr=np.nan)
REPEATED = Judged(auroc=np.nan, tpr=np.nan, auroc_deviation=np.nan, tpr_deviation=np.nan)
UNKNOWN = {
    FOUND: RATES, RANDOM: REPEATED, TOP: RATES, SIGNED: RATES, DIRECTION: RATES, ALL: RATES,
    SHUFFLED: REPEATED,
    **dict.fromkeys(OUTLIERS, Judged(np.nan, np.nan, precision=np.nan, recall=np.nan)),
    CLUSTERS: Judged(precision=np.nan, recall=np.nan),
}  # fmt: skip


def judge_scores(score_N, positive_N) -> Judged:
    """Returns the figures of a score that has no threshold of its own."""
    return Judged(auroc(score_N, positive_N), tpr_at_fpr(score_N, positive_N))


def average_repeats(repeats: list[Judged]) -> Judged:
    """Averages a repeated method: means and deviations."""
    auroc_K, tpr_K = (np.array([getattr(r, name) for r in repeats]) for name in ("auroc", "tpr"))
    return Judged(*(float(v) for v in (auroc_K.mean(), tpr_K.mean(), auroc_K.std(), tpr_K.std())))


def flags(flagged_N, positive_N) -> dict[str, float]:
    """Returns precision and recall of flagged rows, by name."""
    every_N = np.ones((1, positive_N.size), bool)
    precision_R, recall_R = precision_recall(flagged_N[None], every_N, positive_N)
    return {"precision": float(precision_R[0]), "recall": float(recall_R[0])}
