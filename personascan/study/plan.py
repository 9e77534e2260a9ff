"""What a study will take, stage by stage and model by model, before anything is run.

Extraction is worked out from its FLOPs and the products measured on this device; every other stage
from one unit of it, done here on random numbers of its shape, with few permutations.
"""

from dataclasses import dataclass

from personascan.calibration.calibrate import calibration_bytes
from personascan.calibration.statistics import AT_ONCE
from personascan.interventions.design import count_ways
from personascan.memory import human_bytes
from personascan.models.load import inspect_model
from personascan.places import lines_of, named_place
from personascan.sources.base import Source, texts_of
from personascan.sources.language.plan import ExtractionPlan, plan_extraction
from personascan.sources.language.source import EMBEDDING, extra_places
from personascan.study.comparisons import draw_topics
from personascan.study.config import CHOSEN, StudyConfig, single_tails
from personascan.study.counts import Counted, tails_alone, unit_counts
from personascan.study.intervened import strongest
from personascan.study.opening import (
    drawn,
    language_baselines,
    model_places,
    named_places,
    open_sources,
    refuse_impossible,
    refuse_unasked,
    refuse_unwritable,
    study_groups,
)
from personascan.study.run import Workers
from personascan.study.status import duration
from personascan.study.study import SEPARATION_BYTES
from personascan.study.timing import time_units
from personascan.workers import WORKER_BYTES

RECORD_BYTES = 2000  # of a unit's JSON file, about
EVERYWHERE = (
    "separation",
    "personas",
    "detection",
    "where",
    "crossfit",
    "null",
    "transfer",
)  # at every place
READING = ("intervention", "specificity")


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


def plan_models(config: StudyConfig, workers: Workers) -> StudyPlan:
    """The plan of a study. Raises InputError as opening it does; no parameter is read."""
    refuse_unwritable(config)
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
        named = {
            named_place(text, places, decoder.layers)
            for text in config.scan.places
            if text != CHOSEN
        }
        extraction = plan_extraction(
            model, statements, sites=config.sites, dtype=config.dtype, **keywords
        )
        widths = [decoder.site_shape(place.site)[1] for place in places]
        baselines = language_baselines(config, decoder)
        extra = extra_places(places, baselines)
        nodes = decoder.site_shape(EMBEDDING.site)[1] if EMBEDDING in extra else 0
        counted = count(config, groups, places, widths, len(named), baselines, len(extra), nodes)
        found = plan_stages(config, counted)
        found += plan_interventions(config, counted, extraction, workers.processes())
        plans.append(ModelPlan(model, extraction, found, workers.processes()))
    return StudyPlan(plans)


def plan_source(config: StudyConfig, source: Source, workers: Workers) -> ModelPlan:
    """The stages of a source whose rows are there, or made in no time beside them."""
    refuse_unasked(config, source)
    refuse_impossible(config, source.groups)
    named = named_places(config, source)
    group = next(iter(source.groups))
    widths = [source.shape(group, place)[1] for place in source.places]
    found = count(
        config, source.groups, source.places, widths, len(named), source.baselines,
        len(source.extra), 0,
    )  # fmt: skip
    return ModelPlan(source.name, None, plan_stages(config, found), workers.processes())


def count(
    config: StudyConfig, groups, places, widths: list[int], named: int, baselines, extra: int,
    embedded: int,
) -> Counted:  # fmt: skip
    """What a source's units are counted from."""
    levels = [[pool for _, pool, _ in drawn(config, groups, level)] for level in config.levels]
    largest = max((pool for level in levels for pool in level), key=lambda pool: len(pool.ids))
    topics = draw_topics(groups, config.apart, config.seed) if config.apart else []
    return Counted(
        levels, texts_of(groups, largest.members), topics, widths, len(lines_of(places)), named,
        list(baselines), extra, embedded, len(groups), sum(map(len, groups.values())),
    )  # fmt: skip


def plan_stages(config: StudyConfig, counted: Counted) -> list[Stage]:
    """Every stage behind extraction, timed by one unit at the widest place and largest pool."""
    plan, units = config.localisation(), unit_counts(config, counted)
    nodes, rows = max(counted.widths), len(counted.largest.ids)
    share = sum(counted.widths) / (len(counted.widths) * nodes)  # of the widest place's work
    calibration = calibration_bytes(
        (rows, nodes), plan.runs, plan.permutations, plan.statistic_runs, plan.options
    )
    disk = unit_bytes(config, counted, nodes, rows)
    memory = unit_memory(nodes, rows, calibration, config.where.permutations)
    timed = time_units(config, counted, units)
    found = []
    for kind, number in units.items():
        if kind in READING:  # what a model does is planned by itself
            continue
        times = whole_units(config, counted, kind, number) * timed.get(kind, 0.0)
        if kind in EVERYWHERE:
            times *= share
        found.append(
            Stage(kind, number, times, number * disk.get(kind, RECORD_BYTES),
                  memory.get(kind, 0) + WORKER_BYTES)
        )  # fmt: skip
    return found


def whole_units(config: StudyConfig, counted: Counted, kind: str, number: int) -> float:
    """As how many of the unit that was timed the units of a kind count: halves are half as large,
    and "either" is two tails.
    """
    chooses, every = CHOSEN in config.scan.places, counted.comparisons * len(counted.widths)
    if kind == "detection":
        return every * sum(len(single_tails(tail)) for tail in tails_alone(config))
    if kind == "where":
        return every * (1 + chooses)
    if kind in ("localisation", "nodes"):
        whole = counted.named * (1 + len(config.scan.mixtures) * (kind == "localisation"))
        return counted.comparisons * whole + (number - counted.comparisons * whole) / 2
    return number


def unit_bytes(config: StudyConfig, counted: Counted, nodes: int, rows: int) -> dict[str, int]:
    """What a unit leaves on the disk, where it is more than a record, by kind."""
    plan = config.localisation()
    columns, labellings = nodes * plan.options.sides.halves, plan.permutations + 1
    kept = plan.runs.runs * (2 * nodes + rows) + 5 * labellings * columns + 16 * columns
    held = (len(counted.widths) + counted.extra) * counted.groups
    kept = sum(counted.widths) + counted.embedded
    arrays = {
        "detection": 8 * rows,
        "baseline": 8 * rows,
        "null": 8 * labellings * plan.statistic_runs,
        "localisation": kept,
        "projection": 16 * rows,
        "split": 4 * config.where.permutations * nodes,
        "where": 16 * config.where.permutations,
        "nodes": 80 * nodes,
        "crossfit": 8 * rows,
        "words": 16 * rows,
        "kinds": 16 * rows,
    }
    found = {kind: RECORD_BYTES + size for kind, size in arrays.items()}
    return found | {"activations": 4 * counted.rows * kept // max(held, 1)}


def unit_memory(nodes: int, rows: int, calibration: int, labellings: int) -> dict[str, int]:
    """What a unit takes while it is done, by kind."""
    place = 8 * rows * nodes
    tested = 3 * place + 4 * (rows + nodes) * min(labellings, AT_ONCE) + 12 * min(rows, nodes) ** 2
    every = 3 * place + 20 * labellings * nodes
    return {
        "separation": SEPARATION_BYTES * rows * nodes, "personas": place, "detection": place,
        "baseline": place, "projection": 2 * place, "transfer": 6 * place, "validation": 6 * place,
        "null": calibration, "localisation": calibration, "where": tested, "crossfit": tested,
        "nodes": every, "split": every, "kinds": 2 * place,
    }  # fmt: skip


def plan_interventions(
    config: StudyConfig, counted: Counted, extraction: ExtractionPlan, processes: int
) -> list[Stage]:
    """Interventions, from the tokens that are read: those of half of the blocks, on average."""
    plan, units = config.intervention, unit_counts(config, counted)
    each = extraction.seconds / extraction.statements / 2
    tested = max(len(level) for level in counted.levels)
    crossed = 1 + tested * (1 + len(strongest(plan)))
    found = []
    for kind, ways, passes in (
        ("intervention", count_ways(plan), 1 + plan.likelihood), ("specificity", crossed, 1)
    ):  # fmt: skip
        if kind not in units:
            continue
        # The model has all cores to itself, one unit after the other.
        seconds = units[kind] * ways * passes * 2 * plan.statements * each * processes
        disk = units[kind] * (RECORD_BYTES + 60 * ways + 8 * ways * (2 * plan.statements + 2))
        memory = extraction.batch_bytes // processes
        found.append(Stage(kind, units[kind], seconds, disk, memory))
    return found
