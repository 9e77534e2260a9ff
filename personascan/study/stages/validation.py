"""Validation: a half's node set, at the place that it chose, is judged on the other half."""

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
class HalfValidation:
    """The judgement of a node set by the half of the rows that did not find it."""

    place: Place
    half: str  # that found the set
    methods: dict[str, dict[str, float]]  # {method: {metric: value}}, as `validation.Validation`


def work(case, chooser: str, judge: str, place) -> Work:
    rows, pool, options, texts = case.rows(place), case.pool, case.config.validation, case.texts
    unit, file = nodes.file_of(case, chooser, place, "size_1C" if options.share else "set_1C")
    find, judging = (portion_rows(pool, half, case.seed) for half in (chooser, judge))
    inputs = rows.inputs(pool.positive_N) | {
        "found": unit.key, "plan": asdict(options), "seed": case.seed,
        "texts": sha256_of(None if texts is None else list(texts)),
        "halves": sha256_of([find.tolist(), judging.tolist()]),
    } | pool_inputs(pool)  # fmt: skip
    labels = Labels(pool.positive_N, pool.clusters)
    arguments = (rows, labels, texts, file, find, judging, options, case.seed)
    return Work(Unit("validation", inputs), do, arguments)


def do(rows, labels, texts, file, find, judge, options: ValidationOptions, seed: int):
    positive_N = labels.positive_N
    columns_C = read_stored(file)[0]
    if options.share:  # the file holds sizes of effects
        columns_C = most_frequent(columns_C, options.share, rows.shape[1])
    known = {"clusters_N": labels.clusters_N}
    if texts is not None:
        known["length_N"] = np.array([len(text.split()) for text in texts])
    validation = validate(rows.array(), positive_N, find, judge, columns_C, options, seed, **known)
    lines = list(validation.rows())
    if texts is not None:
        words_N = bag_of_words_scores(
            [texts[i] for i in find], positive_N[find], [texts[i] for i in judge]
        )
        wording = judge_scores(words_N, positive_N[judge])
        lines += [("bag of words", "auroc", wording.auroc), ("bag of words", "tpr", wording.tpr)]
    return {"rows": lines}, {}


def validations(case) -> list[HalfValidation]:
    every = []
    for chooser, judge, place, _ in case.choices():
        methods = {}
        for method, metric, value in case.read(work(case, chooser, judge, place)).values["rows"]:
            methods.setdefault(method, {})[metric] = value
        every.append(HalfValidation(place, chooser, methods))
    return every


def table_rows(part):
    for name, halves in part.validations.items():
        for v in halves:
            for method, metrics in v.methods.items():
                for metric, value in metrics.items():
                    yield *place_cells(v.place), name, v.half, method, metric, float(value)


def seconds(trial) -> float:
    options, pool = trial.config.validation, trial.counted.largest
    # Nodes by how far they differ or, where no share of them is asked for, a set.
    size_1C = trial.rng.random((1, trial.rows.shape[1] * trial.halves)).astype(np.float32)
    file = trial.store_array("set", size_1C if options.share else size_1C < 0.05)
    find, judge = (portion_rows(pool, half, trial.seed_of(pool)) for half in HALVES)
    return trial.time(
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
    read=lambda level: {"validations": {case.name: validations(case) for case in level.cases}},
    tables={
        "validation": Table(
            (*PLACE, "comparison", "found_on_half", "method", "metric", "value"), table_rows
        )
    },
    seconds=seconds,
    memory=lambda sizes: 6 * sizes.place,
)  # fmt: skip
