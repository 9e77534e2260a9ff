"""Transfer: probes trained on the other comparisons judge one; no entity is on both sides."""

from dataclasses import asdict

import numpy as np

from personascan.analysis.transfer import Transfer, judge_transfer
from personascan.study.comparisons import deal_entities
from personascan.study.portions import pool_inputs
from personascan.study.rows import StoredRows, stored_rows
from personascan.study.stage import PLACE, Phase, Stage, Table, place_cells
from personascan.study.units import Unit, Work


def work(case, place, others: list) -> Work:
    pools = [other.pool for other in others]
    judged, pools = deal_entities(case.source.groups, case.pool, pools, case.seed)
    rows, *trained = (
        stored_rows(case.store, case.source, pool, place) for pool in (judged, *pools)
    )
    labelled = [(one, pool.positive_N) for one, pool in zip(trained, pools, strict=True)]
    probe_c = case.config.separation.probe_c
    inputs = rows.inputs(judged.positive_N) | {
        "others": [other.inputs(labels) for other, labels in labelled], "probe_c": probe_c,
    } | pool_inputs(judged)  # fmt: skip
    arguments = (rows, judged.positive_N, judged.clusters, labelled, probe_c)
    return Work(Unit("transfer", inputs), do, arguments)


def do(rows: StoredRows, positive_N, clusters_N, others, probe_c: float):
    train_ND = np.concatenate([other.array() for other, _ in others])
    label_N = np.concatenate([labels for _, labels in others])
    transfer = judge_transfer(train_ND, label_N, rows.array(), positive_N, probe_c, clusters_N)
    return asdict(transfer), {}


def works_of(level) -> dict[str, dict]:
    """Returns {comparison: {place: its unit}}; {} if not asked for, or of a single comparison."""
    if not level.config.transfer or len(level.cases) < 2:
        return {}
    return {
        case.name: {
            place: work(case, place, [other for other in level.cases if other is not case])
            for place in case.source.places
        }
        for case in level.cases
    }


def read(level) -> dict:
    store = level.cases[0].store
    return {
        "transfers": {
            name: {place: Transfer(**store.read(one.unit).values) for place, one in works.items()}
            for name, works in works_of(level).items()
        }
    }


def table_rows(part):
    for name, transfers in part.transfers.items():
        for place, t in transfers.items():
            yield *place_cells(place), name, t.auroc, t.low, t.high, t.trained


def seconds(trial) -> float:
    others = max(map(len, trial.counted.levels)) - 1
    trained, probe_c = [(trial.rows, trial.positive_N)] * others, trial.config.separation.probe_c
    return trial.time(do, trial.rows, trial.positive_N, None, trained, probe_c)


STAGE = Stage(
    "transfer",
    Phase.EVERYWHERE,
    works=lambda level: [one for works in works_of(level).values() for one in works.values()],
    count=lambda counted: counted.peers * len(counted.widths) * counted.config.transfer,
    read=read,
    tables={
        "transfer": Table(
            (*PLACE, "comparison", "auroc", "auroc_low", "auroc_high", "trained_on"), table_rows
        )
    },
    seconds=seconds,
    everywhere=True,
    memory=lambda sizes: 6 * sizes.place,
)
