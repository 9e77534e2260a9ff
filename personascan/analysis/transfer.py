"""A probe trained on other comparisons: what is told by more than the rows of one.

The supervised yardstick of Azaria and Mitchell (arXiv 2304.13734), a classifier trained on other
topics. Letters: N rows, D nodes.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from personascan.analysis.claims import auroc, auroc_limits, sizes
from personascan.analysis.halves import probe_scores


@dataclass(frozen=True)
class Transfer:
    """How well the probe tells H1 from H0 in rows that it was not trained on."""

    auroc: float  # NaN where either set of rows is constant, or of one label
    low: float  # 95% interval over the judged rows (`claims.auroc_limits`)
    high: float
    trained: int  # rows


@threadpool_limits.wrap(limits=1)  # as in validation: the same digits whatever the cores
def transferred(
    train_ND, label_N, judge_ND, positive_N, probe_c: float, clusters_N=None
) -> Transfer:
    """A ridge logistic regression on the standardised training rows, held to the judged ones.

    Each set of rows is standardised by itself, without its labels: comparisons differ in what they
    are about, and that moves all of their rows alike. Judged rows of one cluster count as one in
    the interval.
    """
    train_ND, judge_ND = (np.asarray(rows, float) for rows in (train_ND, judge_ND))
    both = np.unique(label_N).size == np.unique(positive_N).size == 2
    if not (both and np.ptp(train_ND, axis=0).any() and np.ptp(judge_ND, axis=0).any()):
        return Transfer(np.nan, np.nan, np.nan, len(train_ND))
    train_ND, judge_ND = (StandardScaler().fit_transform(rows) for rows in (train_ND, judge_ND))
    found = auroc(probe_scores(train_ND, label_N, judge_ND, probe_c), positive_N)
    return Transfer(found, *auroc_limits(found, sizes(positive_N, clusters_N)), len(train_ND))
