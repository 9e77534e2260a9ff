"""Transfer: how well a probe that is trained on other comparisons tells the rows of one apart.

The supervised method of Azaria and Mitchell (arXiv 2304.13734): a classifier trained on other
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
def judge_transfer(
    train_ND, label_N, judge_ND, positive_N, probe_c: float, clusters_N=None
) -> Transfer:
    """Fits a ridge logistic regression to the training rows, and judges it on the other rows.

    Each set of rows is standardised by itself, without its labels: a comparison's subject moves all
    of its rows alike. Judged rows of one cluster count as one in the interval.
    """
    train_ND, judge_ND = (np.asarray(rows, float) for rows in (train_ND, judge_ND))
    both = np.unique(label_N).size == np.unique(positive_N).size == 2
    if not (both and np.ptp(train_ND, axis=0).any() and np.ptp(judge_ND, axis=0).any()):
        return Transfer(np.nan, np.nan, np.nan, len(train_ND))
    train_ND, judge_ND = (StandardScaler().fit_transform(rows) for rows in (train_ND, judge_ND))
    auroc_ = auroc(probe_scores(train_ND, label_N, judge_ND, probe_c), positive_N)
    return Transfer(auroc_, *auroc_limits(auroc_, sizes(positive_N, clusters_N)), len(train_ND))
