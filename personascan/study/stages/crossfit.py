"""What directions of all folds but one say of its rows, beside word counts and the embedding."""

import numpy as np

from personascan.analysis.claims import auroc
from personascan.analysis.crossfit import (
    EMBEDDED,
    WORDS,
    Crossfit,
    HeldOut,
    crossfit_place,
    folds_of,
    judge_held_out,
)
from personascan.study.rows import StoredRows
from personascan.study.stage import Columns, Phase, Stage, Table
from personascan.study.stages import where, words
from personascan.study.stages.where import LabelledRows
from personascan.study.units import Unit, Work


def work(case, place) -> Work:
    """How far out a place is without each fold, and what its direction says of the fold's rows."""
    rows, part, options = case.rows(place), case.every_row, case.config.where
    inputs = rows.inputs(case.pool.positive_N) | part.inputs() | {
        "folds": options.folds, "permutations": options.fold_permutations, "seed": case.seed,
    }  # fmt: skip
    arguments = (rows, part, options.folds, options.fold_permutations, case.seed)
    return Work(Unit("crossfit", inputs), do, arguments)


def do(rows: StoredRows, chosen: LabelledRows, folds: int, permutations: int, seed: int):
    found = crossfit_place(
        rows.array(),
        chosen.positive_N,
        folds,
        permutations,
        seed,
        chosen.entities_N,
        chosen.pairs_N,
    )  # fmt: skip
    return {}, {"z_K": found.z_K, "score_N": found.score_N}


def works(level) -> list[Work]:
    cases = [case for case in level.cases if case.holds_out]
    found = [work(case, place) for case in cases for place in case.source.places]
    # The embedding is a place that nobody chooses.
    return found + [work(case, case.source.embedding) for case in cases if case.source.embedding]


def at(case, place) -> Crossfit:
    arrays = case.read(work(case, place)).arrays
    return Crossfit(arrays["z_K"], arrays["score_N"])


def held_out_of(case, found: dict) -> HeldOut:
    """Rows told by the places that the other folds chose, beside what is simpler."""
    simpler, options, pool = {}, case.config.validation, case.pool
    if case.texts is not None:
        simpler[WORDS] = case.read(words.work(case)).arrays["score_N"]
    if case.source.embedding:
        simpler[EMBEDDED] = at(case, case.source.embedding).score_N
    fold_N = folds_of(pool.positive_N, case.config.where.folds, case.seed, pool.together)
    return judge_held_out(
        found, simpler, pool.positive_N, fold_N, resamples=options.bootstrap,
        confidence=options.level, seed=case.seed, clusters_N=pool.together,
    )  # fmt: skip


def read(level) -> dict:
    """Rows told unseen, and the AUROC of the same rows told by one place alone."""
    unseen, told = {}, {}
    for case in level.cases:
        if not case.holds_out:
            continue
        found = {place: at(case, place) for place in case.source.places}
        unseen[case.name] = held_out_of(case, found)
        told[case.name] = {
            place: auroc(one.score_N, case.pool.positive_N) for place, one in found.items()
        }
    return {"held_out": unseen, "told": told}


def table_rows(part):
    """Every row as it is told by a place and a direction that it did not choose."""
    for name, found in part.held_out.items():
        rows = zip(part.pool_ids[name], part.positive[name], found.fold_N.tolist(), strict=True)
        for i, (id_, positive, fold) in enumerate(rows):
            yield name, id_, int(positive), fold, str(found.places[fold]), found.score_N[i]


def seconds(trial) -> float:
    options = trial.config.where
    rest = options.folds, options.fold_permutations, trial.seed
    return trial.timed(do, trial.rows, trial.every_row(), *rest)


STAGE = Stage(
    "crossfit",
    Phase.EVERYWHERE,
    works=works,
    count=lambda counted: (
        (counted.everywhere + counted.comparisons * (counted.embedded > 0)) * counted.permuted
    ),
    read=read,
    columns=Columns(
        ("held_out_auroc",),
        lambda part, name, place: (part.told.get(name, {}).get(place, np.nan),),
    ),
    tables={"held_out": Table(("comparison", "id", "h1", "fold", "place", "score"), table_rows)},
    seconds=seconds,
    everywhere=True,
    disk=lambda sizes: 8 * sizes.rows,
    memory=where.memory,
)
