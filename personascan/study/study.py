"""Running a study: its stages phase by phase, and then its results from the finished units."""

from dataclasses import replace

from personascan.calibration.calibrate import calibration_bytes
from personascan.errors import InputError
from personascan.memory import refuse_too_much
from personascan.study.case import Case, Level
from personascan.study.cluster import cluster
from personascan.study.opening import Opened, with_answers
from personascan.study.order import STAGES
from personascan.study.responses import response_works
from personascan.study.results import Study, read_part
from personascan.study.run import Workers, run_extractions, run_works
from personascan.study.stage import Phase
from personascan.study.stages import separation
from personascan.study.store import Store
from personascan.workers import WORKER_BYTES


def study_results(opened: Opened, store: Store, workers: Workers) -> Study:
    """Does the units that are not finished, and returns the results of all."""
    parts = []
    with cluster(workers.scheduler):
        for source in opened.sources:
            # A model takes all cores by itself: one unit after the other, in this process.
            works = response_works(source, opened.config.writing)
            run_works(works, store, replace(workers, jobs=1), "responses")
        opened = with_answers(opened, store)
        levels_of = [opened.levels(source, store) for source in opened.sources]
        for levels in levels_of:  # before the first hours of extraction
            check_memory(cases_of(levels), workers, say=True)
        for source, levels in zip(opened.sources, levels_of, strict=True):
            run_extractions(source, store, workers)
            check_memory(cases_of(levels), workers)  # beside what extraction has left in memory
            for phase in Phase:
                run_phase(phase, levels, store, workers)
                if phase is Phase.EVERYWHERE:
                    refuse_constant(cases_of(levels))
            parts += [read_part(level) for level in levels]
    return Study(opened.config, parts, opened.provenance)


def cases_of(levels: list[Level]) -> list[Case]:
    return [case for level in levels for case in level.cases]


def run_phase(phase: Phase, levels: list[Level], store: Store, workers: Workers) -> None:
    """Does all units of the stages of a phase."""
    stages = [stage for stage in STAGES if stage.phase is phase]
    works = [work for level in levels for stage in stages for work in stage.works(level)]
    # A model takes all cores by itself: one unit after the other, in this process.
    asks = phase in (Phase.ASKED, Phase.CROSSED)
    run_works(works, store, replace(workers, jobs=1) if asks else workers, phase.value)


def refuse_constant(cases: list[Case]) -> None:
    """Raises InputError if every place is constant."""
    if all(separation.read_place(c, place).constant for c in cases for place in c.source.places):
        raise InputError("every place is constant over the statements: there is nothing to scan")


def check_memory(cases: list[Case], workers: Workers, say: bool = False) -> None:
    """Raises InputError if memory cannot hold as many units at once as there are workers.

    say: print what the largest of them need.
    """
    if workers.scheduler:
        return  # other machines have their own
    options, processes = cases[0].config.localisation(), workers.processes()
    shapes = {case.rows(place).shape for case in cases for place in case.source.places}
    own = WORKER_BYTES * processes if processes > 1 else 0
    largest = max(rows * nodes for rows, nodes in shapes)
    fewer = "use fewer jobs or statements (limit)"
    refuse_too_much("separation", processes * largest * separation.BYTES + own, fewer, say)
    if not options.permutations:
        return
    needed = max(
        calibration_bytes(
            shape, options.samples, options.permutations, options.statistic_runs, options.scan
        )
        for shape in shapes
    )
    fewer = "use fewer jobs, scan.permutations, scan.statistic_runs or runs.runs"
    refuse_too_much("calibration", processes * needed + own, fewer, say)
