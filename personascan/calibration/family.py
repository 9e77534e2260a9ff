"""P-values of places and their family-wise correction: pure functions of stored statistics.

Under exchangeable labels the T + 1 values of a place are exchangeable, and so is any statistic that
treats all of them alike, such as a value less their mean over their deviation. Scores of scans have
many ties, which draws break; statistics of labelled rows have few, and a tie counts against the
labels (`conservative_family_p`). Letters: P places, T permutations (index 0 of T + 1 is observed),
R runs, A alphas.
"""

import numpy as np

FAMILIES = ("studentised", "min_p")  # how `locate` makes places comparable
TIE = 1e-5  # values that differ by this share are equal, as far as single precision can tell


def mean_statistic(scores_PTR) -> np.ndarray:
    """Returns the mean score over the runs of a labelling: [P, T + 1]."""
    return np.asarray(scores_PTR, np.float64).mean(-1)


def min_alpha_statistic(scores_APT, rng) -> np.ndarray:
    """Returns minus the least p over alphas, each alpha ranked among all T + 1: [P, T + 1].

    Ties within an alpha are broken at random (arXiv 2206.12786).
    """
    order = np.lexsort((rng.random(scores_APT.shape), -scores_APT), axis=-1)
    p_APT = (order.argsort(-1) + 1) / scores_APT.shape[-1]
    return -p_APT.min(0)


def studentise(statistic_PT) -> np.ndarray:
    """Returns values less their place's mean, in its deviations; 0 if all are equal: [P, T + 1]."""
    centred_PT = statistic_PT - statistic_PT.mean(1, keepdims=True)
    deviation_P1 = statistic_PT.std(1, keepdims=True)
    equal = deviation_P1 <= 1e-12 * np.abs(statistic_PT).max(1, keepdims=True)
    return np.where(equal, 0.0, centred_PT / np.where(equal, 1.0, deviation_P1))


def permutation_p(observed, null_XT, draws_X, draws_XT) -> np.ndarray:
    """Returns (b + 1) / (T + 1), b being the permutations that reach the observed value.

    The draws break ties: a permutation reaches an equal value if its draw is smaller (Phipson and
    Smyth 2010, with random ranks among equals).
    """
    observed_X1, draws_X1 = np.asarray(observed)[:, None], np.asarray(draws_X)[:, None]
    reached_XT = (null_XT > observed_X1) | ((null_XT == observed_X1) & (draws_XT < draws_X1))
    return (reached_XT.sum(1) + 1) / (null_XT.shape[1] + 1)


def place_p(statistic_PT, draws_PT) -> np.ndarray:
    """Returns the permutation p of every place by itself: [P]."""
    return permutation_p(statistic_PT[:, 0], statistic_PT[:, 1:], draws_PT[:, 0], draws_PT[:, 1:])


def family_p(z_PT, draws_PT) -> np.ndarray:
    """Returns the family-wise p of every place, from the maximum of each permutation: [P].

    It is valid for any dependence of the places (Westfall and Young 1993, single step).
    """
    highest_T, draw_T = highest(z_PT[:, 1:], draws_PT[:, 1:])
    shape = (len(z_PT), len(highest_T))
    return permutation_p(
        z_PT[:, 0],
        np.broadcast_to(highest_T, shape),
        draws_PT[:, 0],
        np.broadcast_to(draw_T, shape),
    )


def step_down_p(z_PT, draws_PT) -> np.ndarray:
    """Returns the step-down family-wise p of every place: [P].

    A place is compared with the maximum over itself and the places below it, so that p is never
    above that of `family_p` (Westfall and Young 1993, algorithm 2.8).
    """
    order_P = np.lexsort((draws_PT[:, 0], -z_PT[:, 0]))
    p_P, largest = np.empty(len(z_PT)), 0.0
    for rank, place in enumerate(order_P):
        rest = order_P[rank:]
        highest_T, draw_T = highest(z_PT[rest, 1:], draws_PT[rest, 1:])
        (p,) = permutation_p(z_PT[place, :1], highest_T[None], draws_PT[place, :1], draw_T[None])
        largest = max(largest, p)
        p_P[place] = largest
    return p_P


def highest(z_PT, draws_PT) -> tuple[np.ndarray, np.ndarray]:
    """Returns the highest value of each permutation and, of equals, the smallest draw: [T] each."""
    highest_T = z_PT.max(0)
    return highest_T, np.where(z_PT == highest_T, draws_PT, np.inf).min(0)


def tie_draws(seed: int, keys, labellings: int) -> np.ndarray:
    """Returns uniform draws that break ties, from seed and key of each place: [P, T + 1]."""
    return np.stack(
        [np.random.default_rng([seed, *str(key).encode()]).random(labellings) for key in keys]
    )


def tie_limit(values_PT) -> np.ndarray:
    """Returns the observed values less a tolerance for single precision: [P, 1]."""
    return values_PT[:, :1] - TIE * np.abs(values_PT).max(1, keepdims=True)


def conservative_family_p(values_PT, family: str) -> np.ndarray:
    """Returns the single-step family-wise p of every place, ties counted against the labels: [P].

    family: one of FAMILIES.
    """
    scaled_PT, slack_P1 = common_scale(values_PT, family)
    return (scaled_PT.max(0) >= scaled_PT[:, :1] - slack_P1).mean(1)


def conservative_step_down_p(values_PT, family: str) -> np.ndarray:
    """Returns the step-down p, never above `conservative_family_p`: [P].

    Westfall and Young 1993, algorithm 2.8.
    """
    scaled_PT, slack_P1 = common_scale(values_PT, family)
    order_P = np.argsort(-scaled_PT[:, 0], kind="stable")
    highest_PT = np.maximum.accumulate(scaled_PT[order_P[::-1]], axis=0)[::-1]
    reached_PT = highest_PT >= scaled_PT[order_P, :1] - slack_P1[order_P]
    p_P = np.empty(order_P.size)
    p_P[order_P] = np.maximum.accumulate(reached_PT.mean(1))
    return p_P


def common_scale(values_PT, family: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns values on a scale that places share, and the tolerance of ties there: [P, 1]."""
    if family == "min_p":
        return clear_ranks(values_PT), np.zeros((len(values_PT), 1))
    deviation_P1 = values_PT.std(1, keepdims=True)
    some_P1 = deviation_P1 > 1e-12 * np.abs(values_PT).max(1, keepdims=True)
    slack_P1 = values_PT[:, :1] - tie_limit(values_PT)
    return studentise(values_PT), np.where(
        some_P1, slack_P1 / np.where(some_P1, deviation_P1, 1), 0
    )


def clear_ranks(values_PT) -> np.ndarray:
    """Counts for each value those of its place that lie below it by more than TIE: [P, T + 1]."""
    step_P1 = TIE * np.abs(values_PT).max(1, keepdims=True)
    ordered_PT = np.sort(values_PT, axis=1)
    return np.stack([
        np.searchsorted(ordered_T, values_T - step, "left")
        for ordered_T, values_T, step in zip(ordered_PT, values_PT, step_P1[:, 0], strict=True)
    ])  # fmt: skip


def permutation_z(values_PT) -> np.ndarray:
    """Returns values in deviations from the mean of permutations, 0 if equal: [P, T + 1]."""
    mean_P1 = values_PT[:, 1:].mean(1, keepdims=True)
    deviation_P1 = values_PT[:, 1:].std(1, keepdims=True)
    equal_P1 = deviation_P1 <= 1e-12 * np.abs(values_PT).max(1, keepdims=True)
    return np.where(equal_P1, 0.0, (values_PT - mean_P1) / np.where(equal_P1, 1.0, deviation_P1))
