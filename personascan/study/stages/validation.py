"""A node set that one half of the rows found, at the place it chose, judged on the other half."""

from dataclasses import asdict, dataclass

import numpy as np

from personascan.analysis.detection import Labels
from personascan.analysis.judged import judge_scores
from personascan.analysis.localisation import HALVES
from personascan.analysis.validation import ValidationOptions, most_frequent, validate
from personascan.analysis.wording import bag_of_words_scores
from personascan.places import Place
from personascan.study.portions import pool_inputs, portion_rows
from personascan.study.stage import PLACE, Phase, Stage, Table, place_cells
from personascan.study.stages import nodes
from personascan.study.store import read_stored
from personascan.study.units import Unit, Work, sha256_of


@dataclass(frozen=True)
class Validated:
    """A node set found on one half of the rows, at the place it chose, judged on the other."""

    place: Place
    half: str  # that found it
    methods: dict[str, dict[str, float]]  # {method: {metric: value}}, as `validation.Validation`


def work(case, chooser: str, judge: str, place) -> Work:
    rows, pool, options, texts = case.rows(place), case.pool, case.config.validation, case.texts
    unit, file = nodes.file_of(case, chooser, place, "size_1C" if options.share else "set_1C")
    find, told = (portion_rows(pool, part, case.seed) for part in (chooser, judge))
    inputs = rows.inputs(pool.positive_N) | {
        "found": unit.key, "plan": asdict(options), "seed": case.seed,
        "texts": sha256_of(None if texts is None else list(texts)),
        "halves": sha256_of([find.tolist(), told.tolist()]),
    } | pool_inputs(pool)  # fmt: skip
    labels = Labels(pool.positive_N, pool.clusters)
    arguments = (rows, labels, texts, file, find, told, options, case.seed)
    return Work(Unit("validation", inputs), do, arguments)


def do(rows, labels, texts, file, find, judge, options: ValidationOptions, seed: int):
    positive_N = labels.positive_N
    columns_C = read_stored(file)[0]
    if options.share:  # the file holds sizes of effects
        columns_C = most_frequent(columns_C, options.share, rows.shape[1])
    known = {"clusters_N": labels.clusters_N}
    if texts is not None:
        known["length_N"] = np.array([len(text.split()) for text in texts])
    found = validate(rows.array(), positive_N, find, judge, columns_C, options, seed, **known)
    lines = list(found.rows())
    if texts is not None:
        words_N = bag_of_words_scores(
            [texts[i] for i in find], positive_N[find], [texts[i] for i in judge]
        )
        wording = judge_scores(words_N, positive_N[judge])
        lines += [("bag of words", "auroc", wording.auroc), ("bag of words", "tpr", wording.tpr)]
    return {"rows": lines}, {}


def validated(case) -> list[Validated]:
    found = []
    for chooser, judge, place, _ in case.choices():
        methods = {}
        for method, metric, value in case.read(work(case, chooser, judge, place)).values["rows"]:
            methods.setdefault(method, {})[metric] = value
        found.append(Validated(place, chooser, methods))
    return found


def table_rows(part):
    for name, found in part.validations.items():
        for v in found:
            for method, metrics in v.methods.items():
                for metric, value in metrics.items():
                    yield *place_cells(v.place), name, v.half, method, metric, float(value)


def seconds(trial) -> float:
    options, pool = trial.config.validation, trial.counted.largest
    # Nodes by how far they differ or, where no share of them is asked for, a set.
    size_1C = trial.rng.random((1, trial.rows.shape[1] * trial.halves)).astype(np.float32)
    file = trial.stored("set", size_1C if options.share else size_1C < 0.05)
    find, judge = (portion_rows(pool, half, trial.seed_of(pool)) for half in HALVES)
    return trial.timed(
        do, trial.rows, Labels(trial.positive_N), trial.counted.texts, file, find, judge, options,
        trial.seed,
    )  # fmt: skip


STAGE = Stage(
    "validation",
    Phase.JUDGED,
    works=lambda level: [
        work(case, chooser, judge, place)
        for case in level.cases for chooser, judge, place, _ in case.choices()
    ],
    count=lambda counted: 2 * counted.comparisons * counted.chooses,
    read=lambda level: {"validations": {case.name: validated(case) for case in level.cases}},
    tables={
        "validation": Table(
            (*PLACE, "comparison", "found_on_half", "method", "metric", "value"), table_rows
        )
    },
    seconds=seconds,
    memory=lambda sizes: 6 * sizes.place,
)  # fmt: skip
