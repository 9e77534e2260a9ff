"""The course of a study: what is compared where, which units that takes, and in which order.

Places are chosen from finished units, so that the later stages are known once the earlier are done.
"""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np

from personascan.analysis.localisation import HALVES, Choice
from personascan.calibration.calibrate import Calibration, family_of
from personascan.calibration.family import mean_statistic
from personascan.places import Place, depth, lines_of
from personascan.study import stages
from personascan.study.comparisons import Comparison, Pool
from personascan.study.config import CHOSEN, StudyConfig
from personascan.study.rows import StoredRows, stored_rows
from personascan.study.store import Store
from personascan.study.units import Work


def seed_of(seed: int, name: str) -> int:
    """A seed for each comparison, which does not change when others come or go."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:4]) >> 1


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
    texts: tuple[str, ...]
    named: tuple[Place, ...]  # that the configuration names
    config: StudyConfig
    store: Store

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

    def null(self, part: str, place: Place) -> Work:
        return stages.null_work(self.rows(place), self.pool, part, self.plan, self.seed)

    def localisation(self, part: str, place: Place) -> Work:
        return stages.localisation_work(
            self.rows(place), self.pool, place, part, self.plan, self.seed
        )

    def detection(self, place: Place) -> Work:
        return stages.detection_work(
            self.rows(place), self.pool, self.config.detection, self.plan.options, self.seed
        )

    def validation(self, chooser: str, judge: str, place: Place) -> Work:
        found = self.localisation(chooser, place).unit
        return stages.validation_work(
            self.rows(place), self.pool, self.texts, found,
            str(self.store.array_path(found, "set_TC")), (chooser, judge), self.config.validation,
            self.seed,
        )  # fmt: skip

    @property
    def lines(self) -> dict[tuple, list[Place]]:
        """The layers of each site and position."""
        return lines_of(self.source.places)

    def profile(self, line: list[Place]) -> Work:
        units = [self.detection(place).unit for place in line]
        files = [str(self.store.array_path(unit, "score_N")) for unit in units]
        depths = [depth(place, self.source.layers) for place in line]
        resamples = self.config.validation.bootstrap
        return stages.profile_work(units, files, self.pool, depths, resamples, self.seed)

    def projection(self, place: Place) -> Work:
        return stages.projection_work(self.rows(place), self.pool)

    def searches(self) -> list[Work]:
        """Everything that is done at every place."""
        works = [self.wording()]
        for place in self.source.places:
            works += [self.separation(place), self.detection(place)]
            works += [self.null(part, place) for part in self.parts]
        return works

    def calibrated(self, part: str) -> Calibration:
        """The family of all places, from finished units."""
        places = self.source.places
        scores = [self.store.read(self.null(p, q).unit).arrays["scores_TR"] for p, q in
                  ((part, place) for place in places)]  # fmt: skip
        return family_of(
            tuple(places), mean_statistic(scores), self.plan.statistic_options(),
            stages.part_plan(self.plan, part).runs, stages.part_seed(part, self.seed),
        )  # fmt: skip

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
        works += [self.localisation(stages.ALL, place) for place in self.named]
        return works + [self.profile(line) for line in self.lines.values()]

    def validations(self) -> list[Work]:
        """The node sets of each half at the place that it chose, judged on the other."""
        return [self.validation(one, other, place) for one, other, place, _ in self.choices()]

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
        """An early place, one in the middle, and the furthest."""
        furthest = self.furthest()
        alike = [
            p
            for p in self.source.places
            if (p.site, p.position) == (furthest.site, furthest.position)
        ]
        return [alike[min(1, len(alike) - 1)], alike[len(alike) // 2], furthest]

    def projections(self) -> list[Work]:
        return [self.projection(place) for place in self.pictured()]
