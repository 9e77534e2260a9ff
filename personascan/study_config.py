"""The frozen configuration of a study, made from a recipe and checked field by field."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from personascan.activations.kept import check_positions, whole_number
from personascan.analysis.separation import SeparationPlan
from personascan.errors import InputError
from personascan.scan.splits import SplitPlan
from personascan.templates import DATE, PromptOptions, parse_keywords


@dataclass(frozen=True)
class ScanPlan:
    """Where and how runs are scanned; fields as the keywords of `scan_runs`."""

    layers: tuple[str, ...] = ("best",)  # layer names, or "best": highest mean probe AUROC
    score: str = "bj"
    tail: str = "two"
    alpha_max: float = 0.5
    alpha_min: float = 0.0
    alphas: str = "exact"  # "exact", "grid" or numbers separated by commas
    starts: int = 10
    permutations: int = 0  # of the labels, to calibrate every layer and the nodes; 0: none

    def keywords(self) -> dict[str, Any]:
        """Keyword arguments for `scan_runs`."""
        chosen = dataclasses.asdict(self)
        del chosen["layers"], chosen["permutations"]
        if self.alphas not in ("exact", "grid"):
            try:
                chosen["alphas"] = [float(a) for a in self.alphas.split(",")]
            except ValueError as error:
                raise InputError(
                    f"scan.alphas = {self.alphas!r}; use exact, grid or numbers such as 0.01,0.05"
                ) from error
        return chosen


@dataclass(frozen=True)
class StudyConfig:
    """Everything that decides a study's results, and where they go."""

    model: str
    statements: str
    out: str
    personas: tuple[str, ...] = ()  # empty: every persona of the source
    dtype: str = "float32"
    min_confidence: float = 0.85
    limit: int = 300
    role: str = "system"  # of the message that holds the statement, or "none"
    position: str = "last"  # last, last_statement, mean_statement, mean or a whole number
    prefix: str = ""  # put before every statement, inside the message
    suffix: str = ""
    strict: bool = False  # a tokenizer without chat template is an error, not a notice
    template: str = ""  # the name of one of several chat templates; "": the default one
    template_keywords: tuple[str, ...] = ()  # given to the template, as "enable_thinking=false"
    date: str = DATE  # the day that templates are told, YYYY-MM-DD
    batch_tokens: int = 4096  # padded tokens of a batch: fewer need less memory
    mesh: str = ""  # devices as "DATAxMODEL"
    level: int = 2
    separation: SeparationPlan = field(default_factory=SeparationPlan)
    runs: SplitPlan = field(default_factory=lambda: SplitPlan(60, 20, 20))
    scan: ScanPlan = field(default_factory=ScanPlan)
    threshold: float = 0.5
    seed: int = 0

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "StudyConfig":
        """From nested dicts. Raises InputError for a field that is unknown, missing or mistyped."""
        config = build(cls, raw, "config")
        if config.level not in (0, 1, 2):
            raise InputError(f"config.level = {config.level}; levels are 0, 1 and 2")
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
        if config.scan.permutations < 0:
            raise InputError("config.scan.permutations must be 0 or more")
        check_positions((config.position,))
        if config.position == "all":
            raise InputError("config.position = 'all' has no row for each statement; name another")
        if config.batch_tokens < 1:
            raise InputError(f"config.batch_tokens = {config.batch_tokens}; use at least 1")
        config.prompt_options()
        if not config.scan.layers:
            raise InputError('config.scan.layers is empty; name layers, for example ("best",)')
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

    def extraction_keywords(self) -> dict[str, Any]:
        """Keyword arguments of `extract` and `plan_extraction`."""
        return dataclasses.asdict(self.prompt_options()) | dict(
            positions=(whole_number(self.position),), batch_tokens=self.batch_tokens
        )

    def to_dict(self) -> dict[str, Any]:
        """What decides the results: everything but `out` and `mesh`, as JSON holds it."""
        content = dataclasses.asdict(self)
        del content["out"], content["mesh"]
        return (
            content
            | {"personas": list(self.personas)}
            | {"template_keywords": list(self.template_keywords)}
            | {"scan": content["scan"] | {"layers": list(self.scan.layers)}}
        )


def build(cls, raw: dict[str, Any], where: str):
    """A dataclass from a dict, recursively, every field of the declared type."""
    if not isinstance(raw, dict):
        raise InputError(f"{where} must hold fields by name, got {raw!r}")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for name in raw:
        if name not in fields:
            raise InputError(f"{where}.{name} is unknown; fields: {', '.join(fields)}")
    values = {}
    for name, f in fields.items():
        if name not in raw:
            required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
            if required:
                raise InputError(f"{where}.{name} is missing")
            continue
        value, wanted = raw[name], f.type
        if dataclasses.is_dataclass(wanted):
            values[name] = build(wanted, value, f"{where}.{name}")
        elif wanted == tuple[str, ...]:
            if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
                raise InputError(f"{where}.{name} must be a list of names, got {value!r}")
            values[name] = tuple(value)
        elif wanted is float and type(value) in (int, float):
            values[name] = float(value)
        elif type(value) is wanted:
            values[name] = value
        else:
            raise InputError(f"{where}.{name} must be {wanted.__name__}, got {value!r}")
    return cls(**values)
