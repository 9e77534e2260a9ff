"""The course of a study: what is compared where, which units that takes, and in which order.

Places are chosen from finished units, so that the later stages are known once the earlier are done.
"""

import functools
from dataclasses import dataclass

import numpy as np

from personascan.analysis.localisation import HALVES, Choice
from personascan.calibration.calibrate import Calibration, family_of
from personascan.calibration.family import mean_statistic
from personascan.calibration.locate import PlaceTests
from personascan.places import ONCE, Place
from personascan.sources.base import chosen
from personascan.study import located, stages
from personascan.study.case import Units
from personascan.study.comparisons import Pool, first_by_hash
from personascan.study.config import CHOSEN, single_tails
from personascan.study.intervened import (
    Jury,
    NodeSet,
    intervention_work,
    specificity_work,
)
from personascan.study.kinds import kinds_work
from personascan.study.rows import stored_rows
from personascan.study.store import Store
from personascan.study.units import Work


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
class Case(Units):
    """A comparison's course: what is done where, and what the finished units say."""

    def validation(self, chooser: str, judge: str, place: Place) -> Work:
        found, plan = self.nodes(chooser, place).unit, self.config.validation
        file = self.store.array_path(found, "size_1C" if plan.share else "set_1C")
        return stages.validation_work(
            self.rows(place), self.pool, self.texts, (found, str(file)), (chooser, judge), plan,
            self.seed,
        )  # fmt: skip

    def kinds(self, part: str, place: Place) -> Work:
        unit = self.nodes(part, place).unit
        found = unit, str(self.store.array_path(unit, "set_1C"))
        return kinds_work(self.rows(place), self.pool, found, part, self.seed)

    def searches(self) -> list[Work]:
        """Everything that is done at every place."""
        works = [] if self.texts is None else [self.wording()]
        works += [self.words()] if self.holds_out and self.texts is not None else []
        works += [self.embedded()] if self.holds_out and self.source.embedding else []
        works += [self.baseline(baseline) for baseline in self.source.baselines]
        for place in self.source.places:
            works += [self.separation(place)]
            works += [self.alone(place, detector) for detector in self.detectors]
            works += [self.where(part, place) for part in self.parts]
            works += [self.crossfit(place)] if self.holds_out else []
            works += [self.null(place, tail) for tail in self.config.calibrated_tails]
        return works

    def scores(self, place: Place, tail: str) -> np.ndarray:
        """Of the scans of every labelling [T + 1, R], from finished units."""
        found = [
            self.store.read(self.null(place, t).unit).arrays["scores_TR"]
            for t in single_tails(tail)
        ]
        return np.max(found, axis=0)

    def calibrated(self, tail: str) -> Calibration:
        """The family of all places by the scan's own score, from finished units."""
        places = self.source.places
        scores = [self.scores(place, tail) for place in places]
        plan = self.config.localisation(single_tails(tail)[0])
        return family_of(
            tuple(places), mean_statistic(scores), plan.statistic_options(), plan.runs, self.seed
        )

    @functools.cached_property
    def tails(self) -> dict[str, Calibration]:
        """{tail: the family of all places by the scan's own score}, where that is asked for."""
        if not self.plan.permutations:
            return {}
        asked = (self.config.scan.tail, *self.config.scan.tails)
        return {tail: self.calibrated(tail) for tail in asked}

    @functools.cached_property
    def calibrations(self) -> dict[str, PlaceTests]:
        """{part: its family}, read once."""
        return {part: self.tested(part) for part in self.parts}

    def tested(self, part: str) -> PlaceTests:
        """The family of all places, from finished units."""
        places = self.source.places
        results = [self.store.read(self.where(part, place).unit) for place in places]
        return located.tests_of(tuple(places), results, self.chosen(part), self.config.where)

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
        works = [self.localisation(judge, place) for _, judge, place, _ in self.choices()]
        works += [self.localisation(stages.ALL, place) for place in self.named]
        works += [self.nodes(part, place) for part, place in self.sets]
        works += [
            self.mixed(place, mixture)
            for place in self.named
            for mixture in self.config.scan.mixtures
        ]
        return works + [self.profile(line) for line in self.lines.values()]

    @property
    def sets(self) -> list[tuple[str, Place]]:
        """(part, place) of every set of nodes that is found."""
        if not self.parts:
            return []
        found = [
            (part, place)
            for chooser, judge, place, _ in self.choices()
            for part in (chooser, judge)
        ]
        found += [(finder, place) for finder, _, place in self.intervened]
        found += [(stages.ALL, place) for place in self.named]
        return list(dict.fromkeys(found))

    @property
    def ordered(self) -> list[tuple[str, Place]]:
        """(part, place) of the node sets that order rows of H1."""
        if not self.parts:
            return []
        found = [(chooser, place) for chooser, _, place, _ in self.choices()]
        return found + [(stages.ALL, place) for place in self.named]

    def validations(self) -> list[Work]:
        """The node sets of each half at the place that it chose, judged on the other; kinds."""
        works = [self.validation(one, other, place) for one, other, place, _ in self.choices()]
        return works + [self.kinds(part, place) for part, place in self.ordered]

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
        unit = self.nodes(half, place).unit
        heads = Place("head_out", place.layer, place.position)
        there = heads in self.source.places and place.site not in ONCE
        return NodeSet(
            self.name, place, half, self.rows(place), stages.part_rows(self.pool, half, self.seed),
            self.pool.positive_N, unit,
            *(str(self.store.array_path(unit, name)) for name in ("set_1C", "size_1C")),
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
