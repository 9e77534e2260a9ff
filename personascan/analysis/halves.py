"""Scores of judging rows by what finding rows teach: probes on some nodes, and mean differences.

Letters: N rows, D nodes, X some of the nodes, C columns (upper halves, then lower ones).
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from personascan.errors import InputError

EVERY = slice(None)
LEAST = 2  # rows of each label in each half


@dataclass(frozen=True)
class Halves:
    """The rows of a place that found a node set, and those that judge it."""

    find_ND: np.ndarray  # activations, float64
    judge_ND: np.ndarray
    find_N: np.ndarray  # bool: H1
    judge_N: np.ndarray
    find_z_ND: np.ndarray  # standardised by the rows that found
    judge_z_ND: np.ndarray
    probe_c: float  # inverse strength of the probes' ridge

    @property
    def constant(self) -> bool:
        """Whether either half does not vary, so that no method can work."""
        return not (np.ptp(self.find_ND, axis=0).any() and np.ptp(self.judge_ND, axis=0).any())

    def probe(self, nodes=EVERY, label_N=None) -> np.ndarray:
        """Scores the judging rows by a probe trained on some nodes of the finding rows: [N]."""
        label_N = self.find_N if label_N is None else label_N
        return probe_scores(
            self.find_z_ND[:, nodes], label_N, self.judge_z_ND[:, nodes], self.probe_c
        )

    def projections(self) -> np.ndarray:
        """Projects the judging rows onto mean H1 - mean H0 of the finding rows: [N]."""
        h1_ND, h0_ND = self.find_ND[self.find_N], self.find_ND[~self.find_N]
        return self.judge_ND @ (h1_ND.mean(0) - h0_ND.mean(0))

    def signed_sums(self, columns_C) -> np.ndarray:
        """Sums the judging rows' standardised values, upper halves less lower ones: [N]."""
        upper_D, lower_D = np.split(columns_C.astype(float), 2)
        return self.judge_z_ND @ (upper_D - lower_D)

    def most_different(self, count: int) -> np.ndarray:
        """Returns the nodes of the largest |effect| over the finding rows: [count]."""
        effect_D = np.abs(effects(self.find_ND[self.find_N], self.find_ND[~self.find_N]))
        return np.argsort(-effect_D, kind="stable")[:count]


def halve(place_ND, positive_N, find_rows, judge_rows, probe_c: float) -> Halves:
    """Standardises two sets of a place's rows by the first; constant nodes are only centred."""
    find_ND, judge_ND = (place_ND[rows].astype(float) for rows in (find_rows, judge_rows))
    scaler = StandardScaler().fit(find_ND)
    return Halves(
        find_ND, judge_ND, positive_N[find_rows], positive_N[judge_rows],
        scaler.transform(find_ND), scaler.transform(judge_ND), probe_c,
    )  # fmt: skip


def probe_scores(train_NX, label_N, judge_NX, probe_c: float) -> np.ndarray:
    """Returns log odds [N] of the judged rows by ridge logistic regression on the training rows."""
    probe = LogisticRegression(C=probe_c, max_iter=2000).fit(train_NX, label_N)
    return probe.decision_function(judge_NX)


def effects(h1_ND, h0_ND) -> np.ndarray:
    """Returns (mean H1 - mean H0) / pooled deviation of each node [D]; 0 if all values are equal.

    Infinite where a node is constant within H1 and within H0 but not over both.
    """
    freedom = len(h1_ND) + len(h0_ND) - 2
    squares_D = sum(((side_ND - side_ND.mean(0)) ** 2).sum(0) for side_ND in (h1_ND, h0_ND))
    # Sums of equal numbers are rounded: nodes that are constant on both sides go by their values.
    flat_D = np.ptp(h1_ND, axis=0) + np.ptp(h0_ND, axis=0) == 0
    difference_D = np.where(flat_D, h1_ND[0] - h0_ND[0], h1_ND.mean(0) - h0_ND.mean(0))
    pooled_D = np.where(flat_D, 0.0, np.sqrt(squares_D / freedom))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference_D == 0, 0.0, difference_D / pooled_D)


def check_halves(find_rows, judge_rows, positive_N) -> tuple[np.ndarray, np.ndarray]:
    """Returns row numbers of both halves. Raises InputError if they overlap or are too few."""
    halves = []
    for name, rows in (("find_rows", find_rows), ("judge_rows", judge_rows)):
        rows = np.asarray(rows)
        if rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise InputError(f"{name} must be row numbers, got {rows.dtype} {rows.shape}")
        if rows.size and not 0 <= rows.min() <= rows.max() < positive_N.size:
            raise InputError(f"{name} holds a row outside 0..{positive_N.size - 1}")
        if np.unique(rows).size < rows.size:
            raise InputError(f"{name} names a row twice; each row counts once")
        sizes = int(positive_N[rows].sum()), int((~positive_N[rows]).sum())
        if min(sizes) < LEAST:
            raise InputError(
                f"{name} has {sizes[0]} H1 and {sizes[1]} H0 rows; each label needs {LEAST}"
            )
        halves.append(rows)
    if shared := np.intersect1d(*halves).size:
        raise InputError(
            f"find_rows and judge_rows share {shared} rows; a node set is judged on other rows "
            "than those that found it"
        )
    return halves[0], halves[1]
