"""Rows told by places and directions that did not see them."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import personascan
from personascan.analysis.crossfit import (
    Crossfit,
    can_hold_out,
    crossfit_place,
    folds_of,
    judge_held_out,
    nested_scores,
)

ROWS = 40
POSITIVE = np.arange(ROWS) % 2 == 0


def places(seed, strength):
    """Three places, of which the second tells the sides."""
    pool = np.random.default_rng(seed).normal(size=(3, ROWS, 8)).astype(np.float32)
    pool[1][np.ix_(POSITIVE, range(4))] += strength
    return dict(enumerate(pool))


def crossfitted(pool, positive_N=POSITIVE):
    return {key: crossfit_place(rows, positive_N, 4, 39, 0) for key, rows in pool.items()}


def test_the_place_that_tells_is_chosen_in_every_fold_and_its_rows_are_told():
    fold_N = folds_of(POSITIVE, 4, 0)
    found = judge_held_out(
        crossfitted(places(0, 2.0)), {}, POSITIVE, fold_N, resamples=100, confidence=0.95, seed=0
    )
    assert found.places == (1,) * 4
    assert found.auroc == pytest.approx(roc_auc_score(POSITIVE, found.score_N))
    assert found.auroc > 0.9
    assert found.low < found.auroc <= found.high
    assert found.hardest is None
    assert not found.beyond
    assert found.precision > 0.8
    assert found.recall > 0.8


def test_nothing_is_told_where_labels_mean_nothing():
    """Choosing the place and the direction does not leak into what they are judged by."""
    aurocs = []
    for seed in range(30):
        positive_N = np.random.default_rng(seed).permutation(POSITIVE)
        fold_N = folds_of(positive_N, 4, 0)
        _, score_N = nested_scores(crossfitted(places(seed, 0.0), positive_N), fold_N)
        aurocs.append(roc_auc_score(positive_N, score_N))
    assert abs(np.mean(aurocs) - 0.5) < 4 * np.std(aurocs) / np.sqrt(30)


def test_words_that_tell_as_much_leave_no_difference():
    found = crossfitted(places(0, 2.0))
    fold_N = folds_of(POSITIVE, 4, 0)
    _, score_N = nested_scores(found, fold_N)
    asked = dict(resamples=200, confidence=0.95, seed=0)
    noise_N = np.random.default_rng(0).normal(size=ROWS)
    both = {"word counts": noise_N, "mean embedding": score_N}
    same = judge_held_out(found, both, POSITIVE, fold_N, **asked)
    assert same.hardest.name == "mean embedding"
    assert same.hardest.claim.difference == 0
    assert not same.beyond
    assert same.simpler["word counts"].claim.low > 0
    assert judge_held_out(found, {"word counts": noise_N}, POSITIVE, fold_N, **asked).beyond


def test_entities_are_in_one_fold_and_too_few_are_known_beforehand():
    entity = np.arange(ROWS) // 4
    positive_N = np.isin(entity, [0, 2, 4, 6, 8])
    fold_N = folds_of(positive_N, 4, 0, entity)
    assert all(len(set(fold_N[entity == number])) == 1 for number in range(10))
    assert can_hold_out(positive_N, 4, 0, entity)
    few = np.minimum(entity, 5)  # three of one side
    assert not can_hold_out(few % 2 == 0, 4, 0, few)
    with pytest.raises(personascan.InputError, match="3 entities of a side are too few"):
        folds_of(few % 2 == 0, 4, 0, few)


@pytest.mark.parametrize("sizes", [(12, 1, 1, 1, 15, 1, 1, 8), (20, 1, 1, 1, 1, 16), (38, 1, 1)])
def test_what_cannot_be_held_out_is_what_is_refused(sizes):
    """Entities of very different sizes, or hardly any."""
    entity = np.repeat(np.arange(len(sizes)), sizes)
    positive_N = entity < len(sizes) // 2
    rows_ND = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)
    assert can_hold_out(positive_N, 4, 0, entity) == (len(sizes) == 8)
    if len(sizes) == 8:
        assert np.isfinite(crossfit_place(rows_ND, positive_N, 4, 19, 0, entity).score_N).all()
        return
    with pytest.raises(personascan.InputError):
        crossfit_place(rows_ND, positive_N, 4, 19, 0, entity)


def test_simpler_scores_count_in_the_direction_that_tells_rows_better():
    positive_N = np.arange(40) % 2 == 0
    rng = np.random.default_rng(0)
    score_N = positive_N + 0.5 * rng.normal(size=40)
    crossfits = {"here": Crossfit(np.ones(5), score_N)}
    folds = folds_of(positive_N, 5, 0)
    reversed_N = -(positive_N + 0.7 * rng.normal(size=40))
    one, other = (
        judge_held_out(
            crossfits, {"words": scores}, positive_N, folds, resamples=200, confidence=0.95, seed=0
        ).simpler["words"]
        for scores in (reversed_N, -reversed_N)
    )
    assert one.auroc == other.auroc > 0.8
    assert one.claim == other.claim
    assert (one.turned, other.turned) == (True, False)
    assert (one.tells_reversed, other.tells_reversed) == (True, False)
