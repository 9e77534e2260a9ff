"""Held-out word counts: each fold's texts are scored by the word counts of the others."""

from personascan.analysis.crossfit import folds_of
from personascan.analysis.wording import held_out_word_scores
from personascan.study.stage import Phase, Stage
from personascan.study.stages.where import LabelledRows
from personascan.study.units import Unit, Work, sha256_of


def work(case) -> Work:
    chosen, options, texts = case.every_row, case.config.where, list(case.texts)
    labels = case.pool.positive_N.astype(int).tolist()
    inputs = chosen.inputs() | {
        "texts": sha256_of([texts, labels]), "folds": options.folds, "seed": case.seed,
    }  # fmt: skip
    return Work(Unit("words", inputs), do, (texts, chosen, options.folds, case.seed))


def do(texts, chosen: LabelledRows, folds: int, seed: int):
    fold_N = folds_of(chosen.positive_N, folds, seed, chosen.together_N)
    return {}, {"score_N": held_out_word_scores(texts, chosen.positive_N, fold_N)}


STAGE = Stage(
    "words",
    Phase.EVERYWHERE,
    works=lambda level: [
        work(case) for case in level.cases if case.holds_out and case.texts is not None
    ],
    count=lambda counted: counted.comparisons * bool(counted.texts) * counted.permuted,
    seconds=lambda t: t.time(
        do, list(t.counted.texts), t.every_row(), t.config.where.folds, t.seed
    ),
    disk=lambda sizes: 16 * sizes.rows,
)
