"""Wording: how well word counts alone tell a comparison's texts, by cross-validation."""

import numpy as np

from personascan.analysis.wording import bag_of_words_accuracy
from personascan.study.portions import pool_inputs
from personascan.study.stage import Columns, Phase, Stage
from personascan.study.units import Unit, Work, sha256_of


def work(case) -> Work:
    pool, texts = case.pool, list(case.texts)
    labels = pool.positive_N.astype(int).tolist()
    inputs = {"texts": sha256_of([texts, labels]), "seed": case.seed} | pool_inputs(pool)
    if pool.pairs is not None:
        inputs["together"] = sha256_of(pool.together.tolist())
    return Work(Unit("wording", inputs), do, (texts, pool.positive_N, pool.together, case.seed))


def do(texts, positive_N, clusters_N, seed: int):
    mean, deviation = bag_of_words_accuracy(texts, positive_N, seed=seed, clusters_N=clusters_N)
    return {"mean": mean, "deviation": deviation}, {}


def accuracy(case) -> tuple[float, float]:
    """Returns the held-out accuracy, mean and deviation; NaN where rows are no texts."""
    if case.texts is None:
        return np.nan, np.nan
    values = case.read(work(case)).values
    return values["mean"], values["deviation"]


STAGE = Stage(
    "wording",
    Phase.EVERYWHERE,
    works=lambda level: [work(case) for case in level.cases if case.texts is not None],
    count=lambda counted: counted.comparisons if counted.texts else 0,
    read=lambda level: {"wording": {case.name: accuracy(case) for case in level.cases}},
    columns=Columns(("wording_accuracy",), lambda part, name, place: (part.wording[name][0],)),
    seconds=lambda t: t.time(do, list(t.counted.texts), t.positive_N, None, t.seed),
)
