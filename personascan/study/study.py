"""A study's results: stage after stage, each from finished units."""

from dataclasses import replace

from personascan.calibration.calibrate import calibration_bytes
from personascan.errors import InputError
from personascan.memory import refuse_too_much
from personascan.study.course import Case, crossed
from personascan.study.opening import Opened
from personascan.study.results import Study, read_part
from personascan.study.run import Workers, cluster, run_extractions, run_works
from personascan.study.splits import split_works
from personascan.study.store import Store
from personascan.workers import WORKER_BYTES

# A place in a worker: as float32, and a few copies as float64 in PCA and the probe.
SEPARATION_BYTES = 4 + 5 * 8


def study_results(opened: Opened, store: Store, workers: Workers) -> Study:
    """Do what is not finished, and read what was found."""
    config = opened.config
    with cluster(workers):
        parts = []
        for source in opened.sources:
            run_extractions(source, store, workers)
            levels = opened.cases(source, store)
            cases = [case for level in levels for case in level]
            say_memory(cases, workers)
            topics = opened.told_apart(source, store)
            everywhere = [w for one in (*cases, *topics) for w in one.searches()]
            run_works(everywhere, store, workers, "places")
            if all(c.separation_at(q).constant for c in cases for q in source.places):
                raise InputError(
                    "every place is constant over the statements: there is nothing to scan"
                )
            chosen = [w for c in cases for w in (*c.localisations(), *c.projections())]
            chosen += [work for level in levels for work in split_works(level)]
            run_works(chosen, store, workers, "chosen places")
            run_works(opened.transfers(levels), store, workers, "transfer")
            judged = [w for c in cases for w in c.validations()]
            run_works(judged, store, workers, "validation")
            # A model takes all cores by itself: one unit after the other, in this process.
            alone = replace(workers, jobs=1)
            run_works([w for c in cases for w in c.interventions()], store, alone, "interventions")
            several = [one for level in levels for one in crossed(level)]
            works = [case.specificity(*rest) for case, *rest in several]
            run_works(works, store, alone, "specificity")
            for number, level in enumerate(levels):
                # Personas are told apart whatever the level: that stands with the first one.
                parts.append(read_part(level, topics if number == 0 else []))
    return Study(config, parts, opened.provenance)


def say_memory(cases: list[Case], workers: Workers) -> None:
    """What the largest units need, as many at once as there are workers; refused if too much."""
    if workers.scheduler:
        return  # other machines have their own
    plan, processes = cases[0].plan, workers.processes()
    shapes = {case.rows(place).shape for case in cases for place in case.source.places}
    own = WORKER_BYTES * processes if processes > 1 else 0
    largest = max(rows * nodes for rows, nodes in shapes)
    fewer = "use fewer jobs or statements (limit)"
    refuse_too_much("separation", processes * largest * SEPARATION_BYTES + own, fewer, say=True)
    if not plan.permutations:
        return
    needed = max(
        calibration_bytes(shape, plan.runs, plan.permutations, plan.statistic_runs, plan.options)
        for shape in shapes
    )
    fewer = "use fewer jobs, scan.permutations, scan.statistic_runs or runs.runs"
    refuse_too_much("calibration", processes * needed + own, fewer, say=True)
