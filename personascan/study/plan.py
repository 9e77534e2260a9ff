"""What a study will take, stage by stage and model by model, before anything is run.

Extraction is worked out from its FLOPs and the products measured on this device; every other stage
from one unit of it, done here on random numbers of its shape, with few permutations.
"""

import dataclasses
import tempfile
import time
from dataclasses import dataclass

import numpy as np

from personascan.analysis.chance import split_labels, split_plan
from personascan.analysis.detection import Labels
from personascan.calibration.calibrate import calibration_bytes
from personascan.interventions.design import count_ways
from personascan.memory import human_bytes
from personascan.models.load import inspect_model
from personascan.places import lines_of, named_place
from personascan.sources.base import Source, texts_of
from personascan.sources.language.plan import ExtractionPlan, plan_extraction
from personascan.study import stages
from personascan.study.comparisons import Pool, draw_topics
from personascan.study.config import CHOSEN, StudyConfig
from personascan.study.opening import (
    drawn,
    model_places,
    named_places,
    open_sources,
    refuse_impossible,
    study_groups,
)
from personascan.study.rows import StoredRows
from personascan.study.run import Workers
from personascan.study.splits import split
from personascan.study.status import duration
from personascan.study.study import SEPARATION_BYTES
from personascan.workers import WORKER_BYTES

TRIED = (4, 19)  # permutations of the units that are timed
RECORD_BYTES = 2000  # of a unit's JSON file, about


@dataclass(frozen=True)
class Stage:
    """Units of one kind, of one model."""

    kind: str
    units: int
    seconds: float  # of all, one after the other, on this machine
    disk: int  # bytes they leave
    memory: int  # bytes of one while it is done


@dataclass(frozen=True)
class ModelPlan:
    """One model: its extraction, and the stages behind it."""

    model: str
    extraction: ExtractionPlan | None  # None: the rows are no texts
    stages: list[Stage]
    processes: int

    @property
    def seconds(self) -> float:
        """Of everything."""
        extraction = 0.0
        if self.extraction:
            extraction = self.extraction.seconds + self.extraction.compile_seconds
        return extraction + sum(s.seconds for s in self.stages) / self.processes

    def summary(self) -> str:
        """The extraction's lines, and one for each stage."""
        header = f"{'stage':16s}{'units':>8s}{'time':>12s}{'on disk':>12s}{'memory':>12s}"
        lines = [
            f"{s.kind:16s}{s.units:8,d}{duration(s.seconds / self.processes):>12s}"
            f"{human_bytes(s.disk):>12s}{human_bytes(s.memory * self.processes):>12s}"
            for s in self.stages
        ]
        disk = sum(s.disk for s in self.stages)
        return "\n".join(
            [
                f"model             {self.model}",
                *([self.extraction.summary()] if self.extraction else []), "", header, *lines,
                f"all of it: about {duration(self.seconds)} with {self.processes} processes, "
                f"{human_bytes(disk)} on disk",
            ]
        )  # fmt: skip


@dataclass(frozen=True)
class StudyPlan:
    """A plan for each model."""

    models: list[ModelPlan]

    def summary(self) -> str:
        """Model by model, and the whole."""
        texts = [plan.summary() for plan in self.models]
        if len(texts) > 1:
            texts.append(f"all models: about {duration(sum(p.seconds for p in self.models))}")
        return "\n\n".join(texts)


@dataclass(frozen=True)
class Counted:
    """What of a model's units decides how many there are and how large."""

    pools: list[tuple[Pool, tuple[str, ...] | None]]  # with their texts
    widths: list[int]  # nodes of every place
    rows: int  # of all statements
    lines: int  # sites x positions
    named: int  # places that the configuration names
    topics: int  # whose personas are told apart
    together: int  # comparisons with others of their level beside them


def plan_models(config: StudyConfig, workers: Workers) -> StudyPlan:
    """The plan of a study. Raises InputError as opening it does; no parameter is read."""
    if not config.statements:
        return StudyPlan([plan_source(config, s, workers) for s in open_sources(config)])
    groups = study_groups(config)
    refuse_impossible(config, groups)
    statements = [s for found in groups.values() for s in found]
    plans = []
    for model in config.models:
        decoder, _ = inspect_model(model)
        keywords = config.extraction_keywords()
        places = model_places(config, model, decoder)
        named = [text for text in config.scan.places if text != CHOSEN]
        for text in named:
            named_place(text, places, decoder.layers)
        extraction = plan_extraction(
            model, statements, sites=config.sites, dtype=config.dtype, **keywords
        )
        widths = [decoder.site_shape(place.site)[1] for place in places]
        counted = count(config, groups, places, widths, len(named))
        found = plan_stages(config, counted)
        found += plan_interventions(config, len(counted.pools), extraction, workers.processes())
        plans.append(ModelPlan(model, extraction, found, workers.processes()))
    return StudyPlan(plans)


def plan_source(config: StudyConfig, source: Source, workers: Workers) -> ModelPlan:
    """The stages of a source whose rows are there, or made in no time beside them."""
    refuse_impossible(config, source.groups)
    named = named_places(config, source)
    group = next(iter(source.groups))
    widths = [source.shape(group, place)[1] for place in source.places]
    counted = count(config, source.groups, source.places, widths, len(named))
    return ModelPlan(source.name, None, plan_stages(config, counted), workers.processes())


def count(config: StudyConfig, groups, places, widths: list[int], named: int) -> Counted:
    """What a source's units are counted from."""
    levels = [[pool for _, pool, _ in drawn(config, groups, level)] for level in config.levels]
    pools = [(pool, texts_of(groups, pool.members)) for level in levels for pool in level]
    together = sum(len(level) for level in levels if len(level) > 1)
    topics = draw_topics(groups, config.apart, config.seed) if config.apart else []
    rows = sum(map(len, groups.values()))
    return Counted(pools, widths, rows, len(lines_of(places)), named, len(topics), together)


def plan_stages(config: StudyConfig, counted: Counted) -> list[Stage]:
    """Every stage behind extraction, timed by one unit at the widest place and largest pool."""
    plan, cases, places = config.localisation(), len(counted.pools), len(counted.widths)
    pool, texts = max(counted.pools, key=lambda pair: len(pair[0].ids))
    nodes, columns = max(counted.widths), max(counted.widths) * plan.options.sides.halves
    chooses, rows = CHOSEN in config.scan.places, len(pool.ids)
    share = sum(counted.widths) / (places * nodes)  # of the widest place's work, on average
    parts = (1 + 2 * chooses) if plan.permutations else 0
    labellings = plan.permutations + 1
    scans = 4 * chooses + counted.named
    timed = time_units(config, pool, texts, nodes)
    found = [
        Stage("activations", places * len({g for p, _ in counted.pools for g, _ in p.members}), 0.0,
              4 * counted.rows * sum(counted.widths), 0),
        *([Stage("wording", cases, timed["wording"] * cases, cases * RECORD_BYTES, 0)]
          if texts else []),
        Stage("separation", cases * places, timed["separation"] * cases * places * share,
              cases * places * RECORD_BYTES, SEPARATION_BYTES * rows * nodes),
        Stage("personas", counted.topics * places, timed["personas"] * counted.topics * places
              * share, counted.topics * places * RECORD_BYTES, 8 * rows * nodes),
        Stage("detection", cases * places, timed["detection"] * cases * places * share,
              cases * places * (RECORD_BYTES + 8 * rows), 8 * rows * nodes),
    ]  # fmt: skip
    size = calibration_bytes(
        (rows, nodes), plan.runs, plan.permutations, plan.statistic_runs, plan.options
    )
    if parts:
        # A half's samples are half as large, and so is the time of its scans.
        times = (1 + chooses) * timed["null"] * cases * places * share
        disk = parts * cases * places * (RECORD_BYTES + 8 * labellings * plan.statistic_runs)
        found.append(Stage("null", parts * cases * places, times, disk, size))
    kept = plan.runs.runs * (2 * nodes + rows) + 5 * labellings * columns + 16 * columns
    whole = 2 * chooses + counted.named  # a half's scan is half of one of all rows
    found.append(
        Stage("localisation", scans * cases, timed["localisation"] * whole * cases,
              scans * cases * (RECORD_BYTES + kept), size)
    )  # fmt: skip
    splits = counted.named * counted.together
    if plan.permutations and splits:
        kept = RECORD_BYTES + 4 * plan.permutations * nodes
        found.append(Stage("split", splits, timed["split"] * splits, kept * splits, size))
    if chooses:
        found.append(
            Stage("validation", 2 * cases, timed["validation"] * 2 * cases,
                  2 * cases * RECORD_BYTES, 6 * 8 * rows * nodes)
        )  # fmt: skip
    return [dataclasses.replace(s, memory=s.memory + WORKER_BYTES) for s in found]


def plan_interventions(
    config: StudyConfig, cases: int, extraction: ExtractionPlan, processes: int
) -> list[Stage]:
    """Interventions, from the tokens that are read: those of half of the blocks, on average."""
    plan = config.intervention
    if not plan.places:
        return []
    cases = min(plan.comparisons or cases, cases)
    units, ways = 2 * len(plan.places) * cases, count_ways(plan)
    each = extraction.seconds * (1 + plan.likelihood) / extraction.statements / 2
    # The model has all cores to itself, one unit after the other.
    seconds = units * ways * 2 * plan.statements * each * processes
    disk = units * (RECORD_BYTES + 60 * ways + 8 * ways * (2 * plan.statements + 2))
    return [Stage("intervention", units, seconds, disk, extraction.batch_bytes // processes)]


def time_units(config: StudyConfig, pool: Pool, texts, nodes: int) -> dict[str, float]:
    """Seconds of one unit of each kind, done on random numbers of that many rows and nodes."""
    plan, seed, labels = config.localisation(), 0, pool.positive_N
    size, every = (len(pool.ids), nodes), np.arange(len(pool.ids))
    find, judge = (stages.part_rows(pool, part, seed) for part in stages.HALVES)
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        path, node_set = f"{folder}/rows.npy", f"{folder}/set.npy"
        np.save(path, rng.normal(size=size).astype(np.float32))
        np.save(node_set, rng.random((1, nodes * plan.options.sides.halves)) < 0.05)
        rows = StoredRows(((path, every),), ("",), size)

        def of_labellings(function, *before, chosen=every, side_N=labels, runs=plan.runs) -> float:
            """Of all permutations, from two units of few: most of the work is in proportion."""
            asked = plan.permutations
            some = [min(asked, few) for few in TRIED]
            seconds = [
                timed(
                    function,
                    *(rows, *before, chosen, side_N, None),
                    dataclasses.replace(plan, runs=runs, permutations=few),
                    seed,
                )
                for few in some
            ]
            if some[0] == some[1]:
                return seconds[1]
            each = max(0.0, (seconds[1] - seconds[0]) / (some[1] - some[0]))
            return seconds[1] + each * (asked - some[1])

        found = {
            "wording": timed(stages.wording, list(texts), labels, None, seed) if texts else 0.0,
            "separation": timed(stages.separation, rows, labels, None, config.separation, seed),
            "detection": timed(
                stages.detection, rows, Labels(labels), config.detection, (plan.options,), seed
            ),
            "validation": timed(
                stages.validation, rows, Labels(labels), texts, node_set, find, judge,
                config.validation, seed,
            ),
            "personas": timed(stages.personas, rows, every % 5, None, seed),
            "localisation": of_labellings(stages.localisation, None),
        }  # fmt: skip
        if plan.permutations:
            found["null"] = of_labellings(stages.null)
            h0 = np.flatnonzero(~labels)
            half_N = split_labels(len(h0), seed)
            runs = split_plan(plan.runs, half_N)
            found["split"] = (
                of_labellings(split, chosen=h0, side_N=half_N, runs=runs) if runs else 0.0
            )
    return found


def timed(function, *arguments) -> float:
    """Seconds of a second call: the first one compiles."""
    function(*arguments)
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began
