"""The nodes in which labelled rows diverge most: a group scan whose rows are fixed.

For given rows and an alpha the best node set is a prefix of the nodes ordered by their count of
significant rows (linear-time subset scanning; Neill 2012, FGSS section 3.4), with nodes of equal
count in or out together. So the search is exact over every attainable alpha and needs no starts.
Letters: N rows, M evaluation rows, C columns (nodes, or upper and then lower halves), A alphas, T
labellings.
"""

import numpy as np

from personascan.array_like import ArrayLike
from personascan.scan.options import ScanOptions
from personascan.scan.pvalues import check_pair, empirical_pvalues
from personascan.scan.result import NodeScan

LABELLED_ALPHAS = 24  # alphas of `labelled_scores`, in geometric steps


def node_scan(
    background: ArrayLike,
    evaluation: ArrayLike,
    *,
    score: str = "bj",
    tail: str = "signed",
    alpha_max: float = 0.5,
    alpha_min: float = 0.0,
    alphas: str | ArrayLike = "exact",
) -> NodeScan:
    """Finds the best nodes for given rows, exactly, over every alpha that the background attains.

    Args:
      background: activations [B, D] that give each node's expected distribution.
      evaluation: activations [M, D] of the rows, all of which count.
      score, tail, alpha_max, alpha_min, alphas: as in `group_scan`.

    Returns:
      NodeScan: of equal scores that with the smallest alpha, and there the larger set.

    Raises:
      InputError: as `empirical_pvalues`, and for unknown options or alphas outside (0, 1).
    """
    options = ScanOptions(
        score=score, tail=tail, alpha_max=alpha_max, alpha_min=alpha_min, alphas=alphas
    )
    background_BD, evaluation_MD = check_pair(background, evaluation)
    p_MC = empirical_pvalues(background_BD, evaluation_MD, tail=tail).p_max
    nothing = NodeScan(np.array([], int), np.array([], int), 0.0, np.nan, 0, 0)
    best, rows = nothing, len(p_MC)
    for alpha in options.alphas_for([len(background_BD)]):
        count_C = (p_MC <= alpha * (1 + 1e-12)).sum(0)
        value, least = best_cut(count_C[None], rows, alpha, options.phi)
        if value[0] <= best.score:
            continue
        chosen_C = count_C >= least[0]
        n_alpha, size = int(count_C[chosen_C].sum()), int(chosen_C.sum()) * rows
        best = NodeScan(
            *split_columns(chosen_C, options), float(value[0]), float(alpha), n_alpha, size
        )
    return best


def split_columns(chosen_C, options: ScanOptions) -> tuple[np.ndarray, np.ndarray]:
    """Returns the nodes chosen for high and for low values."""
    if options.sides.halves == 2:
        return tuple(map(np.flatnonzero, np.split(chosen_C, 2)))
    nodes, none = np.flatnonzero(chosen_C), np.array([], int)
    return (none, nodes) if options.tail == "left" else (nodes, none)


def best_cut(count_TC, rows: int, alpha: float, phi) -> tuple[np.ndarray, np.ndarray]:
    """Returns the best score over sets of whole ties, and the least count in it: [T] each."""
    labellings = len(count_TC)
    flat_X = (count_TC + (rows + 1) * np.arange(labellings)[:, None]).ravel()
    number_TK = np.bincount(flat_X, minlength=labellings * (rows + 1)).reshape(labellings, rows + 1)
    # From the highest count down: columns with at least so many, and their significant p-values.
    number_TK = number_TK[:, ::-1]
    columns_TK = number_TK.cumsum(1)
    hits_TK = (number_TK * np.arange(rows, -1, -1)).cumsum(1)
    score_TK = np.where(
        columns_TK > 0, phi(hits_TK.astype(float), columns_TK * float(rows), alpha, xp=np), 0.0
    )
    best_T = score_TK.argmax(1)
    return score_TK[np.arange(labellings), best_T], rows - best_T


def labelled_scores(place_ND, labels_TN, score: str = "bj", tail: str = "signed") -> np.ndarray:
    """Returns the node scan's score of labellings at each alpha: [A, T].

    Thresholds come from the rows of both sides together, so that they are the same for every
    labelling, and a share alpha of all rows lies beyond each (ties whole). Both sides are scored
    and the better one counts: a side that is spread wider has more values far out.
    """
    options = ScanOptions(score=score, tail=tail)
    rows = len(place_ND)
    p_NC = pooled_p(place_ND, tail)
    alphas_A = np.unique(np.geomspace(options.smallest(rows), 0.5, LABELLED_ALPHAS))
    labels_NT = labels_TN.T.astype(np.float32)
    h1_T = labels_TN.sum(1)
    best_AT = np.zeros((len(alphas_A), len(labels_TN)))
    for number, alpha in enumerate(alphas_A):
        beyond_CN = (p_NC <= alpha * (1 + 1e-12)).T.astype(np.float32)
        in_h1_CT = (beyond_CN @ labels_NT).astype(np.int64)
        in_h0_CT = beyond_CN.sum(1).astype(np.int64)[:, None] - in_h1_CT
        for count_CT, size_T in ((in_h1_CT, h1_T), (in_h0_CT, rows - h1_T)):
            for size in np.unique(size_T):
                of_size = size_T == size
                value_T, _ = best_cut(count_CT[:, of_size].T, int(size), alpha, options.phi)
                best_AT[number, of_size] = np.maximum(best_AT[number, of_size], value_T)
    return best_AT


def pooled_p(place_ND, tail: str) -> np.ndarray:
    """Returns for each value the share of all rows, its own too, at least as far out: [N, C]."""
    rows = len(place_ND)
    ordered_ND = np.sort(place_ND, axis=0)
    above_ND, below_ND = (np.empty(place_ND.shape) for _ in range(2))
    for node in range(place_ND.shape[1]):
        ordered_N, values_N = ordered_ND[:, node], place_ND[:, node]
        above_ND[:, node] = rows - np.searchsorted(ordered_N, values_N, "left")
        below_ND[:, node] = np.searchsorted(ordered_N, values_N, "right")
    if tail == "signed":
        return np.concatenate([above_ND, below_ND], axis=1) / rows
    if tail == "two":
        return np.minimum(1.0, 2 * np.minimum(above_ND, below_ND) / rows)
    return (above_ND if tail == "right" else below_ND) / rows


def calibrated_scores(score_AT) -> np.ndarray:
    """Scores each labelling by its best alpha, each alpha ranked among all labellings: [T].

    The score is minus the logarithm of the least share of labellings that reach the score of an
    alpha (arXiv 2206.12786). With many alphas many labellings are first at one of them; equal
    shares are ordered by the score in deviations of the alpha's labellings.
    """
    labellings = score_AT.shape[1]
    ordered_AT = np.sort(score_AT, axis=1)
    first_AT = np.stack([
        np.searchsorted(ordered_T, one_T, "left")
        for ordered_T, one_T in zip(ordered_AT, score_AT, strict=True)
    ])  # fmt: skip
    share_AT = (labellings - first_AT) / labellings
    deviation_A1 = score_AT.std(1, keepdims=True)
    deviation_A1 = np.where(deviation_A1 > 0, deviation_A1, 1.0)
    z_AT = (score_AT - score_AT.mean(1, keepdims=True)) / deviation_A1
    z_T = z_AT.max(0)
    return -np.log(share_AT.min(0)) + 0.01 * z_T / (1 + np.abs(z_T))
