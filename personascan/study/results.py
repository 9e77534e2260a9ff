"""What a study found, put together from finished units alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from personascan.analysis.claims import auroc
from personascan.analysis.crossfit import Crossfit, HeldOut, folds_of, held_out
from personascan.analysis.detection import Detection, Labels
from personascan.analysis.differences import Difference, compare_networks
from personascan.analysis.findings import Finding, findings
from personascan.analysis.localisation import PlaceScan
from personascan.analysis.overlaps import Overlap, overlaps, with_tests
from personascan.analysis.personas import PersonaSeparation
from personascan.analysis.profiles import Profile
from personascan.analysis.separation import Separation
from personascan.analysis.transfer import Transfer
from personascan.calibration.calibrate import Calibration
from personascan.calibration.exchangeable import Exchange, exchange_of
from personascan.calibration.locate import PlaceTests
from personascan.places import Place
from personascan.sources.base import Source, Terms
from personascan.study import located, stages
from personascan.study.case import Detector
from personascan.study.comparisons import LeftOut
from personascan.study.config import StudyConfig
from personascan.study.course import Case, Topic, crossed
from personascan.study.effects import Crossed, TestedEffects, crossed_effects, tested_effects
from personascan.study.intervened import read_tested
from personascan.study.splits import chance_sizes

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Projection:
    """One place of one comparison in its first two principal components."""

    place: Place
    points_N2: np.ndarray
    positive_N: np.ndarray
    share_2: np.ndarray  # share of variance of each component


@dataclass(frozen=True)
class Validated:
    """A node set found on one half of the rows, at the place it chose, judged on the other."""

    place: Place
    half: str  # that found it
    methods: dict[str, dict[str, float]]  # {method: {metric: value}}, as `validation.Validation`


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
    # Bag-of-words held-out accuracy, mean and deviation; NaN where rows are no texts.
    wording: dict[str, tuple[float, float]]
    separation: dict[str, dict[Place, Separation]] = field(repr=False)
    # Of rows scanned alone, in each way; the first has the tail of all scans.
    alone: dict[str, dict[Detector, dict[Place, Detection]]] = field(repr=False)
    baselines: dict[str, dict[str, tuple[Place, Detection]]] = field(repr=False)  # by their names
    transfers: dict[str, dict[Place, Transfer]]  # probes of the other comparisons
    tails: dict[str, dict[str, Calibration]] = field(repr=False)  # by the scans' own scores
    projections: dict[str, list[Projection]] = field(repr=False)
    calibrations: dict[str, PlaceTests] = field(repr=False)  # empty without permutations
    scans: dict[str, list[PlaceScan]] = field(repr=False)  # chosen places judged apart, then named
    validations: dict[str, list[Validated]] = field(repr=False)  # each half's set, on the other
    overlaps: dict[Place, list[Overlap]] = field(repr=False)  # of the named places
    profiles: dict[str, dict[tuple, Profile]]  # of each (site, position)
    apart: dict[str, dict[Place, PersonaSeparation]]  # of topics; empty at a study's later levels
    furthest: dict[str, Place]  # above its permutations; without these, of the best probe
    interventions: list[TestedEffects] = field(repr=False)  # of every node set that was tested
    specificity: list[Crossed] = field(repr=False)  # of every set on every comparison
    left_out: dict[str, LeftOut] = field(default_factory=dict)  # rows that were not compared
    # Entities, and their distinct labellings: of comparisons whose rows have entities.
    entities: dict[str, tuple[int, Exchange]] = field(default_factory=dict)
    # Rows told by places that they did not choose; empty without permutations, or of few rows.
    held_out: dict[str, HeldOut] = field(default_factory=dict, repr=False)
    # AUROC of the same rows told by one place alone, whichever was chosen.
    told: dict[str, dict[Place, float]] = field(default_factory=dict, repr=False)

    @property
    def detections(self) -> dict[str, dict[Place, Detection]]:
        """Rows scanned alone with the tail of all scans."""
        return {name: next(iter(found.values())) for name, found in self.alone.items()}

    @property
    def beyond(self) -> dict[str, HeldOut]:
        """Those of texts, which word counts can tell as well."""
        return {name: one for name, one in self.held_out.items() if one.claim is not None}

    @property
    def several_ways(self) -> bool:
        """Whether rows are scanned alone in more than one way, or something simpler is beside."""
        return any(len(found) > 1 for found in self.alone.values()) or any(self.baselines.values())

    @property
    def texts(self) -> bool:
        """Whether rows are texts."""
        return not all(np.isnan(accuracy) for accuracy, _ in self.wording.values())

    @property
    def terms(self) -> Terms:
        """What its rows are called."""
        return self.source.terms

    @property
    def head_width(self) -> int:
        """Columns of a head at the site head_out."""
        return getattr(self.source, "head_width", 1)

    @property
    def role(self) -> str:
        """Of a chat message, as applied."""
        return getattr(self.source, "role", "")

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
        """Every later network of a level beside the first, on the same rows, in every way."""
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

        Its rows begin with model and level. Raises InputError for a table that is none, and where
        pandas is not installed (extra `frames`).
        """
        from personascan.study.frames import frame

        return frame(self, name)


def differences_of(first: Part, part: Part, name: str, detector: Detector, places):
    """Of one comparison and way of scanning; none where the rows or their labels are others."""
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
        np.array_equal(getattr(one, field), getattr(other, field))
        for field in ("positive_N", "clusters_N")
    )


def read_part(cases: list[Case], topics: list[Topic]) -> Part:
    """The results of the comparisons of one model at one level; big arrays stay on disk."""
    first = cases[0]
    scans = {case.name: scans_of(case) for case in cases}
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
        wording={case.name: wording_of(case) for case in cases},
        separation={
            case.name: {place: case.separation_at(place) for place in case.source.places}
            for case in cases
        },
        alone={
            case.name: {
                detector: {q: detection_at(case, q, detector) for q in case.source.places}
                for detector in case.detectors
            }
            for case in cases
        },
        baselines={case.name: baselines_of(case) for case in cases},
        transfers=transfers_of(cases),
        tails={case.name: case.tails for case in cases if case.tails},
        validations={case.name: validations_of(case) for case in cases},
        projections={case.name: projections_of(case) for case in cases},
        calibrations={
            case.name: case.calibrations[stages.ALL] for case in cases if case.calibrations
        },
        scans=scans,
        overlaps={place: place_overlaps(place, scans, cases) for place in first.named},
        profiles={
            case.name: {
                key: stages.profile_of(case.store.read(case.profile(line).unit))
                for key, line in case.lines.items()
            }
            for case in cases
        },
        apart={
            t.pool.name: {
                place: stages.personas_of(t.store.read(t.apart(place).unit))
                for place in t.source.places
            }
            for t in topics
        },
        furthest={case.name: case.furthest() for case in cases},
        interventions=interventions_of(cases),
        specificity=specificity_of(cases),
        left_out={case.name: case.pool.left_out for case in cases},
        entities={case.name: entities_of(case) for case in cases if case.pool.clusters is not None},
        held_out={case.name: held_out_of(case) for case in cases if case.holds_out},
        told={case.name: told_of(case) for case in cases if case.holds_out},
    )


def entities_of(case: Case) -> tuple[int, Exchange]:
    """How many entities the rows have, and in how many ways these can be labelled."""
    pool = case.pool
    return np.unique(pool.clusters).size, exchange_of(pool.positive_N, entities=pool.clusters)


def crossfits_of(case: Case) -> dict[Place, Crossfit]:
    return {
        place: located.crossfit_of(case.store.read(case.crossfit(place).unit))
        for place in case.source.places
    }


def told_of(case: Case) -> dict[Place, float]:
    """How well each place tells rows by directions that they did not choose."""
    positive_N = case.pool.positive_N
    return {place: auroc(one.score_N, positive_N) for place, one in crossfits_of(case).items()}


def held_out_of(case: Case) -> HeldOut:
    """Rows told by the places that the other folds chose, beside their words."""
    words_N = None
    if case.texts is not None:
        words_N = case.store.read(case.words().unit).arrays["score_N"]
    found, plan, pool = crossfits_of(case), case.config.validation, case.pool
    fold_N = folds_of(pool.positive_N, case.config.where.folds, case.seed, pool.clusters)
    return held_out(
        found, words_N, pool.positive_N, fold_N, resamples=plan.bootstrap, level=plan.level,
        seed=case.seed, clusters_N=pool.clusters,
    )  # fmt: skip


def interventions_of(cases: list[Case]) -> list[TestedEffects]:
    every = [
        read_tested(
            case.node_set(finder, place),
            case.jury(judge),
            case.store.read(case.intervention(finder, judge, place).unit),
        )
        for case in cases
        for finder, judge, place in case.intervened
    ]
    return tested_effects(every, cases[0].config.intervention, cases[0].config.seed)


def specificity_of(cases: list[Case]) -> list[Crossed]:
    found = []
    for case, finder, judge, sets in crossed(cases):
        result = case.store.read(case.specificity(finder, judge, sets).unit)
        names = ["", *(one.name for one in sets)]
        owners = tuple(names[number + 1] for number in result.values["owners"])
        own = next(one for one in sets if one.name == case.name)
        tested = read_tested(own, case.jury(judge), result, owners)
        found += crossed_effects(tested, case.config.intervention, case.config.seed)
    return found


def wording_of(case: Case) -> tuple[float, float]:
    if case.texts is None:
        return np.nan, np.nan
    values = case.store.read(case.wording().unit).values
    return values["mean"], values["deviation"]


def scans_of(case: Case) -> list[PlaceScan]:
    """At the places that halves chose, judged on the other half, then at the named ones."""

    def scan(part, place, choice=None, mixture=None):
        work = case.mixed(place, mixture) if mixture else case.localisation(part, place)
        mixed = str(mixture) if mixture else ""
        found = stages.scan_of(place, work, case.store.read(work.unit), choice, mixed)
        if not case.parts:
            return found
        result = case.store.read(case.nodes(part, place).unit)
        found = found.with_tests(located.nodes_of(result), case.config.node_q)
        return replace(found, heads=located.heads_of(result))

    found = [scan(judge, place, choice) for _, judge, place, choice in case.choices()]
    found += [scan(stages.ALL, place) for place in case.named]
    return found + [
        scan(stages.ALL, place, mixture=mixture)
        for place in case.named
        for mixture in case.config.scan.mixtures
    ]


def detection_at(case: Case, place: Place, detector: Detector) -> Detection:
    return stages.detection_of(case.store.read(case.alone(place, detector).unit))


def baselines_of(case: Case) -> dict[str, tuple[Place, Detection]]:
    return {
        b.name: (b.place, stages.detection_of(case.store.read(case.baseline(b).unit)))
        for b in case.source.baselines
    }


def transfers_of(cases: list[Case]) -> dict[str, dict[Place, Transfer]]:
    if not cases[0].config.transfer or len(cases) < 2:
        return {}
    found = {}
    for case in cases:
        others = [other for other in cases if other is not case]
        found[case.name] = {
            place: stages.transfer_of(case.store.read(case.transfer(place, others).unit))
            for place in case.source.places
        }
    return found


def validations_of(case: Case) -> list[Validated]:
    found = []
    for chooser, judge, place, _ in case.choices():
        result = case.store.read(case.validation(chooser, judge, place).unit)
        found.append(Validated(place, chooser, stages.validation_of(result)))
    return found


def projections_of(case: Case) -> list[Projection]:
    found = []
    for place in case.pictured():
        arrays = case.store.read(case.projection(place).unit).arrays
        found.append(
            Projection(place, arrays["points_N2"], case.pool.positive_N, arrays["share_2"])
        )
    return found


def place_overlaps(place: Place, scans: dict[str, list[PlaceScan]], cases) -> list[Overlap]:
    """The overlaps of the node sets of a named place, beside chance."""
    at = {n: s for n, found in scans.items() for s in found if s.place == place and s.plain}
    sets = {name: scan.nodes_D for name, scan in at.items()}
    found = overlaps(sets, chance_sizes(cases, place), cases[0].config.seed)
    tested = {name: scan.tested for name, scan in at.items()}
    return found if None in tested.values() else with_tests(found, sets, tested)
