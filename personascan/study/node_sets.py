"""Node sets that are edited, the statements that a model is asked about, and the outcomes."""

import functools
import json
import pathlib
from dataclasses import asdict, dataclass, field

import numpy as np
from tqdm import tqdm

from personascan.direction import Direction
from personascan.errors import InputError
from personascan.hashes import RUN_AGAIN, file_sha256, text_sha256
from personascan.interventions.answers import answers_to, bare_answers
from personascan.interventions.design import Heads
from personascan.interventions.direction_files import read_direction
from personascan.interventions.directions import PlaceStatistics, most_frequent, signed_set
from personascan.interventions.edits import NamedEdit
from personascan.interventions.judging import NEUTRAL, count_readings, judge, question_options
from personascan.interventions.options import InterventionOptions
from personascan.places import Place
from personascan.sources.base import pool_rows
from personascan.sources.language.source import LanguageSource, Reader
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import PromptOptions
from personascan.study.comparisons import first_by_hash
from personascan.study.portions import portion_clusters
from personascan.study.rows import StoredRows
from personascan.study.store import Result, read_stored
from personascan.study.units import Unit, canonical, sha256_of

NOT_IN_KEY = (
    "places",
    "comparisons",
    "bootstrap",
    "level",
    "directions",
    "written",
)  # options that no stored outcome depends on
OUTCOMES = ("margin_WN", "likelihood_WN", "divergence_W", "perplexity_W")


@dataclass(frozen=True)
class NodeSet:
    """A node set that one half of a comparison's rows found at a place, with these rows."""

    name: str  # of the comparison
    place: Place
    half: str  # that found the set
    rows: StoredRows
    find: np.ndarray  # numbers of that half's rows
    positive_N: np.ndarray  # of all rows: True for H1
    unit: Unit  # which holds the set
    file: str
    frequency_file: str
    heads: StoredRows | None = None  # the heads of the place's layer, where they were extracted
    head_width: int = 1

    def inputs(self) -> dict:
        """Returns all that decides the set, as JSON holds it."""
        heads = {} if self.heads is None else {"heads": list(self.heads.keys)}
        return self.rows.inputs(self.positive_N) | heads | {
            "place": [self.place.site, self.place.layer, self.place.position],
            "found": self.unit.key, "find": sha256_of(self.find.tolist()),
        }  # fmt: skip

    def statistics(self) -> PlaceStatistics:
        return PlaceStatistics(self.rows.array()[self.find], self.positive_N[self.find])

    def signed(self, statistics: PlaceStatistics, most: int) -> np.ndarray:
        """Returns at most `most` of its nodes with their directions: -1, 0 or 1, [D]."""
        frequency_C = read_stored(self.frequency_file)[0]
        columns_C = most_frequent(read_stored(self.file)[0], frequency_C, most)
        return signed_set(columns_C, self.rows.shape[1], statistics)

    def of_heads(self) -> Heads | None:
        if self.heads is None:
            return None
        place = Place("head_out", self.place.layer, self.place.position)
        statistics = PlaceStatistics(self.heads.array()[self.find], self.positive_N[self.find])
        return Heads(place, statistics, self.head_width)


@dataclass(frozen=True)
class Jury:
    """The statements that a model is asked about, from the half that did not find the nodes."""

    statements: tuple[Statement, ...] = field(repr=False)
    positive_N: np.ndarray  # True for H1
    clusters_N: np.ndarray | None

    def inputs(self) -> dict:
        asked = [(s.id, s.text, s.question) for s in self.statements]
        labels = self.positive_N.astype(int).tolist()
        return {"judge": sha256_of([asked, labels]), "neutral": file_sha256(NEUTRAL)}


def jury_of(case, half: str) -> Jury:
    """Returns statements of a half, as many of each direction as the options say."""
    rows, positive_N = case.chosen(half).rows, case.pool.positive_N
    examples = pool_rows(case.source.groups, case.pool.members)
    most, numbers = case.config.intervention.statements, []
    for side in (True, False):
        of_side = [r for r in rows if positive_N[r] == side]
        numbers += first_by_hash(of_side, examples, most, case.seed)
    numbers = np.sort(numbers)
    return Jury(
        tuple(examples[i] for i in numbers),
        positive_N[numbers],
        portion_clusters(case.pool, numbers),
    )


@dataclass(frozen=True)
class EditOutcomes:
    """The outcomes of the edits of one node set: arrays [W, N] and [W]; W is 0 without nodes."""

    name: str
    place: Place
    half: str  # that found the set; the other one judges
    nodes: int
    edits: list[NamedEdit]  # without their changes
    positive_N: np.ndarray
    clusters_N: np.ndarray | None
    margin_WN: np.ndarray = field(repr=False)
    likelihood_WN: np.ndarray = field(repr=False)
    divergence_W: np.ndarray = field(repr=False)
    perplexity_W: np.ndarray = field(repr=False)
    owners: tuple[str, ...] = ()  # of each edit: the comparison whose set it is, if several


def model_inputs(source: LanguageSource) -> dict:
    """Returns all that decides the model, its prompts, and the tokens of its answers."""
    options = canonical(asdict(source.options))
    return source.shared_identity | answer_inputs(source.identified.tokenizer, options)


@functools.lru_cache(maxsize=2)
def answer_inputs(tokenizer, options: str) -> dict:
    """Returns the tokens of the answers, unless they follow the prompt as their words do.

    Then nothing is added, and the units of earlier studies are found again.
    """
    asked = question_options(tokenizer, PromptOptions(**json.loads(options)))
    answers = answers_to(tokenizer, asked)
    if answers == bare_answers(tokenizer, asked):
        return {}
    margin = answers.margin
    return {"answers": [margin.yes, margin.no, answers.dropped, *answers.opening]}


def set_seed(seed: int, nodes: NodeSet) -> int:
    """Returns the seed of a node set's controls: another one for each set of a comparison.

    Sets that shared their controls would count as fewer in the family than they are.
    """
    place = nodes.place
    text = canonical([seed, nodes.half, place.site, place.layer, place.position])
    return int(text_sha256(text)[:8], 16) >> 1


def direction_sha256(path: str) -> str:
    """Returns the hash of a direction's file. Raises InputError if it cannot be read."""
    try:
        return file_sha256(pathlib.Path(path))
    except OSError as error:
        raise InputError(
            f"config.intervention.directions: {path} cannot be read ({error.strerror}); check "
            "the path"
        ) from error


def unchanged_direction(path: str, sha256: str, reader: Reader) -> Direction:
    """Returns the direction of a file. Raises InputError if it was changed since it was hashed."""
    model = reader.model()
    direction = read_direction(path, model.config, model_sha256=model.sha256)
    if direction_sha256(path) != sha256:
        raise InputError(f"{path} has changed since it was first read; {RUN_AGAIN}")
    return direction


def outcome_options(options: InterventionOptions) -> dict:
    """Returns the options that decide the outcomes; intervals are computed from these anew."""
    chosen = {k: v for k, v in asdict(options).items() if k not in NOT_IN_KEY}
    if not options.caps:  # units from before there were any are found again
        del chosen["caps"]
    return chosen


def jury_inputs(jury: Jury) -> dict:
    """Returns the clusters that decide outcomes, where rows have entities."""
    if jury.clusters_N is None:
        return {}
    return {"clusters": sha256_of(jury.clusters_N.tolist())}


def outcomes(reader: Reader, edits: list[NamedEdit], jury: Jury, tokens: str, **measures: bool):
    number = count_readings(len(jury.statements), edits, **measures)
    with tqdm(desc="edited model", total=number, unit=" texts", leave=False) as bar:
        changes = judge(
            reader.model(), list(jury.statements), edits, reader.options, tokens=tokens,
            batch_tokens=reader.batch_tokens, progress=bar.update, **measures,
        )  # fmt: skip
    named = [[w.method, w.action, float(w.strength), w.number, w.draw] for w in edits]
    return {"ways": named}, {name: getattr(changes, name) for name in OUTCOMES}


def strongest(options: InterventionOptions) -> list[float]:
    """Returns the largest strength, towards H1 if any is, as a list; [] without strengths."""
    return sorted(options.strengths, key=lambda c: (c > 0, abs(c)))[-1:]


def read_outcomes(
    nodes: NodeSet, jury: Jury, result: Result, owners: tuple[str, ...] = ()
) -> EditOutcomes:
    """Returns the outcomes that a unit of interventions or of specificity holds."""
    edits = [NamedEdit(*one) for one in result.values["ways"]]
    empty = {"margin_WN": (0, 0), "likelihood_WN": (0, 0), "divergence_W": 0, "perplexity_W": 0}
    arrays = {name: result.arrays.get(name, np.empty(shape)) for name, shape in empty.items()}
    return EditOutcomes(
        nodes.name, nodes.place, nodes.half, result.values["nodes"], edits, jury.positive_N,
        jury.clusters_N, **arrays, owners=owners,
    )  # fmt: skip
