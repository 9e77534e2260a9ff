"""The course of a study: what is compared where, which units that takes, and in which order.

Places are chosen from finished units, so that the later stages are known once the earlier are done.
"""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np

from personascan.analysis.detection import Labels
from personascan.analysis.localisation import HALVES, Choice, in_half
from personascan.calibration.calibrate import Calibration, family_of
from personascan.calibration.family import mean_statistic
from personascan.places import ONCE, Place, depths, lines_of
from personascan.sources.base import Baseline, chosen
from personascan.study import stages
from personascan.study.comparisons import Comparison, Pool, dealt_out, first_by_hash
from personascan.study.config import CHOSEN, Mixture, StudyConfig, single_tails
from personascan.study.intervened import (
    Jury,
    NodeSet,
    intervention_work,
    specificity_work,
)
from personascan.study.rows import StoredRows, stored_rows
from personascan.study.store import Store
from personascan.study.units import Work


def seed_of(seed: int, name: str) -> int:
    """A seed for each comparison, which does not change when others come or go."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:4]) >> 1


@dataclass(frozen=True)
class Detector:
    """A way of scanning rows alone."""

    tail: str
    conditional: bool = False

    def __str__(self) -> str:
        return f"{self.tail}, within conditions" if self.conditional else self.tail


@dataclass(frozen=True)
class Topic:
    """The personas of a topic in one source, told from one another at every place."""

    source: object
    pool: Pool
    store: Store
    seed: int

    def apart(self, place: Place) -> Work:
        rows = stored_rows(self.store, self.source, self.pool, place)
        return stages.personas_work(rows, self.pool, self.seed)

    def searches(self) -> list[Work]:
        return [self.apart(place) for place in self.source.places]


@dataclass(frozen=True)
class Case:
    """One comparison in one source: its units, and what the finished ones say."""

    source: object
    comparison: Comparison
    pool: Pool
    wide: Pool  # the rows that are scanned alone: those of the pool, or more
    texts: tuple[str, ...] | None  # of the pool; None where rows are no texts
    conditions: np.ndarray  # of the wide pool
    named: tuple[Place, ...]  # that the configuration names
    config: StudyConfig
    store: Store
    edited: bool = False  # its node sets are tested by intervention

    @property
    def name(self) -> str:
        return self.pool.name

    @property
    def seed(self) -> int:
        return seed_of(self.config.seed, self.name)

    @functools.cached_property
    def plan(self):
        return self.config.localisation()

    @property
    def chooses(self) -> bool:
        """Whether halves choose places."""
        return CHOSEN in self.config.scan.places

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts of the rows whose places are set beside permutations."""
        if not self.plan.permutations:
            return ()
        return stages.PARTS if self.chooses else stages.PARTS[:1]

    def rows(self, place: Place) -> StoredRows:
        return stored_rows(self.store, self.source, self.pool, place)

    def wording(self) -> Work:
        return stages.wording_work(self.pool, list(self.texts), self.seed)

    def separation(self, place: Place) -> Work:
        return stages.separation_work(
            self.rows(place), self.pool, self.config.separation, self.seed
        )

    def null(self, part: str, place: Place, tail: str = "") -> Work:
        plan = self.config.localisation(tail) if tail else self.plan
        return stages.null_work(self.rows(place), self.pool, part, plan, self.seed)

    def localisation(self, part: str, place: Place) -> Work:
        return stages.localisation_work(
            self.rows(place), self.pool, place, part, self.plan, self.seed
        )

    def mixed(self, place: Place, mixture: Mixture) -> Work:
        """The scans of a place with another share of H1 among the scanned rows."""
        plan = self.config.mixed(mixture)
        return stages.localisation_work(
            self.rows(place), self.pool, place, stages.ALL, plan, self.seed
        )

    @property
    def detectors(self) -> list[Detector]:
        """The ways in which rows are scanned alone; the first with the tail of all scans."""
        plan = self.config.detection
        return [
            Detector(tail, conditional)
            for conditional in (False, *([True] if plan.conditional else []))
            for tail in (self.config.scan.tail, *plan.tails)
        ]

    @property
    def labels(self) -> Labels:
        """Of the rows that are scanned alone."""
        return Labels(self.wide.positive_N, self.wide.clusters)

    @property
    def halves_N(self) -> np.ndarray:
        """The half of each of these rows."""
        return in_half(self.wide.strata, self.seed, self.wide.clusters)

    def alone(self, place: Place, detector: Detector) -> Work:
        """Rows scanned alone."""
        conditions = self.conditions if detector.conditional else None
        return stages.detection_work(
            stored_rows(self.store, self.source, self.wide, place),
            Labels(self.wide.positive_N, self.wide.clusters, conditions),
            self.config.detection, self.config.tail_options(detector.tail), self.seed,
        )  # fmt: skip

    def detection(self, place: Place) -> Work:
        return self.alone(place, self.detectors[0])

    def baseline(self, baseline: Baseline) -> Work:
        return stages.baseline_work(
            stored_rows(self.store, self.source, self.wide, baseline.place),
            self.labels, baseline.method,
            self.config.detection, self.seed,
        )  # fmt: skip

    def transfer(self, place: Place, others: list["Case"]) -> Work:
        """A probe of the other comparisons, held to this one; no entity is on both sides."""
        pools = [other.pool for other in others]
        judged, pools = dealt_out(self.source.groups, self.pool, pools, self.seed)
        rows, *trained = (
            stored_rows(self.store, self.source, pool, place) for pool in (judged, *pools)
        )
        labelled = [(one, pool.positive_N) for one, pool in zip(trained, pools, strict=True)]
        return stages.transfer_work(rows, judged, labelled, self.config.separation.probe_c)

    def validation(self, chooser: str, judge: str, place: Place) -> Work:
        found, plan = self.localisation(chooser, place).unit, self.config.validation
        file = self.store.array_path(found, "frequency_TC" if plan.share else "set_TC")
        return stages.validation_work(
            self.rows(place), self.pool, self.texts, (found, str(file)), (chooser, judge), plan,
            self.seed,
        )  # fmt: skip

    @property
    def lines(self) -> dict[tuple, list[Place]]:
        """The layers of each site and position."""
        return lines_of(self.source.places)

    def profile(self, line: list[Place]) -> Work:
        units = [self.detection(place).unit for place in line]
        files = [str(self.store.array_path(unit, "score_N")) for unit in units]
        at = list(depths(line, self.source.layers).values())
        resamples = self.config.validation.bootstrap
        return stages.profile_work(units, files, self.wide, at, resamples, self.seed)

    def projection(self, place: Place) -> Work:
        return stages.projection_work(self.rows(place), self.pool)

    def searches(self) -> list[Work]:
        """Everything that is done at every place."""
        works = [] if self.texts is None else [self.wording()]
        works += [self.baseline(baseline) for baseline in self.source.baselines]
        for place in self.source.places:
            works += [self.separation(place)]
            works += [self.alone(place, detector) for detector in self.detectors]
            works += [self.null(part, place) for part in self.parts]
            works += [self.null(stages.ALL, place, tail) for tail in self.one_sided]
        return works

    @property
    def one_sided(self) -> tuple[str, ...]:
        """The tails that are calibrated beside that of the scans."""
        return self.config.other_tails if self.plan.permutations else ()

    def scores(self, part: str, place: Place, tail: str) -> np.ndarray:
        """Of every run of every labelling [T + 1, R], from finished units."""
        found = [
            self.store.read(
                self.null(part, place, "" if t == self.config.scan.tail else t).unit
            ).arrays["scores_TR"]
            for t in single_tails(tail)
        ]
        return np.max(found, axis=0)

    def calibrated(self, part: str, tail: str = "") -> Calibration:
        """The family of all places, from finished units."""
        places, tail = self.source.places, tail or self.config.scan.tail
        scores = [self.scores(part, place, tail) for place in places]
        plan = self.config.localisation(single_tails(tail)[0])
        return family_of(
            tuple(places), mean_statistic(scores), plan.statistic_options(),
            stages.part_plan(plan, part).runs, stages.part_seed(part, self.seed),
        )  # fmt: skip

    @functools.cached_property
    def tails(self) -> dict[str, Calibration]:
        """{tail: the family of all places} of the tails beside that of the scans."""
        if not self.plan.permutations:
            return {}
        return {tail: self.calibrated(stages.ALL, tail) for tail in self.config.scan.tails}

    @functools.cached_property
    def calibrations(self) -> dict[str, Calibration]:
        """{part: its family}, read once."""
        return {part: self.calibrated(part) for part in self.parts}

    def choices(self) -> list[tuple[str, str, Place, Choice]]:
        """(half that chose, half that judges, place, how) both ways round."""
        if not self.chooses:
            return []
        found = []
        for chooser, judge in (HALVES, HALVES[::-1]):
            chosen, judging = self.calibrations[chooser], self.calibrations[judge]
            best = chosen.best
            choice = Choice(
                chooser, float(chosen.z[best]), float(chosen.p_family[best]),
                float(judging.p[best]),
            )  # fmt: skip
            found.append((chooser, judge, chosen.keys[best], choice))
        return found

    def localisations(self) -> list[Work]:
        """The scans at the chosen places and the named ones."""
        works = [
            self.localisation(part, place)
            for chooser, judge, place, _ in self.choices()
            for part in (chooser, judge)
        ]
        works += [self.localisation(finder, place) for finder, _, place in self.intervened]
        works += [self.localisation(stages.ALL, place) for place in self.named]
        works += [
            self.mixed(place, mixture)
            for place in self.named
            for mixture in self.config.scan.mixtures
        ]
        return works + [self.profile(line) for line in self.lines.values()]

    def validations(self) -> list[Work]:
        """The node sets of each half at the place that it chose, judged on the other."""
        return [self.validation(one, other, place) for one, other, place, _ in self.choices()]

    @functools.cached_property
    def intervened(self) -> list[tuple[str, str, Place]]:
        """(half that finds, half that judges, place) of every node set that is tested."""
        found = []
        for text in self.config.intervention.places if self.edited else ():
            if text == CHOSEN:
                found += [(one, other, place) for one, other, place, _ in self.choices()]
            else:
                place = self.source.named(text)
                found += [(one, other, place) for one, other in (HALVES, HALVES[::-1])]
        return list(dict.fromkeys(found))

    def node_set(self, half: str, place: Place) -> NodeSet:
        """What a half of the rows found at a place."""
        unit = self.localisation(half, place).unit
        heads = Place("head_out", place.layer, place.position)
        there = heads in self.source.places and place.site not in ONCE
        return NodeSet(
            self.name, place, half, self.rows(place), stages.part_rows(self.pool, half, self.seed),
            self.pool.positive_N, unit,
            *(str(self.store.array_path(unit, name)) for name in ("set_TC", "frequency_TC")),
            self.rows(heads) if there else None, getattr(self.source, "head_width", 1),
        )  # fmt: skip

    def jury(self, half: str) -> Jury:
        """Statements of a half, so many of each direction as the plan says."""
        rows, positive_N = stages.part_rows(self.pool, half, self.seed), self.pool.positive_N
        examples = chosen(self.source.groups, self.pool.members)
        most = self.config.intervention.statements
        taken = np.array(
            sorted(
                i
                for side in (True, False)
                for i in first_by_hash(
                    [r for r in rows if positive_N[r] == side], examples, most, self.seed
                )
            )
        )
        return Jury(
            tuple(examples[i] for i in taken),
            positive_N[taken],
            stages.part_clusters(self.pool, taken),
        )

    def intervention(self, finder: str, judge: str, place: Place) -> Work:
        return intervention_work(
            self.source, self.node_set(finder, place), self.jury(judge), self.config.intervention,
            self.seed,
        )  # fmt: skip

    def interventions(self) -> list[Work]:
        """Every node set that is tested, beside its controls."""
        return [self.intervention(*one) for one in self.intervened]

    def specificity(self, finder: str, judge: str, sets: list[NodeSet]) -> Work:
        """This comparison's statements under the sets that a half of each comparison found."""
        return specificity_work(
            self.source, sets, self.jury(judge), self.config.intervention, self.seed
        )

    def furthest(self) -> Place:
        """The place furthest above its permutations; without, of the best probe."""
        if stages.ALL in self.calibrations:
            found = self.calibrations[stages.ALL]
            return found.keys[found.best]
        auroc = {
            place: self.separation_at(place).mean["probe_auroc"] for place in self.source.places
        }
        return max(auroc, key=lambda place: np.nan_to_num(auroc[place], nan=-1.0))

    def separation_at(self, place: Place):
        return stages.separation_of(self.store.read(self.separation(place).unit))

    def pictured(self) -> list[Place]:
        """An early place, one in the middle, and the furthest; then those that are scanned."""
        furthest = self.furthest()
        alike = [
            p
            for p in self.source.places
            if (p.site, p.position) == (furthest.site, furthest.position)
        ]
        shown = [alike[min(1, len(alike) - 1)], alike[len(alike) // 2], furthest]
        scanned = [place for _, _, place, _ in self.choices()] + list(self.named)
        return [*shown, *(p for p in dict.fromkeys(scanned) if p not in shown)]

    def projections(self) -> list[Work]:
        return [self.projection(place) for place in self.pictured()]


def crossed(cases: list[Case]) -> list[tuple[Case, str, str, list[NodeSet]]]:
    """(case, half that found, half that judges, the sets of all): the matrix, half by half.

    Of each comparison the first place at which its half was tested.
    """
    tested = [case for case in cases if case.intervened]
    if len(tested) < 2:
        return []
    found = []
    for finder, judge in (HALVES, HALVES[::-1]):
        sets = [
            case.node_set(finder, next(p for one, _, p in case.intervened if one == finder))
            for case in tested
        ]
        found += [(case, finder, judge, sets) for case in tested]
    return found
