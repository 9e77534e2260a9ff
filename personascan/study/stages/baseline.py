"""Baselines: how well something simpler than a scan tells single rows, over the same splits."""

import numpy as np

from personascan.analysis.baselines import detect_simply
from personascan.analysis.detection import DetectionOptions, Labels
from personascan.study.portions import label_inputs
from personascan.study.rows import StoredRows
from personascan.study.stage import Phase, Stage
from personascan.study.stages.detection import as_result, of_result, split_inputs
from personascan.study.units import Unit, Work


def work(case, baseline) -> Work:
    rows, labels = case.detection_rows(baseline.place), case.labels
    options, method = case.config.detection, baseline.method
    inputs = rows.inputs(labels.positive_N) | label_inputs(labels) | {
        "plan": split_inputs(options), "method": method, "seed": case.seed,
    }  # fmt: skip
    return Work(Unit("baseline", inputs), do, (rows, labels, method, options, case.seed))


def do(rows: StoredRows, labels: Labels, method: str, options: DetectionOptions, seed: int):
    return as_result(detect_simply(rows.array(), labels, method, options, seed))


def read(level) -> dict:
    """Returns {comparison: {baseline: (place, Detection)}}."""
    return {
        "baselines": {
            case.name: {
                b.name: (b.place, of_result(case.read(work(case, b))))
                for b in case.source.baselines
            }
            for case in level.cases
        }
    }


def seconds(trial) -> float:
    """Returns the seconds of one baseline, on average."""
    labels, methods = Labels(trial.positive_N), [b.method for b in trial.counted.baselines]
    rest = trial.config.detection, trial.seed
    return float(np.mean([trial.time(do, trial.rows, labels, m, *rest) for m in methods]))


STAGE = Stage(
    "baseline",
    Phase.EVERYWHERE,
    works=lambda level: [work(case, b) for case in level.cases for b in case.source.baselines],
    count=lambda counted: counted.comparisons * len(counted.baselines),
    read=read,
    seconds=seconds,
    disk=lambda sizes: 8 * sizes.rows,
    memory=lambda sizes: sizes.place,
)
