"""What a place tells of rows that chose neither it nor its direction, beside what their words tell.

Rows are dealt into folds. Without one fold, every place is set beside permuted labels and gives its
direction (`node_tests.readout`); the place furthest out scores the rows of the fold. Letters: P
places, K folds, N rows.
"""

from dataclasses import dataclass, field

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from personascan.analysis.claims import Claim, auroc, auroc_limits, compare_aurocs, sizes
from personascan.calibration.family import permutation_z
from personascan.calibration.label_exchange import Exchange, comparison_exchange, draw_exchanges
from personascan.calibration.statistics import LabelContrasts, place_statistics, standardise
from personascan.errors import InputError
from personascan.ridge import readout

WORDS, EMBEDDED = "word counts", "mean embedding"  # what is simpler than the layers
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


def can_hold_out(positive_N, folds: int, seed: int, entities=None, pairs=None) -> bool:
    """Whether the rows without any fold can be told, and their labels exchanged."""
    try:
        fold_N = folds_of(positive_N, folds, seed, entities if pairs is None else pairs)
        for number in range(fold_N.max() + 1):
            exchange_without(fold_N == number, positive_N, entities, pairs)
    except InputError:
        return False
    return True


def exchange_without(held_N, positive_N, entities=None, pairs=None) -> Exchange:
    """How the labels of the other rows may be exchanged. Raises InputError as `exchange_of`."""
    groups = (None if one is None else one[~held_N] for one in (entities, pairs))
    return comparison_exchange(positive_N[~held_N], *groups)


def crossfit_place(
    place_ND, positive_N, folds: int, permutations: int, seed: int, entities=None, pairs=None
) -> Crossfit:
    """A place's directions on rows that did not make them.

    Args:
      folds: at most half as many as rows, or entities, of the smaller side.
      permutations: labellings that say how far out the place is.
      entities, pairs: numbers [N] of rows that are exchanged as one, or with one another alone.

    Raises:
      InputError: as `folds_of` and `exchange_of`.
    """
    fold_N = folds_of(positive_N, folds, seed, entities if pairs is None else pairs)
    score_N, z_K = np.empty(positive_N.size), np.empty(fold_N.max() + 1)
    for number in range(z_K.size):
        train = fold_N != number
        exchange = exchange_without(~train, positive_N, entities, pairs)
        labels = LabelContrasts(exchange, draw_exchanges(exchange, permutations, seed))
        found = place_statistics("a place", place_ND[train], labels, ("direction",))
        z_K[number] = permutation_z(found["direction"][None])[0, 0]
        rows = standardise("a place", place_ND[train], exchange.group_N)
        direction_D = readout(rows.z_ND, rows.length_D, labels.contrasts_NT[:, 0])
        score_N[~train] = (place_ND[~train] - place_ND[train].mean(0)) @ direction_D
        spread = (place_ND[train] @ direction_D).std()
        score_N[~train] /= spread if spread > 0 else 1.0
    return Crossfit(z_K, score_N)


@dataclass(frozen=True)
class Simpler:
    """What tells the same rows without the layers of a network."""

    name: str
    auroc: float
    claim: Claim  # the AUROC of the places less this one, with its interval


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
    # {what is simpler: what it tells of the same rows in the same folds}: word counts and the
    # embedding's mean, of texts.
    simpler: dict[str, Simpler] = field(default_factory=dict)

    @property
    def hardest(self) -> Simpler | None:
        """The simpler way that is least surely beaten; None where there is none."""
        return min(self.simpler.values(), key=lambda one: one.claim.low, default=None)

    @property
    def beyond(self) -> bool:
        """Whether rows are told better than in each simpler way, by its interval."""
        return bool(self.simpler) and self.hardest.claim.low > 0


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
    found: dict, simpler: dict[str, np.ndarray], positive_N, fold_N, *, resamples: int,
    confidence: float, seed: int, clusters_N=None,
) -> HeldOut:  # fmt: skip
    """The nested scores of all places, beside those of what is simpler.

    Args:
      found: {place: Crossfit}.
      simpler: {name: scores [N] of the same held-out rows}.
      resamples, confidence: of the interval of each difference (`compare_aurocs`).
    """
    places, score_N = nested_scores(found, fold_N)
    beside = {}
    for name, other_N in simpler.items():
        claim = compare_aurocs(
            score_N, other_N, positive_N, resamples=resamples, confidence=confidence,
            rng=np.random.default_rng(seed), clusters_N=clusters_N,
        )  # fmt: skip
        beside[name] = Simpler(name, auroc(other_N, positive_N), claim)
    told_N, one = score_N > 0, auroc(score_N, positive_N)
    low, high = auroc_limits(one, sizes(positive_N, clusters_N), confidence)
    precision = float(positive_N[told_N].mean()) if told_N.any() else np.nan
    recall = float(told_N[positive_N].mean())
    return HeldOut(places, score_N, fold_N, one, low, high, precision, recall, beside)
