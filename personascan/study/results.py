"""What a study found, put together from finished units alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from personascan.analysis.detection import Labels
from personascan.analysis.differences import Difference, compare_networks
from personascan.analysis.findings import Finding, findings
from personascan.calibration.exchangeable import Exchange
from personascan.places import Place
from personascan.sources.base import Source, Terms
from personascan.study.case import Case, Level
from personascan.study.comparisons import LeftOut
from personascan.study.config import StudyConfig
from personascan.study.frames import frame
from personascan.study.order import STAGES
from personascan.study.stages import where
from personascan.study.stages.detection import Detector

if TYPE_CHECKING:
    import pandas

    from personascan.analysis.crossfit import HeldOut
    from personascan.analysis.detection import Detection
    from personascan.analysis.localisation import PlaceScan
    from personascan.analysis.overlaps import Overlap
    from personascan.analysis.personas import PersonaSeparation
    from personascan.analysis.profiles import Profile
    from personascan.analysis.separation import Separation
    from personascan.analysis.transfer import Transfer
    from personascan.calibration.calibrate import Calibration
    from personascan.calibration.locate import PlaceTests
    from personascan.study.effects import CrossEffect, TestedEffects
    from personascan.study.stages.kinds import OrderedRows
    from personascan.study.stages.projection import Projection
    from personascan.study.stages.validation import Validated


@dataclass(frozen=True)
class Part:
    """One model at one level. Dictionaries are keyed by the name of the comparison."""

    config: StudyConfig
    model: str
    level: int
    source: Source
    places: list[Place]  # the family that was searched
    pool_ids: dict[str, tuple[str, ...]]  # statement ids of each comparison
    wide: dict[str, tuple[Labels, np.ndarray]] = field(repr=False)  # rows scanned alone, halves
    pool_sizes: dict[str, tuple[int, int]]  # statements of H1 and H0
    positive: dict[str, np.ndarray] = field(repr=False)  # bool [N]: rows of H1
    shown: dict[str, tuple[str, ...]] = field(repr=False)  # [N]: each row as text, or by its id
    results: dict[str, Any] = field(repr=False)  # what each stage read, which attributes name
    left_out: dict[str, LeftOut] = field(default_factory=dict)  # rows that were not compared
    # Entities or pairs, and their distinct labellings: of comparisons whose rows name such.
    entities: dict[str, tuple[int, Exchange]] = field(default_factory=dict)

    if TYPE_CHECKING:
        # Bag-of-words held-out accuracy, mean and deviation; NaN where rows are no texts.
        wording: dict[str, tuple[float, float]]
        separation: dict[str, dict[Place, Separation]]
        # Of rows scanned alone, by each detector; the first has the tail of all scans.
        alone: dict[str, dict[Detector, dict[Place, Detection]]]
        baselines: dict[str, dict[str, tuple[Place, Detection]]]  # by their names
        transfers: dict[str, dict[Place, Transfer]]  # probes of the other comparisons
        tails: dict[str, dict[str, Calibration]]  # by the scans' own scores
        projections: dict[str, list[Projection]]
        calibrations: dict[str, PlaceTests]  # empty without permutations
        furthest: dict[str, Place]  # above its permutations; without these, of the best probe
        scans: dict[str, list[PlaceScan]]  # chosen places judged apart, then named ones
        validations: dict[str, list[Validated]]  # each half's set, on the other
        overlaps: dict[Place, list[Overlap]]  # of the named places
        profiles: dict[str, dict[tuple, Profile]]  # of each (site, position)
        apart: dict[str, dict[Place, PersonaSeparation]]  # of topics; empty at later levels
        interventions: list[TestedEffects]  # of every node set that was tested
        specificity: list[CrossEffect]  # of every set on every comparison
        # H1 rows in the order of their first component on found nodes; none without permutations.
        kinds: dict[str, list[OrderedRows]]
        # Rows told by places that they did not choose; none without permutations, or of few rows.
        held_out: dict[str, HeldOut]
        # AUROC of the same rows told by one place alone, whichever was chosen.
        told: dict[str, dict[Place, float]]

    def __getattr__(self, name: str):
        """What a stage read."""
        results = self.__dict__.get("results", {})
        if name not in results:
            raise AttributeError(f"a part of a study has no {name!r}; stages read {list(results)}")
        return results[name]

    def with_results(self, **changes) -> "Part":
        """The same with other results of stages."""
        return replace(self, results=self.results | changes)

    @property
    def detections(self) -> "dict[str, dict[Place, Detection]]":
        """Rows scanned alone with the tail of all scans."""
        return {name: next(iter(found.values())) for name, found in self.alone.items()}

    @property
    def beyond(self) -> "dict[str, HeldOut]":
        """Those of texts, which word counts and the embedding can tell as well."""
        return {name: one for name, one in self.held_out.items() if one.simpler}

    @property
    def several_ways(self) -> bool:
        """Whether rows are scanned alone by several detectors, or something simpler is beside."""
        return any(len(found) > 1 for found in self.alone.values()) or any(self.baselines.values())

    @property
    def texts(self) -> bool:
        """Whether rows are texts."""
        return self.source.texts

    @property
    def terms(self) -> Terms:
        """What its rows are called."""
        return self.source.terms

    @property
    def head_width(self) -> int:
        """Columns of a head at the site head_out."""
        return self.source.head_width

    @property
    def role(self) -> str:
        """Of a chat message, as applied."""
        return self.source.role

    @property
    def title(self) -> str:
        """Model and level, in words."""
        return f"{self.model}, level {self.level}"

    def larger(self, name: str) -> float:
        """The accuracy of guessing always the larger side of a comparison."""
        return max(self.pool_sizes[name]) / sum(self.pool_sizes[name])

    def findings(self) -> list[Finding]:
        """Of each calibrated comparison, where it shows and how sure that is."""
        return findings(self.calibrations, self.scans)


@dataclass(frozen=True)
class Study:
    """Everything a study found: a part for each model and level."""

    config: StudyConfig
    parts: list[Part]
    provenance: dict[str, Any]  # versions, platform, hashes of the inputs

    def differences(self) -> Iterator[tuple[Part, Part, str, Detector, Difference]]:
        """Every later network of a level beside the first, on the same rows, by every detector."""
        for level in self.config.levels:
            first, *others = (part for part in self.parts if part.level == level)
            for part in others:
                for name, found in part.alone.items():
                    for detector, places in found.items():
                        yield from differences_of(first, part, name, detector, places)

    @property
    def part(self) -> Part:
        """The only part, of a study of one model at one level."""
        (part,) = self.parts
        return part

    def frame(self, name: str) -> "pandas.DataFrame":
        """A table as a pandas DataFrame: "places" (or "layers"), "findings", "runs", "nodes", ...

        Its rows begin with model and level. Raises InputError for a table that is none.
        """
        return frame(self, name)


def auroc_of(measured) -> float:
    return measured.auroc


def probe_auroc_of(separation) -> float:
    return separation.mean["probe_auroc"]


def best_place(found: dict, measure: Callable[[Any], float] = auroc_of):
    """Returns the key of the highest value, the first of equal ones; NaN is below all numbers."""
    return max(found, key=lambda key: np.nan_to_num(measure(found[key]), nan=-np.inf))


def best_of_all(found: dict[str, dict], measure: Callable[[Any], float] = auroc_of) -> tuple:
    """Returns the comparison and the place, or other keys, of the highest value."""
    return best_place({(a, b): one for a, own in found.items() for b, one in own.items()}, measure)


def differences_of(first: Part, part: Part, name: str, detector: Detector, places):
    """Of one comparison and detector; none where the rows or their labels are others."""
    theirs = first.alone.get(name, {}).get(detector)
    if theirs is None or first.pool_ids[name] != part.pool_ids[name]:
        return
    (others, _), (labels, half_N) = first.wide[name], part.wide[name]
    if not same_labels(others, labels):
        return
    scores = [{p: d.score_N for p, d in found.items()} for found in (theirs, places)]
    if any(len(a) != labels.positive_N.size for found in scores for a in found.values()):
        return
    for difference in compare_networks(*scores, labels, half_N, part.config.seed):
        yield first, part, name, detector, difference


def same_labels(one: Labels, other: Labels) -> bool:
    """Whether rows are of the same sides and of the same entities."""
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("positive_N", "clusters_N")
    )


def read_part(level: Level) -> Part:
    """The results of the comparisons of one model at one level; big arrays stay on disk."""
    cases, first, results = level.cases, level.cases[0], {}
    for stage in STAGES:
        results |= stage.read(level)
    return Part(
        config=first.config,
        model=first.source.name,
        level=first.comparison.level,
        source=first.source,
        places=first.source.places,
        pool_ids={case.name: case.pool.ids for case in cases},
        wide={case.name: (case.labels, case.halves_N) for case in cases},
        pool_sizes={case.name: case.pool.sizes for case in cases},
        positive={case.name: case.pool.positive_N for case in cases},
        shown={case.name: case.texts or case.pool.ids for case in cases},
        results=results,
        left_out={case.name: case.pool.left_out for case in cases},
        entities={case.name: entities_of(case) for case in cases if case.pool.together is not None},
    )


def entities_of(case: Case) -> tuple[int, Exchange]:
    """How many entities or pairs the rows have, and in how many ways these can be labelled."""
    return np.unique(case.pool.together).size, where.exchange_in(case.every_row)
