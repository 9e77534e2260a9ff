"""What a place tells of rows that chose neither it nor its direction, beside what their words tell.

Rows are dealt into folds. Without one fold, every place is set beside permuted labels and gives its
direction (`node_tests.readout`); the place furthest out scores the rows of the fold. Letters: P
places, K folds, N rows.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from personascan.analysis.claims import Claim, auroc, auroc_limits, compare_aurocs, sizes
from personascan.calibration.exchangeable import Exchange, draw_exchanges, exchange_of
from personascan.calibration.locate import by_permutations
from personascan.calibration.statistics import Labelled, place_statistics, standardised
from personascan.errors import InputError
from personascan.ridge import readout

LEAST = 4  # rows or entities of a side, so that two are left without a fold


@dataclass(frozen=True)
class Crossfit:
    """A place, fold by fold."""

    z_K: np.ndarray  # [K]: of the rows without the fold, in deviations of their permutations
    score_N: np.ndarray  # [N]: of each row by the direction that did not see it


def folds_of(positive_N, folds: int, seed: int, entities=None) -> np.ndarray:
    """The fold of each row [N]: both sides in every fold, entities whole.

    Raises:
      InputError: fewer than four rows, or entities, of a side.
    """
    units = min(sizes(positive_N, entities))
    if units < LEAST:
        what = "rows" if entities is None else "entities"
        raise InputError(f"{units} {what} of a side are too few to judge on; {LEAST} are needed")
    folds, labels_N = min(folds, units // 2), positive_N.astype(int)
    if entities is None:
        split = StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels_N, labels_N)
    else:
        split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(
            labels_N, labels_N, entities
        )
    fold_N = np.empty(labels_N.size, int)
    for number, (_, held) in enumerate(split):
        fold_N[held] = number
    return fold_N


def can_hold_out(positive_N, folds: int, seed: int, entities=None) -> bool:
    """Whether the rows without any fold can be told, and their labels exchanged."""
    try:
        fold_N = folds_of(positive_N, folds, seed, entities)
        for number in range(fold_N.max() + 1):
            exchange_without(fold_N == number, positive_N, entities)
    except InputError:
        return False
    return True


def exchange_without(held_N, positive_N, entities=None) -> Exchange:
    """How the labels of the other rows may be exchanged. Raises InputError as `exchange_of`."""
    return exchange_of(
        positive_N[~held_N], entities=None if entities is None else entities[~held_N]
    )


def crossfit_place(
    place_ND, positive_N, folds: int, permutations: int, seed: int, entities=None
) -> Crossfit:
    """A place's directions on rows that did not make them.

    Args:
      folds: at most half as many as rows, or entities, of the smaller side.
      permutations: labellings that say how far out the place is.

    Raises:
      InputError: as `folds_of` and `exchange_of`.
    """
    fold_N = folds_of(positive_N, folds, seed, entities)
    score_N, z_K = np.empty(positive_N.size), np.empty(fold_N.max() + 1)
    for number in range(z_K.size):
        train = fold_N != number
        exchange = exchange_without(~train, positive_N, entities)
        labels = Labelled(exchange, draw_exchanges(exchange, permutations, seed))
        found = place_statistics("a place", place_ND[train], labels, ("direction",))
        z_K[number] = by_permutations(found["direction"][None])[0, 0]
        rows = standardised("a place", place_ND[train], exchange.group_N)
        direction_D = readout(rows.z_ND, rows.length_D, labels.contrasts_NT[:, 0])
        score_N[~train] = (place_ND[~train] - place_ND[train].mean(0)) @ direction_D
        spread = (place_ND[train] @ direction_D).std()
        score_N[~train] /= spread if spread > 0 else 1.0
    return Crossfit(z_K, score_N)


@dataclass(frozen=True)
class HeldOut:
    """How rows are told by places and directions that they did not choose."""

    places: tuple  # the place of each fold
    score_N: np.ndarray  # of each row: above 0 it is told as H1
    fold_N: np.ndarray
    auroc: float
    low: float  # 95% interval (`auroc_limits`)
    high: float
    precision: float  # of the rows that are told as H1; NaN where none is
    recall: float
    words: float  # AUROC of word counts on the same rows and folds; NaN where rows are no texts
    claim: Claim | None  # the difference of both, with its interval


def nested_scores(found: dict, fold_N) -> tuple[tuple, np.ndarray]:
    """The place furthest out without each fold, and what it says of the fold's rows: [N]."""
    keys, z_PK = list(found), np.stack([one.z_K for one in found.values()])
    best_K = z_PK.argmax(0)
    score_N = np.empty(fold_N.size)
    for number, best in enumerate(best_K):
        held = fold_N == number
        score_N[held] = found[keys[best]].score_N[held]
    return tuple(keys[best] for best in best_K), score_N


def held_out(
    found: dict, words_N, positive_N, fold_N, *, resamples: int, level: float, seed: int,
    clusters_N=None,
) -> HeldOut:  # fmt: skip
    """The nested scores of all places, beside those of word counts where there are some.

    Args:
      found: {place: Crossfit}.
      words_N: held-out scores of word counts; None: rows are no texts.
      resamples, level: of the interval of the difference (`compare_aurocs`).
    """
    places, score_N = nested_scores(found, fold_N)
    claim = None if words_N is None else compare_aurocs(
        score_N, words_N, positive_N, resamples=resamples, level=level,
        rng=np.random.default_rng(seed), clusters_N=clusters_N,
    )  # fmt: skip
    told_N, one = score_N > 0, auroc(score_N, positive_N)
    low, high = auroc_limits(one, sizes(positive_N, clusters_N), level)
    return HeldOut(
        places, score_N, fold_N, one, low, high,
        float(positive_N[told_N].mean()) if told_N.any() else np.nan,
        float(told_N[positive_N].mean()),
        np.nan if words_N is None else auroc(words_N, positive_N), claim,
    )  # fmt: skip
