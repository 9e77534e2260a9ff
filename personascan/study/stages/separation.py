"""Separation: cluster metrics and a probe say how far apart H1 and H0 lie at a place."""

from dataclasses import asdict

from personascan.analysis.separation import (
    METRICS,
    Separation,
    SeparationOptions,
    place_separation,
)
from personascan.study.portions import pool_inputs
from personascan.study.rows import StoredRows
from personascan.study.stage import Columns, Phase, Stage
from personascan.study.units import Unit, Work, sha256_of

# Of a number in a worker: float32, and a few copies in float64 in PCA and the probe.
BYTES = 4 + 5 * 8


def work(case, place) -> Work:
    rows, pool, options = case.rows(place), case.pool, case.config.separation
    inputs = rows.inputs(pool.positive_N) | {"plan": asdict(options), "seed": case.seed}
    inputs |= pool_inputs(pool)
    if pool.pairs is not None:
        inputs["together"] = sha256_of(pool.together.tolist())
    arguments = (rows, pool.positive_N, pool.together, options, case.seed)
    return Work(Unit("separation", inputs), do, arguments)


def do(rows: StoredRows, positive_N, clusters_N, options: SeparationOptions, seed: int):
    return asdict(place_separation(rows.array(), positive_N, options, seed, clusters_N)), {}


def read_place(case, place) -> Separation:
    """Returns the separation at a place, from a finished unit."""
    return Separation(**case.read(work(case, place)).values)


def columns(part, name: str, place) -> tuple:
    separation = part.separation[name][place]
    both = separation.mean, separation.deviation
    return int(separation.constant), *(v[metric] for metric in METRICS for v in both)


STAGE = Stage(
    "separation",
    Phase.EVERYWHERE,
    works=lambda level: [work(case, p) for case in level.cases for p in case.source.places],
    count=lambda counted: counted.everywhere,
    read=lambda level: {
        "separation": {
            case.name: {p: read_place(case, p) for p in case.source.places} for case in level.cases
        }
    },
    columns=Columns(
        ("constant", *(f"{m}_{part}" for m in METRICS for part in ("mean", "deviation"))), columns
    ),
    seconds=lambda t: t.time(do, t.rows, t.positive_N, None, t.config.separation, t.seed),
    everywhere=True,
    memory=lambda sizes: BYTES * sizes.rows * sizes.nodes,
)
