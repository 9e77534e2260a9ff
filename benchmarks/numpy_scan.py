"""A plain vectorised NumPy scan to time ours against: two-sided p-values, Berk-Jones, one start."""

import numpy as np


def p_values(background_BD, evaluation_ND):
    """(n+1) p_max of every value, as whole numbers."""
    n, below_ND = len(background_BD), count_below(background_BD, evaluation_ND)
    return np.minimum(2 * np.minimum(n - below_ND + 1, below_ND + 1), n + 1)


def signed_p_values(background_BD, evaluation_ND):
    """The same of the right tail of every node, then of the left: [N, 2D]."""
    below_ND = count_below(background_BD, evaluation_ND)
    return np.concatenate([len(background_BD) - below_ND + 1, below_ND + 1], axis=1)


def count_below(background_BD, evaluation_ND):
    """How many background values come before each value; there are no ties."""
    n = len(background_BD)
    pool_ND = np.concatenate([background_BD, evaluation_ND])
    order_ND = pool_ND.argsort(0, kind="stable")
    below_ND = np.cumsum(order_ND < n, axis=0)
    found_ND = np.empty_like(below_ND)
    np.put_along_axis(found_ND, order_ND, below_ND, axis=0)
    return found_ND[n:]


def berk_jones(n_alpha, n, alpha):
    q = n_alpha / np.maximum(n, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(q < 1, (1 - q) * np.log((1 - q) / (1 - alpha)), 0.0)
        return np.where(q > alpha, n * (q * np.log(q / alpha) + rest), 0.0)


def best_prefix(counts_AX, other, alphas_A):
    """(score, alpha's index, members) of the best prefix of the members ordered by count."""
    order_AX = np.argsort(-counts_AX, axis=1)
    total_AX = np.cumsum(np.take_along_axis(counts_AX, order_AX, 1), axis=1)
    size_X = np.arange(1, counts_AX.shape[1] + 1) * other
    score_AX = berk_jones(total_AX, size_X, alphas_A[:, None])
    rank, cut = np.unravel_index(score_AX.argmax(), score_AX.shape)
    return score_AX[rank, cut], rank, order_AX[rank, : cut + 1]


def group_scan(counts_MD, n: int, alphas_A, rows):
    """The ascent from one row set: its score."""
    thresholds_A = np.floor(alphas_A * (n + 1) + 1e-9)
    planes_AMD = (counts_MD[None] <= thresholds_A[:, None, None]).astype(np.float32)
    best = -1.0
    while True:
        _, _, nodes = best_prefix(planes_AMD[:, rows].sum(1), len(rows), alphas_A)
        score, _, rows = best_prefix(planes_AMD[:, :, nodes].sum(2), len(nodes), alphas_A)
        if score <= best:
            return best
        best = score


def individual_scores(counts_ND, n: int, alphas_A):
    """The exact score of every row alone."""
    size_NA = np.stack([(counts_ND <= np.floor(a * (n + 1) + 1e-9)).sum(1) for a in alphas_A], 1)
    return (size_NA * np.log(1 / alphas_A)).max(1)


def individual_by_bisection(background_BD, evaluation_ND, n_alphas: int):
    """The exact signed score of every row at all alphas k/(n+1): a sort, two bisections and two
    histograms.
    """
    n = len(background_BD)
    shape = evaluation_ND.shape
    ranks = [np.empty(shape, np.min_scalar_type(n_alphas)) for _ in range(2)]
    for node, values_N in enumerate(evaluation_ND.T):
        sorted_B = np.sort(background_BD[:, node])
        below_N = np.searchsorted(sorted_B, values_N, "left")
        upto_N = np.searchsorted(sorted_B, values_N, "right")
        for rank_ND, beaten_N in zip(ranks, (n - below_N, upto_N), strict=True):
            rank_ND[:, node] = np.minimum(beaten_N, n_alphas)
    gain_A = np.log((n + 1) / np.arange(1, n_alphas + 1))
    score_N = np.empty(shape[0])
    for row, (high_D, low_D) in enumerate(zip(*ranks, strict=True)):
        counts_A = np.bincount(high_D, minlength=n_alphas + 1)
        counts_A += np.bincount(low_D, minlength=n_alphas + 1)
        score_N[row] = (counts_A[:-1].cumsum() * gain_A).max()
    return score_N
