"""Node sets that are edited, the statements that a model is asked about, and what came out."""

import functools
import json
import pathlib
from dataclasses import asdict, dataclass, field

import numpy as np

from personascan.errors import InputError
from personascan.hashes import RUN_AGAIN, file_sha256, text_sha256
from personascan.interventions.answers import answers_to, bare_answers
from personascan.interventions.design import Heads
from personascan.interventions.direction_files import read_direction
from personascan.interventions.directions import PlaceStatistics, most_frequent, signed_set
from personascan.interventions.edits import NamedEdit
from personascan.interventions.judging import NEUTRAL, judge, question_options
from personascan.interventions.options import InterventionOptions
from personascan.interventions.steering_direction import Direction
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
)  # options that no stored outcome depends on
OUTCOMES = ("margin_WN", "likelihood_WN", "divergence_W", "perplexity_W")


@dataclass(frozen=True)
class NodeSet:
    """A set that one half of a comparison's rows found at a place, with these rows."""

    name: str  # of the comparison
    place: Place
    half: str  # that found it
    rows: StoredRows
    find: np.ndarray  # numbers of the rows of the half
    positive_N: np.ndarray  # of all rows
    unit: Unit  # that holds the set
    file: str
    frequency_file: str
    heads: StoredRows | None = None  # the heads of the place's layer, where they were extracted
    head_width: int = 1

    def inputs(self) -> dict:
        """What decides it, as JSON holds it."""
        heads = {} if self.heads is None else {"heads": list(self.heads.keys)}
        return self.rows.inputs(self.positive_N) | heads | {
            "place": [self.place.site, self.place.layer, self.place.position],
            "found": self.unit.key, "find": sha256_of(self.find.tolist()),
        }  # fmt: skip

    def statistics(self) -> PlaceStatistics:
        return PlaceStatistics(self.rows.array()[self.find], self.positive_N[self.find])

    def signed(self, statistics: PlaceStatistics, most: int) -> np.ndarray:
        """At most so many of its columns, as nodes with their directions."""
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
    """The statements that a model is asked about: of the half that did not find the nodes."""

    statements: tuple[Statement, ...] = field(repr=False)
    positive_N: np.ndarray  # of H1
    clusters_N: np.ndarray | None

    def inputs(self) -> dict:
        asked = [(s.id, s.text, s.question) for s in self.statements]
        labels = self.positive_N.astype(int).tolist()
        found = {"judge": sha256_of([asked, labels])}
        return found | {"neutral": file_sha256(NEUTRAL)}


def jury_of(case, half: str) -> Jury:
    """Statements of a half, so many of each direction as the options say."""
    rows, positive_N = case.chosen(half).rows, case.pool.positive_N
    examples = pool_rows(case.source.groups, case.pool.members)
    most, taken = case.config.intervention.statements, []
    for side in (True, False):
        of_side = [r for r in rows if positive_N[r] == side]
        taken += first_by_hash(of_side, examples, most, case.seed)
    taken = np.sort(taken)
    return Jury(
        tuple(examples[i] for i in taken), positive_N[taken], portion_clusters(case.pool, taken)
    )


@dataclass(frozen=True)
class Tested:
    """What the edits of one node set changed. Arrays are [W, N] and [W]; W is 0 without nodes."""

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
    owners: tuple[str, ...] = ()  # of each edit: whose set it is, where there are several


def asked_identity(source: LanguageSource) -> dict:
    """What decides the model, its prompts, and where its answers are looked at."""
    options = canonical(asdict(source.options))
    return source.shared_identity | answer_inputs(source.identified.tokenizer, options)


@functools.lru_cache(maxsize=2)
def answer_inputs(tokenizer, options: str) -> dict:
    """The tokens of the answers, unless these begin right behind the prompt as their words do.

    Then nothing is added, and the units of studies from before are found again.
    """
    asked = question_options(tokenizer, PromptOptions(**json.loads(options)))
    answers = answers_to(tokenizer, asked)
    if answers == bare_answers(tokenizer, asked):
        return {}
    margin = answers.margin
    return {"answers": [margin.yes, margin.no, answers.dropped, *answers.opening]}


def set_seed(seed: int, found: NodeSet) -> int:
    """A seed for each node set of a comparison.

    Sets that share their controls count as fewer over the family than the found sets are.
    """
    place = found.place
    text = canonical([seed, found.half, place.site, place.layer, place.position])
    return int(text_sha256(text)[:8], 16) >> 1


def direction_sha256(path: str) -> str:
    """Raises InputError for a file that cannot be read."""
    try:
        return file_sha256(pathlib.Path(path))
    except OSError as error:
        raise InputError(
            f"config.intervention.directions: {path} cannot be read ({error.strerror}); check "
            "the path"
        ) from error


def unchanged_direction(path: str, sha256: str, reader: Reader) -> Direction:
    """The direction of a file. Raises InputError where it was changed since it was hashed."""
    model = reader.model()
    found = read_direction(path, model.config, model_sha256=model.sha256)
    if direction_sha256(path) != sha256:
        raise InputError(f"{path} has changed since it was first read; {RUN_AGAIN}")
    return found


def judged_options(options: InterventionOptions) -> dict:
    """What of the options decides the outcomes; intervals are made anew from them."""
    return {k: v for k, v in asdict(options).items() if k not in NOT_IN_KEY}


def jury_inputs(jury: Jury) -> dict:
    """What of its rows decides an outcome, where they have entities."""
    if jury.clusters_N is None:
        return {}
    return {"clusters": sha256_of(jury.clusters_N.tolist())}


def outcomes(reader: Reader, edits: list[NamedEdit], jury: Jury, tokens: str, **looked_at: bool):
    found = judge(
        reader.model(), list(jury.statements), edits, reader.options, tokens=tokens,
        batch_tokens=reader.batch_tokens, **looked_at,
    )  # fmt: skip
    named = [[w.method, w.action, float(w.strength), w.number, w.draw] for w in edits]
    return {"ways": named}, {name: getattr(found, name) for name in OUTCOMES}


def strongest(options: InterventionOptions) -> list[float]:
    """The largest push, of those towards H1 if there are any."""
    return sorted(options.strengths, key=lambda c: (c > 0, abs(c)))[-1:]


def read_tested(found: NodeSet, jury: Jury, result: Result, owners: tuple[str, ...] = ()) -> Tested:
    """What a unit of either kind holds."""
    edits = [NamedEdit(*named[:2], named[2], *named[3:]) for named in result.values["ways"]]
    empty = {"margin_WN": (0, 0), "likelihood_WN": (0, 0), "divergence_W": 0, "perplexity_W": 0}
    arrays = {name: result.arrays.get(name, np.empty(shape)) for name, shape in empty.items()}
    return Tested(
        found.name, found.place, found.half, result.values["nodes"], edits, jury.positive_N,
        jury.clusters_N, **arrays, owners=owners,
    )  # fmt: skip
