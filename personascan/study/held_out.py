"""Rows told by places and directions that they did not choose, from finished units."""

from personascan.analysis.claims import auroc
from personascan.analysis.crossfit import (
    EMBEDDED,
    WORDS,
    Crossfit,
    HeldOut,
    folds_of,
    held_out,
)
from personascan.places import Place
from personascan.study import located
from personascan.study.course import Case


def crossfits_of(case: Case) -> dict[Place, Crossfit]:
    return {
        place: located.crossfit_of(case.store.read(case.crossfit(place).unit))
        for place in case.source.places
    }


def told_of(case: Case) -> dict[Place, float]:
    """How well each place tells rows by directions that they did not choose."""
    positive_N = case.pool.positive_N
    return {place: auroc(one.score_N, positive_N) for place, one in crossfits_of(case).items()}


def held_out_of(case: Case) -> HeldOut:
    """Rows told by the places that the other folds chose, beside what is simpler."""
    simpler = {}
    if case.texts is not None:
        simpler[WORDS] = case.store.read(case.words().unit).arrays["score_N"]
    if case.source.embedding:
        embedded = located.crossfit_of(case.store.read(case.embedded().unit))
        simpler[EMBEDDED] = embedded.score_N
    found, plan, pool = crossfits_of(case), case.config.validation, case.pool
    fold_N = folds_of(pool.positive_N, case.config.where.folds, case.seed, pool.together)
    return held_out(
        found, simpler, pool.positive_N, fold_N, resamples=plan.bootstrap, level=plan.level,
        seed=case.seed, clusters_N=pool.together,
    )  # fmt: skip
