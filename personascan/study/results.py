"""What a study found, put together from finished units alone."""

from dataclasses import dataclass, field

import numpy as np

from personascan.analysis.detection import Detection
from personascan.analysis.findings import Finding, findings
from personascan.analysis.localisation import PlaceScan
from personascan.analysis.overlaps import Overlap, overlaps
from personascan.analysis.personas import PersonaSeparation
from personascan.analysis.profiles import Profile
from personascan.analysis.separation import Separation
from personascan.calibration.calibrate import Calibration
from personascan.places import Place
from personascan.study import stages
from personascan.study.config import StudyConfig
from personascan.study.course import Case, Topic


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
    role: str  # as applied
    places: list[Place]  # the family that was searched
    head_width: int  # columns of a head at the site head_out
    pool_ids: dict[str, tuple[str, ...]]  # statement ids of each comparison
    pool_sizes: dict[str, tuple[int, int]]  # statements of H1 and H0
    wording: dict[str, tuple[float, float]]  # bag-of-words held-out accuracy, mean and deviation
    separation: dict[str, dict[Place, Separation]] = field(repr=False)
    detections: dict[str, dict[Place, Detection]] = field(repr=False)
    projections: dict[str, list[Projection]] = field(repr=False)
    calibrations: dict[str, Calibration] = field(repr=False)  # empty without permutations
    scans: dict[str, list[PlaceScan]] = field(repr=False)  # chosen places judged apart, then named
    validations: dict[str, list[Validated]] = field(repr=False)  # each half's set, on the other
    overlaps: dict[Place, list[Overlap]] = field(repr=False)  # of the named places
    profiles: dict[str, dict[tuple, Profile]]  # of each (site, position)
    apart: dict[str, dict[Place, PersonaSeparation]]  # of topics; empty at a study's later levels
    furthest: dict[str, Place]  # above its permutations; without these, of the best probe

    @property
    def title(self) -> str:
        """Model and level, in words."""
        return f"{self.model}, level {self.level}"

    def findings(self) -> list[Finding]:
        """Of each calibrated comparison, where it shows and how sure that is."""
        return findings(self.calibrations, self.scans)


@dataclass(frozen=True)
class Study:
    """Everything a study found: a part for each model and level."""

    config: StudyConfig
    parts: list[Part]
    provenance: dict  # versions, platform, hashes of the inputs

    @property
    def part(self) -> Part:
        """The only part, of a study of one model at one level."""
        (part,) = self.parts
        return part

    def frame(self, name: str):
        """A table as a pandas DataFrame: "places" (or "layers"), "findings", "runs", "nodes", ...

        Its rows begin with model and level. Raises InputError for a table that is none, and where
        pandas is not installed (extra `frames`).
        """
        from personascan.study.frames import frame

        return frame(self, name)


def read_part(cases: list[Case], topics: list[Topic]) -> Part:
    """The results of the comparisons of one model at one level; big arrays stay on disk."""
    first = cases[0]
    scans = {case.name: scans_of(case) for case in cases}
    return Part(
        config=first.config,
        model=first.source.name,
        level=first.comparison.level,
        role=first.source.role,
        places=first.source.places,
        head_width=first.source.head_width,
        pool_ids={case.name: case.pool.ids for case in cases},
        pool_sizes={case.name: case.pool.sizes for case in cases},
        wording={case.name: wording_of(case) for case in cases},
        separation={
            case.name: {place: case.separation_at(place) for place in case.source.places}
            for case in cases
        },
        detections={
            case.name: {place: detection_at(case, place) for place in case.source.places}
            for case in cases
        },
        validations={case.name: validations_of(case) for case in cases},
        projections={case.name: projections_of(case) for case in cases},
        calibrations={
            case.name: case.calibrations[stages.ALL] for case in cases if case.calibrations
        },
        scans=scans,
        overlaps={place: place_overlaps(place, scans) for place in first.named},
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
    )


def wording_of(case: Case) -> tuple[float, float]:
    values = case.store.read(case.wording().unit).values
    return values["mean"], values["deviation"]


def scans_of(case: Case) -> list[PlaceScan]:
    """At the places that halves chose, judged on the other half, then at the named ones."""

    def scan(part, place, choice=None):
        result = case.store.read(case.localisation(part, place).unit)
        return stages.scan_of(place, result, choice)

    chosen = [scan(judge, place, choice) for _, judge, place, choice in case.choices()]
    return chosen + [scan(stages.ALL, place) for place in case.named]


def detection_at(case: Case, place: Place) -> Detection:
    return stages.detection_of(case.store.read(case.detection(place).unit))


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


def place_overlaps(place: Place, scans: dict[str, list[PlaceScan]]) -> list[Overlap]:
    """The overlaps of the node sets of a named place, with their permutation null if any."""
    at = {n: s for n, found in scans.items() for s in found if s.place == place and not s.choice}
    nulls = {name: scan.null_nodes_TD for name, scan in at.items()}
    calibrated = all(null is not None for null in nulls.values())
    return overlaps({n: s.nodes_D for n, s in at.items()}, nulls if calibrated else None)
