"""How closely the rows of an entity stand together at a place: their silhouette by entity."""

import numpy as np
from sklearn.metrics import silhouette_score

from personascan.study.parts import sha256_of
from personascan.study.rows import StoredRows
from personascan.study.stage import Columns, Phase, Stage
from personascan.study.units import Unit, Work


def work(case, place) -> Work:
    rows, clusters = case.rows(place), case.pool.clusters
    inputs = rows.inputs(case.pool.positive_N) | {"clusters": sha256_of(clusters.tolist())}
    return Work(Unit("cohesion", inputs), do, (rows, clusters))


def do(rows: StoredRows, clusters_N):
    return {"silhouette": silhouette(rows.array(), clusters_N)}, {}


def silhouette(rows_ND, clusters_N) -> float:
    """The mean silhouette of the rows of entities that have several; NaN of fewer than two such.

    1: far nearer to one another than to the next entity's rows, 0: no nearer (Rousseeuw 1987).
    """
    _, own_N, sizes = np.unique(clusters_N, return_inverse=True, return_counts=True)
    several_N = sizes[own_N] > 1
    if (sizes > 1).sum() < 2:
        return np.nan
    return float(silhouette_score(rows_ND[several_N], own_N[several_N]))


def read(level) -> dict:
    return {
        "cohesion": {
            case.name: {
                p: case.read(work(case, p)).values["silhouette"] for p in case.source.places
            }
            for case in named(level)
        }
    }


def named(level) -> list:
    """The comparisons whose rows name entities."""
    return [case for case in level.cases if case.pool.clusters is not None]


STAGE = Stage(
    "cohesion",
    Phase.EVERYWHERE,
    works=lambda level: [work(case, p) for case in named(level) for p in case.source.places],
    count=lambda counted: len(counted.widths) * sum(
        pool.clusters is not None for pools in counted.levels for pool in pools
    ),
    read=read,
    columns=Columns(
        ("entity_silhouette",),
        lambda part, name, place: (part.cohesion.get(name, {}).get(place, np.nan),),
    ),
    seconds=lambda trial: trial.timed(do, trial.rows, np.arange(trial.positive_N.size) // 2),
    everywhere=True,
    memory=lambda sizes: 8 * sizes.rows**2 + sizes.place,
)  # fmt: skip
