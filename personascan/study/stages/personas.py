"""The stage of topics: how well their personas are told from one another at a place."""

from dataclasses import asdict

import numpy as np

from personascan.analysis.personas import PersonaSeparation, persona_separation
from personascan.study.portions import pool_inputs
from personascan.study.rows import StoredRows
from personascan.study.stage import PLACE, Phase, Stage, Table, place_cells
from personascan.study.units import Unit, Work


def work(topic, place) -> Work:
    pool, rows = topic.pool, topic.rows(place)
    numbers = np.unique(pool.strata, return_inverse=True)[1]
    inputs = rows.inputs(numbers) | {"seed": topic.seed} | pool_inputs(pool)
    return Work(Unit("personas", inputs), do, (rows, numbers, pool.clusters, topic.seed))


def do(rows: StoredRows, persona_N, clusters_N, seed: int):
    return asdict(persona_separation(rows.array(), persona_N, seed, clusters_N=clusters_N)), {}


def read(level) -> dict:
    return {
        "persona_separation": {
            topic.pool.name: {
                place: PersonaSeparation(**topic.store.read(work(topic, place).unit).values)
                for place in topic.source.places
            }
            for topic in level.topics
        }
    }


def seconds(trial) -> float:
    topic = max(trial.counted.topics, key=lambda pool: len(pool.ids))
    numbers = np.unique(topic.strata, return_inverse=True)[1]
    rows = trial.random_rows("topic", numbers.size)
    return trial.time(do, rows, numbers, topic.clusters, trial.seed)


def table_rows(part):
    for topic, separations in part.persona_separation.items():
        for place, one in separations.items():
            values = (one.precision, one.f1, one.accuracy, one.chance)
            yield *place_cells(place), topic, *values


STAGE = Stage(
    "personas",
    Phase.EVERYWHERE,
    works=lambda level: [work(topic, p) for topic in level.topics for p in topic.source.places],
    count=lambda counted: len(counted.widths) * len(counted.topics),
    read=read,
    tables={
        "personas": Table((*PLACE, "topic", "precision", "f1", "accuracy", "chance"), table_rows)
    },
    seconds=seconds,
    everywhere=True,
    memory=lambda sizes: sizes.place,
)
