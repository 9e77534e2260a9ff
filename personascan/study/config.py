"""The frozen configuration of a study, made from a recipe and checked field by field."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from personascan.analysis.detection import DetectionOptions
from personascan.analysis.localisation import LocalisationOptions
from personascan.analysis.separation import SeparationOptions
from personascan.analysis.validation import ValidationOptions
from personascan.interventions.options import InterventionOptions
from personascan.places import whole_number
from personascan.scan.options import ScanOptions
from personascan.scan.samples import SampleOptions
from personascan.sources.images.options import ImageOptions
from personascan.sources.language.conversation_options import ConversationOptions
from personascan.sources.language.decoding import Writing
from personascan.sources.language.templates import DATE, PromptOptions, parse_keywords
from personascan.study.checks import check_config
from personascan.study.fields import validate_fields
from personascan.study.place_options import (
    Mixture,
    PlaceScanOptions,
    WhereOptions,
    single_tails,
)
from personascan.study.token_options import TokenOptions


@dataclass(frozen=True)
class StudyConfig:
    """Everything that decides a study's results, and where they go."""

    out: str
    models: tuple[str, ...] = ()  # sources of `load_model`
    statements: str = ""
    rows: tuple[str, ...] = ()  # instead of both: folders that `write_rows` has written
    # Instead of statements: what `models` then names are networks.
    images: ImageOptions | None = None
    # Instead of statements: what `models` answer, or have answered.
    conversations: ConversationOptions | None = None
    personas: tuple[str, ...] = ()  # empty: every persona of the source
    dtype: str = "float32"
    min_confidence: float = 0.85
    positive: str = ""  # the positive side's word in the statements, if it is none of the known
    columns: tuple[str, ...] = ()  # other names of the statements' columns, "text=sentence"
    limit: int = 300
    role: str = "system"  # of the message that holds the statement, or "none"
    sites: tuple[str, ...] = ("resid_post", "final_norm")
    # Of the blocks, by number or by share of the depth such as "50%"; empty: every one.
    layers: tuple[int | str, ...] = ()
    # Any of first, last, last_statement, mean_statement, mean and whole numbers; of conversations
    # last_prompt, first_response, last_response, mean_response, mean_thinking, mean_answer.
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
    tokens: TokenOptions = field(default_factory=TokenOptions)
    node_q: float = 0.05  # the node set: nodes with a q-value up to here
    threshold: float = 0.5  # without `where.permutations`: those selected in this share of runs
    tables: str = "csv"  # of runs and nodes: or "parquet", for large studies
    units: str = ""  # the folder of finished units; "": units in `out`
    seed: int = 0

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "StudyConfig":
        """Returns the configuration that nested dicts say.

        Raises InputError for a field that is unknown, missing, mistyped or out of range.
        """
        config = validate_fields(cls, raw)
        check_config(config)
        return config

    def prompt_options(self) -> PromptOptions:
        """Returns how statements become prompts. Raises InputError for a field at fault."""
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
    def reads_text(self) -> bool:
        """Whether rows are read by language models."""
        return bool(self.statements or self.conversations)

    @property
    def writing(self) -> Writing | None:
        """How answers of conversations are written; None of other rows."""
        return self.conversations.writing(self.seed) if self.conversations else None

    @property
    def read_positions(self) -> tuple[str | int, ...]:
        """The positions, whole numbers as int and not as text."""
        return tuple(map(whole_number, self.positions))

    @property
    def calibrated_tails(self) -> tuple[str, ...]:
        """Tails whose scores are compared with permutations; "either" is two of them."""
        if not self.scan.permutations:
            return ()
        asked = (self.scan.tail, *self.scan.tails)
        return tuple(dict.fromkeys(t for tail in asked for t in single_tails(tail)))

    def tail_options(self, tail: str) -> tuple[ScanOptions, ...]:
        """Returns the options of a tail: two of them for "either"."""
        return tuple(self.scan.options(single) for single in single_tails(tail))

    def localisation(self, tail: str = "") -> LocalisationOptions:
        """Returns how comparisons are scanned and calibrated, with the scans' tail or another."""
        return LocalisationOptions(
            samples=self.runs,
            scan=self.scan.options(tail),
            permutations=self.scan.permutations,
            statistic_runs=self.scan.statistic_runs,
            node_q=self.node_q,
            threshold=self.threshold,
        )

    def mixed(self, mixture: Mixture) -> LocalisationOptions:
        """Returns the same with another share of H1 among as many scanned rows."""
        options, scanned = self.localisation(), self.runs.clean + self.runs.positive
        positive = round(mixture.share * scanned)
        return dataclasses.replace(
            options,
            samples=dataclasses.replace(self.runs, clean=scanned - positive, positive=positive),
            scan=dataclasses.replace(options.scan, alpha_max=mixture.alpha_max),
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns all that decides the results, as JSON holds it: everything but where they go."""
        content = dataclasses.asdict(self)
        for name in ("out", "mesh", "units"):
            del content[name]
        for name in ("positive", "columns"):  # as in studies from before there were such fields
            if not content[name]:
                del content[name]
        return json.loads(json.dumps(content))


def recipe(**changes: Any) -> dict[str, Any]:
    """Returns every field of a StudyConfig, with its default unless changed, for a ConfigDict.

    A recipe made so says only what differs, and any field of it can be overridden by a flag.

    Args:
      changes: fields by name; a dict changes the fields of one of the records of options, and one
        string stands for a list of one. `statements` is a file, folder or hub id: statements in
        memory become a file with `pandas.DataFrame(statements).to_csv("mine.csv", index=False)`.

    Raises:
      InputError: a source or out left out, an unknown field, a value at fault.
    """
    return dataclasses.asdict(StudyConfig.from_dict(changes))
