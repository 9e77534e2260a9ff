"""Detection: rows are scanned alone at every place, and their scores tell H1 from H0."""

import dataclasses

from personascan.analysis.detection import Detection, DetectionOptions, Labels, detect
from personascan.scan.options import ScanOptions
from personascan.study.place_options import single_tails
from personascan.study.portions import label_inputs
from personascan.study.rows import StoredRows
from personascan.study.stage import PLACE, Columns, Phase, Stage, Table, place_cells
from personascan.study.units import Unit, Work

FIELDS = ("auroc", "auroc_deviation", "tpr", "tpr_deviation")  # in the table of places
DETECTION = (  # in the table of detection
    "auroc", "auroc_deviation", "auroc_low", "auroc_high", "tpr", "tpr_deviation", "background",
    "h0",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Detector:
    """One way of scanning rows alone."""

    tail: str
    conditional: bool = False

    def __str__(self) -> str:
        return f"{self.tail}, within conditions" if self.conditional else self.tail


def detectors(config) -> list[Detector]:
    """Returns the detectors that scan rows alone; the first has the tail of all scans."""
    options = config.detection
    return [
        Detector(tail, conditional)
        for conditional in (False, *([True] if options.conditional else []))
        for tail in (config.scan.tail, *options.tails)
    ]


def split_inputs(options: DetectionOptions) -> dict:
    """Returns the options that decide which rows are the background."""
    return {"splits": options.splits, "background": options.background, "draw": options.draw}


def work(case, place, detector: Detector | None = None) -> Work:
    """Returns the unit of a place by a detector; None: the first."""
    detector = detectors(case.config)[0] if detector is None else detector
    rows, options, seed = case.detection_rows(place), case.config.detection, case.seed
    conditions = case.conditions if detector.conditional else None
    labels = Labels(case.detection_pool.positive_N, case.detection_pool.clusters, conditions)
    scans = case.config.tail_options(detector.tail)
    inputs = rows.inputs(labels.positive_N) | label_inputs(labels) | {
        "plan": split_inputs(options), "options": [dataclasses.asdict(o) for o in scans],
        "seed": seed,
    }  # fmt: skip
    return Work(Unit("detection", inputs), do, (rows, labels, options, scans, seed))


def do(
    rows: StoredRows, labels: Labels, options: DetectionOptions, scans: tuple[ScanOptions, ...],
    seed: int,
):  # fmt: skip
    return as_result(detect(rows.array(), labels, options, scans, seed))


def as_result(detection: Detection):
    values = {f.name: getattr(detection, f.name) for f in dataclasses.fields(detection)}
    return values, {"score_N": values.pop("score_N")}


def of_result(result) -> Detection:
    return Detection(**result.values, **result.arrays)


def read(level) -> dict:
    """Returns {comparison: {detector: {place: Detection}}}, the tail of all scans first."""
    return {
        "all_detections": {
            case.name: {
                detector: {
                    place: of_result(case.read(work(case, place, detector)))
                    for place in case.source.places
                }
                for detector in detectors(case.config)
            }
            for case in level.cases
        }
    }


def table_rows(part):
    """Yields the detection at every place by every detector, and that of the baselines."""
    for name, detections in part.all_detections.items():
        for detector, places in detections.items():
            for place, d in places.items():
                yield *place_cells(place), name, "scan", str(detector), *values_of(d)
        for method, (place, d) in part.baselines[name].items():
            yield *place_cells(place), name, method, "", *values_of(d)


def values_of(detection: Detection) -> tuple:
    return tuple(getattr(detection, field) for field in DETECTION)


def seconds(trial) -> float:
    labels, options = Labels(trial.positive_N), trial.config.detection
    return trial.time(do, trial.rows, labels, options, (trial.options.scan,), trial.seed)


STAGE = Stage(
    "detection",
    Phase.EVERYWHERE,
    works=lambda level: [
        work(case, place, detector)
        for case in level.cases for place in case.source.places
        for detector in detectors(case.config)
    ],
    count=lambda counted: counted.everywhere * len(detectors(counted.config)),
    read=read,
    columns=Columns(
        tuple(f"detection_{field}" for field in FIELDS),
        lambda part, name, place: tuple(
            getattr(part.detections[name][place], field) for field in FIELDS
        ),
    ),
    tables={
        "detection": Table(
            (*PLACE, "comparison", "method", "tail", *DETECTION), table_rows, always=True
        )
    },
    seconds=seconds,
    everywhere=True,
    # "either" is two tails.
    timed_units=lambda counted, count: counted.everywhere * sum(
        len(single_tails(d.tail)) for d in detectors(counted.config)
    ),
    disk=lambda sizes: 8 * sizes.rows,
    memory=lambda sizes: sizes.place,
)  # fmt: skip
