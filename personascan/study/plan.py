"""What a study will take, stage by stage and model by model, before it is run.

Extraction is estimated from its FLOPs and the products measured on this device; every other stage
from one of its units, done here on random numbers of its shape, with few permutations.
"""

import functools
from dataclasses import dataclass

from personascan.bars import duration
from personascan.calibration.calibrate import calibration_bytes
from personascan.interventions.design import count_edits
from personascan.memory import human_bytes
from personascan.models.identity import inspect_model
from personascan.places import named_place
from personascan.sources.base import Source
from personascan.sources.language.conversations import Conversation
from personascan.sources.language.plan import ExtractionPlan, plan_with_options
from personascan.sources.language.source import EMBEDDED_RESPONSE, EMBEDDING, extra_places
from personascan.study.case import named_places
from personascan.study.config import StudyConfig
from personascan.study.counts import Counted, count_open_source, count_source
from personascan.study.node_sets import strongest
from personascan.study.opening import (
    language_baselines,
    model_places,
    open_sources,
    study_groups,
)
from personascan.study.order import STAGES
from personascan.study.refusals import refuse_impossible, refuse_unasked, refuse_unwritable
from personascan.study.responses import KIND as RESPONSES
from personascan.study.responses import answered_for_plan
from personascan.study.run import Workers
from personascan.study.sample_sizes import fit_samples
from personascan.study.stage import RECORD_BYTES, Phase, Sizes
from personascan.study.stages import (
    controls,
    intervention,
    judged,
    promoted,
    specificity,
    sweep,
    tokens,
    written,
)
from personascan.study.timing import time_units
from personascan.workers import WORKER_BYTES

READ_AS_JUDGE = 2  # a judge's question with an answer takes as long as so many rows, about
SLOWER = 4  # a token takes so many times as long to write as to read, in batches on two CPU cores
WRITTEN = 4  # statements that take as long as a text of few tokens to write


@dataclass(frozen=True)
class StagePlan:
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
    stages: list[StagePlan]
    processes: int
    compile_seconds: float = 0.0  # before the first units; kept compilations take none

    @property
    def compiling(self) -> float:
        """Seconds of everything that is compiled."""
        return self.compile_seconds + (self.extraction.compile_seconds if self.extraction else 0)

    @property
    def seconds(self) -> float:
        """Seconds of everything."""
        extraction = self.extraction.seconds if self.extraction else 0.0
        units = sum(s.seconds for s in self.stages) / self.processes
        return self.compiling + extraction + units

    def summary(self) -> str:
        """Returns the extraction's lines, and one for each stage."""
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
                f"{duration(self.compiling)} of it compiling, {human_bytes(disk)} on disk",
            ]
        )  # fmt: skip


@dataclass(frozen=True)
class StudyPlan:
    """A plan for each model."""

    models: list[ModelPlan]

    def summary(self) -> str:
        """Returns the plan of each model, and the time of all."""
        texts = [plan.summary() for plan in self.models]
        if len(texts) > 1:
            texts.append(f"all models: about {duration(sum(p.seconds for p in self.models))}")
        return "\n\n".join(texts)


def plan_models(config: StudyConfig, workers: Workers) -> StudyPlan:
    """Returns the plan of a study, for which no parameter is read.

    Raises InputError as opening the study does.
    """
    refuse_unwritable(config)
    if not config.reads_text:
        sources = open_sources(config)
        config = fit_samples(config, [source.groups for source in sources])
        return StudyPlan([plan_source(config, source, workers) for source in sources])
    asked = study_groups(config)
    config = fit_samples(config, [asked])
    refuse_impossible(config, asked)
    unanswered = []
    if config.conversations:
        unanswered = [row for rows in asked.values() for row in rows if not row.answered]
    plans = []
    for model in config.models:
        decoder, tokenizer = inspect_model(model)
        groups = asked
        if unanswered:
            groups = answered_for_plan(asked, tokenizer, config.conversations.new_tokens)
        statements = [s for rows in groups.values() for s in rows]
        places = model_places(config, model, decoder)
        named = named_places(
            config.scan.places, functools.partial(named_place, places=places, layers=decoder.layers)
        )
        extraction = plan_with_options(
            model, statements, config.sites, config.read_positions, config.prompt_options(),
            config.batch_tokens, config.dtype, inspected=(decoder, tokenizer),
        )  # fmt: skip
        widths = [decoder.site_shape(place.site)[1] for place in places]
        baselines = language_baselines(config, decoder)
        embedding = EMBEDDED_RESPONSE if config.conversations else EMBEDDING
        extra = extra_places(places, baselines, embedding)
        nodes = decoder.site_shape(embedding.site)[1] if embedding in extra else 0
        counted = count_source(
            config, groups, places, widths, len(named), baselines, len(extra), nodes,
            decoder.causal and decoder.has_head,
        )  # fmt: skip
        stages, compiling = plan_stages(counted)
        stages = plan_responses(config, unanswered, extraction, workers.processes()) + stages
        stages += plan_interventions(counted, extraction, workers.processes())
        stages += plan_readings(counted, extraction, workers.processes())
        plans.append(ModelPlan(model, extraction, stages, workers.processes(), compiling))
    return StudyPlan(plans)


def plan_responses(
    config: StudyConfig, rows: list[Conversation], extraction: ExtractionPlan, processes: int
) -> list[StagePlan]:
    """Returns the plan of the answers that a model writes, one token after the other."""
    if not rows:
        return []
    each = extraction.seconds / extraction.tokens
    written = len(rows) * config.conversations.new_tokens
    read = extraction.tokens * len(rows) / extraction.statements - written
    seconds = each * (read + SLOWER * written) * processes  # all cores are the model's
    units = len({(row.persona, row.positive, row.instruction) for row in rows})
    disk = units * RECORD_BYTES + 12 * written
    return [StagePlan(RESPONSES, units, seconds, disk, extraction.batch_bytes // processes)]


def plan_source(config: StudyConfig, source: Source, workers: Workers) -> ModelPlan:
    """Returns the plan of a source whose rows are there already, or take little time to make."""
    refuse_unasked(config, source)
    refuse_impossible(config, source.groups)
    stages, compiling = plan_stages(count_open_source(config, source))
    return ModelPlan(source.name, None, stages, workers.processes(), compiling)


def plan_stages(counted: Counted) -> tuple[list[StagePlan], float]:
    """Plans every stage by the time of one unit at the widest place and largest pool.

    Returns (plans, seconds of what is compiled once).
    """
    numbers = {stage.kind: stage.count(counted) for stage in STAGES}
    timed = time_units(counted, {kind for kind, number in numbers.items() if number})
    sizes, plans = sizes_of(counted), [activations_plan(counted)]
    share = sum(counted.widths) / (len(counted.widths) * sizes.nodes)  # of the widest place's work
    for stage in STAGES:
        number = numbers[stage.kind]
        if not number or stage.phase in (Phase.ASKED, Phase.CROSSED):
            continue  # what a model does is planned by itself
        seconds = stage.timed_units(counted, number) * timed.seconds.get(stage.kind, 0.0)
        plans.append(
            StagePlan(
                stage.kind, number, seconds * (share if stage.everywhere else 1),
                number * (RECORD_BYTES + stage.disk(sizes)), stage.memory(sizes) + WORKER_BYTES,
            )
        )  # fmt: skip
    return plans, timed.compile_seconds


def sizes_of(counted: Counted) -> Sizes:
    """Returns the sizes of the largest comparison at the widest place."""
    options, nodes = counted.config.localisation(), max(counted.widths)
    rows = len(counted.largest.ids)
    calibration = calibration_bytes(
        (rows, nodes), options.samples, options.permutations, options.statistic_runs, options.scan
    )
    return Sizes(rows, nodes, calibration, counted)


def activations_plan(counted: Counted) -> StagePlan:
    """Returns the plan of the rows that extraction writes."""
    disk = 4 * counted.rows * (sum(counted.widths) + counted.embedded)
    return StagePlan("activations", counted.activations, 0.0, disk, WORKER_BYTES)


def plan_interventions(
    counted: Counted, extraction: ExtractionPlan, processes: int
) -> list[StagePlan]:
    """Returns the plan of interventions, as passes that read half of the blocks on average."""
    options = counted.config.intervention
    each = extraction.seconds / extraction.statements / 2
    tested = max(len(level) for level in counted.levels)
    crossed = 1 + tested * (1 + len(strongest(options)))
    plans = []
    for stage, edits, passes in (
        (intervention.STAGE, count_edits(options), 1 + options.likelihood),
        (specificity.STAGE, crossed, 1),
    ):  # fmt: skip
        number = stage.count(counted)
        if not number:
            continue
        # The model has all cores to itself, one unit after the other.
        seconds = number * edits * passes * 2 * options.statements * each * processes
        disk = number * (RECORD_BYTES + 60 * edits + 8 * edits * (2 * options.statements + 2))
        memory = extraction.batch_bytes // processes
        plans.append(StagePlan(stage.kind, number, seconds, disk, memory))
    return plans


def plan_readings(counted: Counted, extraction: ExtractionPlan, processes: int) -> list[StagePlan]:
    """Returns the plan of the stages that read some statements once more, with every token."""
    each = extraction.seconds / extraction.statements  # all cores are the model's
    long, plans = extraction.tokens / extraction.statements, []
    for stage, statements, bytes_ in (
        (tokens.STAGE, 4 * counted.config.tokens.statements, 40),
        (promoted.STAGE, promoted.READ, 0),
        (controls.STAGE, len(counted.largest.ids), 0),  # half of the rows, behind two contexts
        # Three texts behind each prompt; a token that is written takes what several take to read.
        (written.STAGE, 3 * len(counted.config.intervention.written) * WRITTEN, 0),
        (judged.STAGE, READ_AS_JUDGE * judged.MOST, 0),
        (sweep.STAGE, swept_readings(counted, long), 0),
    ):
        if not (number := stage.count(counted)):
            continue
        seconds = number * statements * each * processes
        disk = number * (RECORD_BYTES + round(bytes_ * statements * long))
        memory = extraction.batch_bytes // processes
        plans.append(StagePlan(stage.kind, number, seconds, disk, memory))
    return plans


def swept_readings(counted: Counted, long: float) -> float:
    """Returns as how many rows of so many tokens the texts of a sweep are written and read."""
    options = counted.config.conversations
    if not options:
        return 0.0
    # Read before they are written, for their likelihood, and by the model as a judge.
    each = 2 + READ_AS_JUDGE * options.judge + SLOWER * options.new_tokens / long
    return sweep.written_texts(options) * each
