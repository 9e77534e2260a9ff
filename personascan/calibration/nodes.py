"""Error rates of the nodes that the runs of one place select, from selection frequencies.

Letters: T permutations (index 0 of T + 1 is observed), C columns: nodes, or their upper and then
their lower halves. Frequencies are shares of R runs.
"""

import numpy as np


def expected_false(frequency_TC, threshold: float) -> float:
    """Returns the mean number of columns at or above the threshold under permuted labels."""
    return float((frequency_TC[1:] >= threshold).sum(1).mean())


def q_values(frequency_TC, labelling: int = 0) -> np.ndarray:
    """Returns for each column the least q(t) of a threshold t that includes it: [C].

    q(t) is the number of columns expected at or above t under the other labellings over the number
    observed, at most 1; the running minimum makes it monotone. A column never returned has q = 1.
    """
    return q_against(frequency_TC[labelling], labelling, np.sort(frequency_TC, axis=1))


def q_against(observed_C, labelling: int, ordered_TC) -> np.ndarray:
    """Returns the q-values of one labelling's frequencies, given all labellings' in order."""
    thresholds = np.unique(observed_C)
    columns = ordered_TC.shape[1]
    reaching_TK = np.stack([columns - np.searchsorted(row_C, thresholds) for row_C in ordered_TC])
    observed_K = reaching_TK[labelling]
    others = len(ordered_TC) - 1
    expected_K = (reaching_TK.sum(0) - observed_K) / others
    ratio_K = np.where(thresholds > 0, np.minimum(1.0, expected_K / observed_K), 1.0)
    return np.minimum.accumulate(ratio_K)[np.searchsorted(thresholds, observed_C)]


def family_p(frequency_TC, runs: int) -> np.ndarray:
    """Returns the family-wise p of every column: [C].

    Each column's frequency is studentised by its own T + 1 values, and compared with the maximum
    over columns inside each permutation (Westfall and Young 1993). One run's share is added to the
    deviation: a column that only one labelling selects would else be as far out as possible.
    """
    mean_C, deviation_C = frequency_TC.mean(0), frequency_TC.std(0)
    z_TC = (frequency_TC - mean_C) / (deviation_C + 1 / runs)
    highest_T = np.sort(z_TC[1:].max(1))
    reached_C = len(highest_T) - np.searchsorted(highest_T, z_TC[0])
    return (reached_C + 1) / len(z_TC)


def sets_under_labels(frequency_TC: np.ndarray, q: float) -> np.ndarray:
    """Returns the columns with q-value <= q of every labelling against all others: [T + 1, C]."""
    ordered_TC = np.sort(frequency_TC, axis=1)
    return np.stack([q_against(one_C, t, ordered_TC) <= q for t, one_C in enumerate(frequency_TC)])


def as_nodes(columns_XC, halves: int) -> np.ndarray:
    """Returns columns as nodes: the higher frequency of both halves: [..., D].

    For masks it is either half.
    """
    if halves == 1:
        return columns_XC
    return np.maximum(*np.split(columns_XC, 2, axis=-1))
