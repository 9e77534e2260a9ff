"""The frozen configuration of a study, made from a recipe and checked field by field."""

import dataclasses
import json
import typing
from dataclasses import dataclass, field
from typing import Any

import pydantic

from personascan.analysis.detection import DetectionOptions
from personascan.analysis.localisation import LocalisationOptions
from personascan.analysis.separation import SeparationOptions
from personascan.analysis.validation import ValidationOptions, check_validation
from personascan.errors import InputError
from personascan.interventions.options import InterventionOptions, check_interventions
from personascan.places import whole_number
from personascan.scan.alphas import NAMED
from personascan.scan.options import ScanOptions
from personascan.scan.samples import SampleOptions
from personascan.sources.images.options import ImageOptions, check_images
from personascan.sources.language.positions import check_positions
from personascan.sources.language.source import BASELINES
from personascan.sources.language.templates import DATE, PromptOptions, parse_keywords
from personascan.study.where_options import WhereOptions, check_where

CHOSEN = "chosen"
EITHER = "either"  # the tail of which the higher score of right and left counts
LEVELS = (0, 1, 2)
TABLES = ("csv", "parquet")


def single_tails(tail: str) -> tuple[str, ...]:
    """The tails that are scanned: two of "either"."""
    return ("right", "left") if tail == EITHER else (tail,)


@dataclass(frozen=True)
class Mixture:
    """Another share of H1 among the rows that a run scans, as many of them as ever."""

    share: float
    alpha_max: float = 0.5

    def __str__(self) -> str:
        return f"{self.share:.0%} H1, alpha up to {self.alpha_max:g}"


@dataclass(frozen=True)
class PlaceScanOptions:
    """Where and how runs are scanned; fields as the keywords of `scan_runs` and `calibrate`."""

    # Places such as "resid_post 7 last" or "resid_post 50% last", or "chosen": the place that one
    # half of the statements chooses, judged on the other.
    places: tuple[str, ...] = (CHOSEN,)
    score: str = "bj"
    tail: str = "signed"
    alpha_max: float = 0.5
    alpha_min: float = 0.0
    alphas: str = "exact"  # "exact", "grid", "log" or numbers separated by commas
    starts: str = "auto"  # or a whole number as text
    tails: tuple[str, ...] = ()  # also calibrated at every place, beside `tail`; also "either"
    mixtures: tuple[Mixture, ...] = ()  # also scanned at the named places
    # Of the labels, to set the scan's own mean score beside them at every place, and how often it
    # selects each node; 0: none. Where a comparison shows is `where`'s to say.
    permutations: int = 0
    statistic_runs: int = 10  # whose mean score that is

    def options(self, tail: str = "") -> ScanOptions:
        """Of the scans, or with another tail. Raises InputError for a field at fault."""
        alphas, starts = self.alphas, self.starts
        if alphas not in NAMED:
            try:
                alphas = [float(a) for a in alphas.split(",")]
            except ValueError as error:
                raise InputError(
                    f"scan.alphas = {alphas!r}; use {', '.join(NAMED)} or numbers such as 0.01,0.05"
                ) from error
        if starts != "auto":
            if not starts.isdecimal():
                raise InputError(f"scan.starts = {starts!r}; use auto or a whole number")
            starts = int(starts)
        return ScanOptions(
            score=self.score, tail=tail or self.tail, alpha_max=self.alpha_max,
            alpha_min=self.alpha_min, alphas=alphas, starts=starts,
        )  # fmt: skip


@dataclass(frozen=True)
class StudyConfig:
    """Everything that decides a study's results, and where they go."""

    out: str
    models: tuple[str, ...] = ()  # sources of `load_model`
    statements: str = ""
    rows: tuple[str, ...] = ()  # instead of both: folders that `write_rows` has written
    # Instead of statements: what `models` then names are networks.
    images: ImageOptions | None = None
    personas: tuple[str, ...] = ()  # empty: every persona of the source
    dtype: str = "float32"
    min_confidence: float = 0.85
    limit: int = 300
    role: str = "system"  # of the message that holds the statement, or "none"
    sites: tuple[str, ...] = ("resid_post", "final_norm")
    # Of the blocks, by number or by share of the depth such as "50%"; empty: every one.
    layers: tuple[int | str, ...] = ()
    # Any of first, last, last_statement, mean_statement, mean and whole numbers.
    positions: tuple[str, ...] = ("last",)
    # Told beside the scans of single statements: "length", "log-likelihood".
    baselines: tuple[str, ...] = ()
    prefix: str = ""  # put before every statement, inside the message
    suffix: str = ""
    strict: bool = False  # a tokenizer without chat template is an error, not a notice
    template: str = ""  # the name of one of several chat templates; "": the default one
    template_keywords: tuple[str, ...] = ()  # given to the template, as "enable_thinking=false"
    date: str = DATE  # the day that templates are told, YYYY-MM-DD
    batch_tokens: int = 4096  # padded tokens of a batch: fewer need less memory
    mesh: str = ""  # devices as "DATAxMODEL"
    levels: tuple[int, ...] = (2,)
    transfer: bool = False  # also train probes on the other comparisons, at every place
    apart: int = 100  # statements of a persona that tell the personas of a topic apart; 0: none
    separation: SeparationOptions = field(default_factory=SeparationOptions)
    runs: SampleOptions = field(default_factory=lambda: SampleOptions(60, 20, 20))
    where: WhereOptions = field(default_factory=WhereOptions)
    scan: PlaceScanOptions = field(default_factory=PlaceScanOptions)
    detection: DetectionOptions = field(default_factory=DetectionOptions)
    validation: ValidationOptions = field(default_factory=ValidationOptions)
    intervention: InterventionOptions = field(default_factory=InterventionOptions)
    node_q: float = 0.05  # the node set: nodes with a q-value up to here
    threshold: float = 0.5  # without `where.permutations`: those selected in this share of runs
    tables: str = "csv"  # of runs and nodes: or "parquet", for large studies
    units: str = ""  # the folder of finished units; "": units in `out`
    seed: int = 0

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "StudyConfig":
        """From nested dicts. Raises InputError for a field that is unknown, missing or mistyped."""
        config = validate_fields(cls, raw)
        check_source(config)
        if (
            not config.levels
            or len(set(config.levels)) < len(config.levels)
            or (set(config.levels) - set(LEVELS))
        ):
            raise InputError(f"config.levels = {config.levels}; levels are 0, 1 and 2, each once")
        if config.tables not in TABLES:
            raise InputError(f"config.tables = {config.tables!r}; use one of {', '.join(TABLES)}")
        if config.limit < 1:
            raise InputError(f"config.limit = {config.limit}; use at least 1 row of a side")
        if config.apart < 0:
            raise InputError(f"config.apart = {config.apart}; use 0 or more")
        if not 0 < config.threshold <= 1:
            raise InputError(f"config.threshold = {config.threshold} is outside (0, 1]")
        if not 0 < config.separation.sample <= 1:
            raise InputError(
                f"config.separation.sample = {config.separation.sample} is outside (0, 1]"
            )
        if not 0 < config.separation.probe_c < float("inf"):
            raise InputError(
                f"config.separation.probe_c = {config.separation.probe_c} is not positive"
            )
        if not 0 <= config.seed < 2**32:
            raise InputError(f"config.seed = {config.seed} is outside 0 to 2**32 - 1")
        for name in ("seeds", "components", "hull_components", "folds"):
            least = 2 if name in ("folds", "hull_components") else 1
            if getattr(config.separation, name) < least:
                raise InputError(f"config.separation.{name} must be at least {least}")
        if config.separation.hull_components > config.separation.components:
            raise InputError("config.separation.hull_components exceeds separation.components")
        if not 0 < config.node_q <= 1:
            raise InputError(f"config.node_q = {config.node_q} is outside (0, 1]")
        if config.scan.permutations < 0:
            raise InputError("config.scan.permutations must be 0 or more")
        if config.scan.statistic_runs < 1:
            raise InputError("config.scan.statistic_runs must be at least 1")
        if not config.sites or len(set(config.sites)) < len(config.sites):
            raise InputError(f"config.sites must name each site once, got {config.sites}")
        if "all" in check_positions(config.positions):
            raise InputError("config.positions: 'all' has no row for each statement; name another")
        if config.batch_tokens < 1:
            raise InputError(f"config.batch_tokens = {config.batch_tokens}; use at least 1")
        config.prompt_options()
        check_validation(config.validation)
        check_tails(config)
        check_interventions(config.intervention)
        check_intervened(config)
        if not config.scan.places:
            raise InputError('config.scan.places is empty; name places, for example ("chosen",)')
        for name, given in (
            ("scan.places", config.scan.places), ("scan.mixtures", config.scan.mixtures),
            ("baselines", config.baselines), ("intervention.places", config.intervention.places),
        ):  # fmt: skip
            if len(set(given)) < len(given):
                raise InputError(f"config.{name} names one twice: {', '.join(map(str, given))}")
        check_where(config.where)
        if CHOSEN in config.scan.places and not config.where.permutations:
            raise InputError(
                'config.scan.places has "chosen", which permutations choose; set '
                "config.where.permutations, or name places"
            )
        return config

    def prompt_options(self) -> PromptOptions:
        """How statements become prompts. Raises InputError for a field at fault."""
        return PromptOptions(
            role=self.role,
            prefix=self.prefix,
            suffix=self.suffix,
            strict=self.strict,
            template=self.template,
            template_keywords=parse_keywords(self.template_keywords),
            date=self.date,
        )

    @property
    def read_positions(self) -> tuple[str | int, ...]:
        """The positions, with numbers as such."""
        return tuple(map(whole_number, self.positions))

    @property
    def calibrated_tails(self) -> tuple[str, ...]:
        """The tails whose scores are set beside permutations; "either" takes two."""
        if not self.scan.permutations:
            return ()
        asked = (self.scan.tail, *self.scan.tails)
        return tuple(dict.fromkeys(t for tail in asked for t in single_tails(tail)))

    def tail_options(self, tail: str) -> tuple[ScanOptions, ...]:
        """The options of a tail: two of "either"."""
        return tuple(self.scan.options(single) for single in single_tails(tail))

    def localisation(self, tail: str = "") -> LocalisationOptions:
        """How comparisons are scanned and calibrated, or with another tail."""
        return LocalisationOptions(
            samples=self.runs,
            scan=self.scan.options(tail),
            permutations=self.scan.permutations,
            statistic_runs=self.scan.statistic_runs,
            node_q=self.node_q,
            threshold=self.threshold,
        )

    def mixed(self, mixture: Mixture) -> LocalisationOptions:
        """The same, with another share of H1 among as many scanned rows."""
        options, scanned = self.localisation(), self.runs.clean + self.runs.positive
        positive = round(mixture.share * scanned)
        return dataclasses.replace(
            options,
            samples=dataclasses.replace(self.runs, clean=scanned - positive, positive=positive),
            scan=dataclasses.replace(options.scan, alpha_max=mixture.alpha_max),
        )

    def to_dict(self) -> dict[str, Any]:
        """What decides the results: everything but where they go, as JSON holds it."""
        content = dataclasses.asdict(self)
        for name in ("out", "mesh", "units"):
            del content[name]
        return json.loads(json.dumps(content))


def recipe(**changes: Any) -> dict[str, Any]:
    """Every field of a StudyConfig with its default, but for the changes: for a ConfigDict.

    A recipe so made says only what differs, and any field of it can be overridden by a flag.

    Args:
      changes: fields by name; a dict changes the fields of one of the records of options.

    Raises:
      InputError: a source or out left out, an unknown field, a value at fault.
    """
    return dataclasses.asdict(StudyConfig.from_dict(changes))


def check_source(config: StudyConfig) -> None:
    """Refuse a study of no rows, or of two kinds."""
    asked = [n for n in ("statements", "rows", "images") if getattr(config, n)]
    if len(asked) != 1:
        raise InputError(
            "a study has one source: config.statements or config.images, read by config.models, or "
            f"config.rows; got {' and '.join(asked) or 'none'}"
        )
    if bool(config.models) == bool(config.rows):
        raise InputError(
            "config.rows bring their networks with them; leave config.models out"
            if config.rows
            else f"config.models is empty; name what reads config.{asked[0]}"
        )
    if config.images:
        check_images(config.images, config.models)
    for name in ("models", "rows"):
        named = getattr(config, name)
        if len(set(named)) < len(named):
            raise InputError(f"config.{name} = {named}; name each once")
    if not config.statements and config.levels != (2,):
        raise InputError(f"config.levels: {asked[0]} have no topics; use (2,)")


def check_intervened(config: StudyConfig) -> None:
    """Refuse interventions where there is no model to ask, or nothing to choose a place."""
    places = config.intervention.places
    if places and not config.statements:
        raise InputError(
            "config.intervention.places: only language models that read config.statements can be "
            "edited and asked; leave it empty"
        )
    if CHOSEN in places and CHOSEN not in config.scan.places:
        raise InputError(
            'config.intervention.places has "chosen", but config.scan.places has not; name it in '
            "both, or name a place"
        )


def check_tails(config: StudyConfig) -> None:
    """Refuse tails and mixtures that cannot be scanned."""
    for where, tails in (("scan", config.scan.tails), ("detection", config.detection.tails)):
        for tail in tails:
            config.tail_options(tail)
        if len(set(tails)) < len(tails) or config.scan.tail in tails:
            raise InputError(f"config.{where}.tails = {tails}; name each once, and not scan.tail")
    for name in config.baselines:
        if name not in BASELINES:
            raise InputError(
                f"config.baselines: {name!r} is unknown; use some of {', '.join(BASELINES)}"
            )
    for mixture in config.scan.mixtures:
        scanned = config.runs.clean + config.runs.positive
        if not 0 < round(mixture.share * scanned) < scanned:
            raise InputError(
                f"config.scan.mixtures: a share of {mixture.share:g} of {scanned} scanned rows "
                "leaves none of one side; use another share, or scan more rows"
            )
        config.mixed(mixture)
    if config.detection.limit < 0:
        raise InputError(f"config.detection.limit = {config.detection.limit}; use 0 or more")


def validate_fields(cls, raw: dict[str, Any]):
    """A frozen dataclass of strictly these fields and types. Raises InputError by dotted name."""
    try:
        # As JSON, which tells true from 1 and has lists alone: strict in all that matters.
        content = json.dumps(raw)
        return pydantic.TypeAdapter(cls).validate_json(content, strict=True, extra="forbid")
    except pydantic.ValidationError as error:
        raise InputError(fault(cls, error.errors()[0])) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"config holds what no configuration can ({error})") from error


def fault(cls, error: dict) -> str:
    """The first error of a configuration, in one line."""
    where = ".".join(["config", *(str(p) for p in error["loc"] if p not in ("int", "str"))])
    kind = error["type"]
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        for name in error["loc"][:-1]:
            if isinstance(name, str) and dataclasses.is_dataclass(cls):
                cls = dataclass_of(next(f.type for f in dataclasses.fields(cls) if f.name == name))
        fields = ", ".join(f.name for f in dataclasses.fields(cls))
        return f"{where} is unknown; fields: {fields}"
    if kind in ("missing", "missing_argument"):
        return f"{where} is missing"
    wrong = error["msg"].removeprefix("Input should be ").replace("a valid array", "a list")
    return f"{where} must be {wrong}, got {error['input']!r}"


def dataclass_of(kind):
    """A record's type, also where it is one of a union or the members of a tuple."""
    inner = [k for k in typing.get_args(kind) if dataclasses.is_dataclass(k)]
    return inner[0] if inner else kind
