"""Nested cross-validation of places: scores of rows that chose neither place nor direction.

Rows are dealt into folds. Without one fold, every place is tested against permuted labels and gives
its direction (`ridge.readout`); the place furthest above its permutations scores the rows of the
fold. Letters: P places, K folds, N rows.
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

WORDS, EMBEDDED = "word counts", "mean embedding"  # baselines without the layers
LEAST = 4  # rows or entities of a side, so that two remain without a fold


@dataclass(frozen=True)
class Crossfit:
    """The results of a place, fold by fold."""

    z_K: np.ndarray  # [K]: statistic of the rows without the fold, in deviations of permutations
    score_N: np.ndarray  # [N]: of each row, by the direction that did not see it


def folds_of(positive_N, folds: int, seed: int, entities=None) -> np.ndarray:
    """Returns the fold of each row [N]: both sides in every fold, entities undivided.

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


def can_hold_out(
    positive_N, folds: int, seed: int, entities=None, pairs=None, together=None
) -> bool:
    """Returns whether rows have folds without which enough labels can be exchanged."""
    try:
        fold_N = folds_of(positive_N, folds, seed, undivided(entities, pairs, together))
        for number in range(fold_N.max() + 1):
            exchange_without(fold_N == number, positive_N, entities, pairs)
    except InputError:
        return False
    return True


def undivided(entities, pairs, together):
    """Returns the groups that folds keep whole, of the three: the last one that is not None."""
    return next((one for one in (together, pairs, entities) if one is not None), None)


def exchange_without(held_N, positive_N, entities=None, pairs=None) -> Exchange:
    """Returns how labels of the other rows are exchanged. Raises InputError as `exchange_of`."""
    groups = (None if one is None else one[~held_N] for one in (entities, pairs))
    return comparison_exchange(positive_N[~held_N], *groups)


def crossfit_place(
    place_ND, positive_N, folds: int, permutations: int, seed: int, entities=None, pairs=None,
    together=None,
) -> Crossfit:  # fmt: skip
    """Scores the rows of each fold by a place's direction from the other folds.

    Args:
      folds: the most; there are at most half as many as rows, or entities, of the smaller side.
      permutations: labellings against which the place's statistic is standardised.
      entities, pairs: numbers [N] of rows that are exchanged as one, or with one another alone.
      together: numbers [N] of rows, whole pairs, that are in one fold; None: entities or pairs.

    Raises:
      InputError: as `folds_of` and `exchange_of`.
    """
    fold_N = folds_of(positive_N, folds, seed, undivided(entities, pairs, together))
    score_N, z_K = np.empty(positive_N.size), np.empty(fold_N.max() + 1)
    for number in range(z_K.size):
        train = fold_N != number
        exchange = exchange_without(~train, positive_N, entities, pairs)
        labels = LabelContrasts(exchange, draw_exchanges(exchange, permutations, seed))
        statistics = place_statistics("a place", place_ND[train], labels, ("direction",))
        z_K[number] = permutation_z(statistics["direction"][None])[0, 0]
        rows = standardise("a place", place_ND[train], exchange.group_N)
        direction_D = readout(rows.z_ND, rows.length_D, labels.contrasts_NT[:, 0])
        score_N[~train] = (place_ND[~train] - place_ND[train].mean(0)) @ direction_D
        spread = (place_ND[train] @ direction_D).std()
        score_N[~train] /= spread if spread > 0 else 1.0
    return Crossfit(z_K, score_N)


@dataclass(frozen=True)
class Simpler:
    """A baseline that tells the same rows apart without the layers of a network."""

    name: str
    auroc: float  # in whichever direction it tells rows better: at least 0.5
    claim: Claim  # the AUROC of the places less the baseline's, with its interval
    # Whether it is lower in H1, where training rows had it higher: what happens to rows that come
    # in pairs of like words, of which one is held out and the other one is not.
    turned: bool = False
    low: float = 0.5  # end of the AUROC's own interval

    @property
    def tells_reversed(self) -> bool:
        """Whether it tells held-out rows, and the wrong way round."""
        return self.turned and self.low > 0.5


@dataclass(frozen=True)
class HeldOut:
    """How well rows are classified by places and directions that they did not choose."""

    places: tuple  # the place of each fold
    score_N: np.ndarray  # of each row: above 0 it is classified as H1
    fold_N: np.ndarray
    auroc: float
    low: float  # 95% interval (`auroc_limits`)
    high: float
    precision: float  # of the rows that are classified as H1; NaN where none is
    recall: float
    # {name of a baseline: its results on the same rows in the same folds}; of texts, word counts
    # and the mean embedding.
    simpler: dict[str, Simpler] = field(default_factory=dict)

    @property
    def hardest(self) -> Simpler | None:
        """The baseline with the lowest limit of the difference; None if there are no baselines."""
        return min(self.simpler.values(), key=lambda one: one.claim.low, default=None)

    @property
    def beyond(self) -> bool:
        """Whether places beat every baseline: the intervals of the differences lie above 0."""
        return bool(self.simpler) and self.hardest.claim.low > 0


def nested_scores(crossfits: dict, fold_N) -> tuple[tuple, np.ndarray]:
    """Returns the best place without each fold, and the scores [N] that it gives to the fold."""
    keys, z_PK = list(crossfits), np.stack([one.z_K for one in crossfits.values()])
    best_K = z_PK.argmax(0)
    score_N = np.empty(fold_N.size)
    for number, best in enumerate(best_K):
        held = fold_N == number
        score_N[held] = crossfits[keys[best]].score_N[held]
    return tuple(keys[best] for best in best_K), score_N


def judge_held_out(
    crossfits: dict, simpler: dict[str, np.ndarray], positive_N, fold_N, *, resamples: int,
    confidence: float, seed: int, clusters_N=None,
) -> HeldOut:  # fmt: skip
    """Judges the nested scores of all places, and compares them with simpler baselines.

    Args:
      crossfits: {place: Crossfit}.
      simpler: {name: scores [N] of the same held-out rows}, which count in the direction in which
        they tell rows better.
      resamples, confidence: of the interval of each difference (`compare_aurocs`).
    """
    places, score_N = nested_scores(crossfits, fold_N)
    baselines = {}
    for name, other_N in simpler.items():
        told = auroc(other_N, positive_N)
        other_N = -other_N if told < 0.5 else other_N
        claim = compare_aurocs(
            score_N, other_N, positive_N, resamples=resamples, confidence=confidence,
            rng=np.random.default_rng(seed), clusters_N=clusters_N,
        )  # fmt: skip
        own = auroc(other_N, positive_N)
        limits = auroc_limits(own, sizes(positive_N, clusters_N), confidence)
        baselines[name] = Simpler(name, own, claim, bool(told < 0.5), float(limits[0]))
    predicted_N, auroc_ = score_N > 0, auroc(score_N, positive_N)
    low, high = auroc_limits(auroc_, sizes(positive_N, clusters_N), confidence)
    precision = float(positive_N[predicted_N].mean()) if predicted_N.any() else np.nan
    recall = float(predicted_N[positive_N].mean())
    return HeldOut(places, score_N, fold_N, auroc_, low, high, precision, recall, baselines)
