"""Cross-fitting: each fold's rows are scored by directions of the others, beside simpler scores."""

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
    """Returns the unit of a place: its z without each fold, and the scores of the fold's rows."""
    rows, chosen, options = case.rows(place), case.every_row, case.config.where
    inputs = rows.inputs(case.pool.positive_N) | chosen.inputs() | {
        "folds": options.folds, "permutations": options.fold_permutations, "seed": case.seed,
    }  # fmt: skip
    arguments = (rows, chosen, options.folds, options.fold_permutations, case.seed)
    return Work(Unit("crossfit", inputs), do, arguments)


def do(rows: StoredRows, chosen: LabelledRows, folds: int, permutations: int, seed: int):
    crossfit = crossfit_place(
        rows.array(),
        chosen.positive_N,
        folds,
        permutations,
        seed,
        chosen.entities_N,
        chosen.pairs_N,
        chosen.pair_entities_N,
    )  # fmt: skip
    return {}, {"z_K": crossfit.z_K, "score_N": crossfit.score_N}


def works(level) -> list[Work]:
    cases = [case for case in level.cases if case.holds_out]
    every = [work(case, place) for case in cases for place in case.source.places]
    # The embedding is a place that no fold chooses.
    return every + [work(case, case.source.embedding) for case in cases if case.source.embedding]


def read_place(case, place) -> Crossfit:
    arrays = case.read(work(case, place)).arrays
    return Crossfit(arrays["z_K"], arrays["score_N"])


def held_out_of(case, crossfits: dict) -> HeldOut:
    """Returns rows scored by the places that the other folds chose, beside simpler scores."""
    simpler, options, pool = {}, case.config.validation, case.pool
    if case.texts is not None:
        simpler[WORDS] = case.read(words.work(case)).arrays["score_N"]
    if case.source.embedding:
        simpler[EMBEDDED] = read_place(case, case.source.embedding).score_N
    fold_N = folds_of(pool.positive_N, case.config.where.folds, case.seed, pool.together)
    return judge_held_out(
        crossfits, simpler, pool.positive_N, fold_N, resamples=options.bootstrap,
        confidence=options.level, seed=case.seed, clusters_N=pool.together,
    )  # fmt: skip


def read(level) -> dict:
    """Returns the held-out scores of rows, and the AUROC of the same rows by one place alone."""
    by_comparison, aurocs = {}, {}
    for case in level.cases:
        if not case.holds_out:
            continue
        crossfits = {place: read_place(case, place) for place in case.source.places}
        by_comparison[case.name] = held_out_of(case, crossfits)
        aurocs[case.name] = {
            place: auroc(one.score_N, case.pool.positive_N) for place, one in crossfits.items()
        }
    return {"held_out": by_comparison, "place_aurocs": aurocs}


def table_rows(part):
    """Yields every row with its score by a place and a direction that were chosen without it."""
    for name, one in part.held_out.items():
        rows = zip(part.pool_ids[name], part.positive[name], one.fold_N.tolist(), strict=True)
        for i, (id_, positive, fold) in enumerate(rows):
            yield name, id_, int(positive), fold, str(one.places[fold]), one.score_N[i]


def seconds(trial) -> float:
    options = trial.config.where
    rest = options.folds, options.fold_permutations, trial.seed
    return trial.time(do, trial.rows, trial.every_row(), *rest)


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
        lambda part, name, place: (part.place_aurocs.get(name, {}).get(place, np.nan),),
    ),
    tables={"held_out": Table(("comparison", "id", "h1", "fold", "place", "score"), table_rows)},
    seconds=seconds,
    everywhere=True,
    disk=lambda sizes: 8 * sizes.rows,
    memory=where.memory,
)
