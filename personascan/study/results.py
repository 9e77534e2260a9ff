"""The results of a study, put together from finished units alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from personascan.analysis.detection import Labels
from personascan.analysis.differences import Difference, compare_networks
from personascan.analysis.findings import Finding, findings
from personascan.calibration.label_exchange import Exchange
from personascan.places import Place
from personascan.showing import Shown
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
    from personascan.calibration.place_tests import PlaceTests
    from personascan.study.effects import CrossEffect, SetEffects
    from personascan.study.stages.controls import Controls
    from personascan.study.stages.evidence import Evidence
    from personascan.study.stages.judged import JudgedAnswers
    from personascan.study.stages.kinds import OrderedRows
    from personascan.study.stages.projection import Projection
    from personascan.study.stages.promoted import Promoted
    from personascan.study.stages.recipes import Recipes
    from personascan.study.stages.sweep import Sweep
    from personascan.study.stages.tokens import ShadedStatements
    from personascan.study.stages.validation import HalfValidation
    from personascan.study.stages.written import WrittenTexts


# What each comparison of a level is set against.
AGAINST = {2: "its own negatives", 1: "its topic's others", 0: "the other topics"}


@dataclass(frozen=True)
class Part:
    """One model at one level. Dictionaries are keyed by the name of the comparison."""

    config: StudyConfig
    model: str
    level: int
    source: Source
    places: list[Place]  # the family that was searched
    pool_ids: dict[str, tuple[str, ...]]  # statement ids of each comparison
    # Of the rows that are scanned alone: their labels, and the half [N] of each.
    detection_rows: dict[str, tuple[Labels, np.ndarray]] = field(repr=False)
    pool_sizes: dict[str, tuple[int, int]]  # statements of H1 and H0
    positive: dict[str, np.ndarray] = field(repr=False)  # bool [N]: rows of H1
    row_texts: dict[str, tuple[str, ...]] = field(repr=False)  # [N]: each row's text, or its id
    results: dict[str, Any] = field(repr=False)  # of the stages; also attributes, by their names
    left_out: dict[str, LeftOut] = field(default_factory=dict)  # rows that were not compared
    # Of comparisons whose rows name entities or pairs: their number, and their labellings.
    entities: dict[str, tuple[int, Exchange]] = field(default_factory=dict)

    if TYPE_CHECKING:
        # Bag-of-words held-out accuracy, mean and deviation; NaN where rows are no texts.
        wording: dict[str, tuple[float, float]]
        separation: dict[str, dict[Place, Separation]]
        # Of rows scanned alone, by each detector; the first has the tail of all scans.
        all_detections: dict[str, dict[Detector, dict[Place, Detection]]]
        baselines: dict[str, dict[str, tuple[Place, Detection]]]  # by their names
        transfers: dict[str, dict[Place, Transfer]]  # of probes of the other comparisons
        tails: dict[str, dict[str, Calibration]]  # by the scan's own score, of each tail
        projections: dict[str, list[Projection]]
        calibrations: dict[str, PlaceTests]  # empty without permutations
        furthest: dict[str, Place]  # above its permutations; without these, of the best probe
        scans: dict[str, list[PlaceScan]]  # chosen places judged apart, then named ones
        evidence: dict[str, Evidence]  # at the furthest place; none without permutations
        validations: dict[str, list[HalfValidation]]  # each half's set, on the other
        overlaps: dict[Place, list[Overlap]]  # of the named places
        profiles: dict[str, dict[tuple, Profile]]  # of each (site, position)
        # By topic; empty at later levels.
        persona_separation: dict[str, dict[Place, PersonaSeparation]]
        interventions: list[SetEffects]  # of every node set that was tested
        specificity: list[CrossEffect]  # of every set on every comparison
        written: list[WrittenTexts]  # of every set that was tested; none without pushes
        tokens: dict[str, ShadedStatements]  # shaded by a direction of the other half
        promoted: dict[str, Promoted]  # tokens whose logits the direction raises and lowers
        recipes: dict[str, Recipes]  # how far sites and positions of answers agree
        controls: dict[str, Controls]  # of answers of conversations
        judged: dict[str, JudgedAnswers]  # the model's own judgement of its answers
        sweeps: dict[str, Sweep]  # what it answers with the direction added
        # H1 rows in the order of their first component on found nodes; none without permutations.
        kinds: dict[str, list[OrderedRows]]
        # Rows scored by places chosen without them; none without permutations, or of few rows.
        held_out: dict[str, HeldOut]
        # AUROC of the same rows by one place alone, whichever was chosen.
        place_aurocs: dict[str, dict[Place, float]]

    def __getattr__(self, name: str):
        """Returns a result of a stage."""
        results = self.__dict__.get("results", {})
        if name not in results:
            raise AttributeError(f"a part of a study has no {name!r}; use one of {list(results)}")
        return results[name]

    def with_results(self, **changes) -> "Part":
        """Returns the part with other results of stages."""
        return replace(self, results=self.results | changes)

    @property
    def detections(self) -> "dict[str, dict[Place, Detection]]":
        """Detections of rows scanned alone with the tail of all scans."""
        return {name: next(iter(one.values())) for name, one in self.all_detections.items()}

    @property
    def held_out_texts(self) -> "dict[str, HeldOut]":
        """Held-out rows that word counts or the embedding score as well: those of texts."""
        return {name: one for name, one in self.held_out.items() if one.simpler}

    @property
    def compares_detectors(self) -> bool:
        """Whether rows are scanned alone by several detectors, or compared with baselines."""
        several = any(len(one) > 1 for one in self.all_detections.values())
        return several or any(self.baselines.values())

    @property
    def texts(self) -> bool:
        """Whether rows are texts."""
        return self.source.texts

    @property
    def terms(self) -> Terms:
        """The words for its rows and sides."""
        return self.source.terms

    @property
    def head_width(self) -> int:
        """Columns of a head at the site head_out."""
        return self.source.head_width

    @property
    def role(self) -> str:
        """Role of the chat message that holds a row, as applied."""
        return self.source.role

    @property
    def title(self) -> str:
        """Model, and what is set against what, in words."""
        return f"{self.model}, each against {AGAINST[self.level]}"

    def larger_share(self, name: str) -> float:
        """Returns the accuracy of always guessing the larger side of a comparison."""
        return max(self.pool_sizes[name]) / sum(self.pool_sizes[name])

    def findings(self) -> list[Finding]:
        """Returns the finding of each calibrated comparison: where it shows, and how surely."""
        return findings(self.calibrations, self.scans)


@dataclass(frozen=True, repr=False)
class Study(Shown):
    """All results of a study: a part for each model and level."""

    config: StudyConfig
    parts: list[Part]
    provenance: dict[str, Any]  # versions, platform, hashes of the inputs

    def summary(self) -> str:
        """Returns one line: what was compared, and where the page is."""
        comparisons = sum(len(part.pool_sizes) for part in self.parts)
        models = ", ".join(dict.fromkeys(part.model for part in self.parts))
        return f"{comparisons} comparisons in {models}: {self.config.out}/report.html"

    def to_frame(self, table: str = "findings") -> "pandas.DataFrame":
        """Returns one of the tables that a study writes: findings, places, nodes, ...

        Raises InputError for a table that a study has not.
        """
        return self.frame(table)

    def differences(self) -> Iterator[tuple[Part, Part, str, Detector, Difference]]:
        """Yields every later network of a level beside the first, on the same rows, by detector."""
        for level in self.config.levels:
            first, *others = (part for part in self.parts if part.level == level)
            for part in others:
                for name, detections in part.all_detections.items():
                    for detector, places in detections.items():
                        yield from differences_of(first, part, name, detector, places)

    @property
    def part(self) -> Part:
        """The only part, of a study of one model at one level."""
        (part,) = self.parts
        return part

    def frame(self, name: str) -> "pandas.DataFrame":
        """Returns a table: "places" (or "layers"), "findings", "runs", "nodes", ...

        Its rows begin with model and level. Raises InputError for an unknown table.
        """
        return frame(self, name)


def auroc_of(measured) -> float:
    return measured.auroc


def probe_auroc_of(separation) -> float:
    return separation.mean["probe_auroc"]


def best_place(results: dict, measure: Callable[[Any], float] = auroc_of):
    """Returns the key of the highest value, the first of equal ones; NaN is below all numbers."""
    return max(results, key=lambda key: np.nan_to_num(measure(results[key]), nan=-np.inf))


def best_of_all(results: dict[str, dict], measure: Callable[[Any], float] = auroc_of) -> tuple:
    """Returns the comparison and the place, or other keys, of the highest value."""
    every = {(a, b): one for a, own in results.items() for b, one in own.items()}
    return best_place(every, measure)


def differences_of(first: Part, part: Part, name: str, detector: Detector, places):
    """Yields the differences by one comparison and detector, if rows and labels are the same."""
    theirs = first.all_detections.get(name, {}).get(detector)
    if theirs is None or first.pool_ids[name] != part.pool_ids[name]:
        return
    (others, _), (labels, half_N) = first.detection_rows[name], part.detection_rows[name]
    if not same_labels(others, labels):
        return
    scores = [{p: d.score_N for p, d in one.items()} for one in (theirs, places)]
    if any(len(a) != labels.positive_N.size for one in scores for a in one.values()):
        return
    for difference in compare_networks(*scores, labels, half_N, part.config.seed):
        yield first, part, name, detector, difference


def same_labels(one: Labels, other: Labels) -> bool:
    """Returns whether rows are of the same sides and of the same entities."""
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("positive_N", "clusters_N")
    )


def read_part(level: Level) -> Part:
    """Returns the results of one model at one level; big arrays stay on disk."""
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
        detection_rows={case.name: (case.labels, case.halves_N) for case in cases},
        pool_sizes={case.name: case.pool.sizes for case in cases},
        positive={case.name: case.pool.positive_N for case in cases},
        row_texts={case.name: case.texts or case.pool.ids for case in cases},
        results=results,
        left_out={case.name: case.pool.left_out for case in cases},
        entities={case.name: entities_of(case) for case in cases if case.pool.together is not None},
    )


def entities_of(case: Case) -> tuple[int, Exchange]:
    """Returns how many entities or pairs the rows have, and how these can be labelled."""
    pool = case.pool
    groups_N = pool.together if pool.pairs is None else pool.pairs
    return np.unique(groups_N).size, where.exchange_in(case.every_row)
