"""One comparison in one source: its pool, its seed, its source, and the places that were chosen."""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np

from personascan.analysis.crossfit import can_hold_out
from personascan.analysis.detection import Labels
from personascan.analysis.localisation import HALVES, Choice, PlaceScan, in_half
from personascan.calibration.locate import PlaceTests
from personascan.places import Place, lines_of
from personascan.study.comparisons import Comparison, Pool
from personascan.study.config import CHOSEN, StudyConfig
from personascan.study.portions import ALL, PORTIONS, portion_rows
from personascan.study.rows import StoredRows, stored_rows
from personascan.study.stages import localisation, separation, where
from personascan.study.store import Result, Store
from personascan.study.units import Work


def seed_of(seed: int, name: str) -> int:
    """Returns a comparison's own seed, unchanged when other comparisons are added or removed."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:4]) >> 1


@dataclass(frozen=True, eq=False)
class Topic:
    """The personas of a topic in one source, told from one another at every place."""

    source: object
    pool: Pool
    store: Store
    seed: int

    def rows(self, place: Place) -> StoredRows:
        return stored_rows(self.store, self.source, self.pool, place)


@dataclass(frozen=True, eq=False)
class Case:
    """One comparison in one source. What is chosen is known once every place is finished."""

    source: object
    comparison: Comparison
    pool: Pool
    wide: Pool  # the rows that are scanned alone: those of the pool, or more
    texts: tuple[str, ...] | None  # of the pool; None where rows are no texts
    conditions: np.ndarray  # of the wide pool
    named: tuple[Place, ...]  # that the configuration names
    config: StudyConfig
    store: Store
    edited: bool = False  # whether edits of the model test its node sets

    @property
    def name(self) -> str:
        return self.pool.name

    @property
    def seed(self) -> int:
        return seed_of(self.config.seed, self.name)

    @property
    def columns_per_node(self) -> int:
        """Columns of a node: two where each half of a node is scanned apart."""
        return self.config.localisation().scan.sides.halves

    def rows(self, place: Place) -> StoredRows:
        return stored_rows(self.store, self.source, self.pool, place)

    def wide_rows(self, place: Place) -> StoredRows:
        """Of the rows that are scanned alone."""
        return stored_rows(self.store, self.source, self.wide, place)

    def read(self, work: Work) -> Result:
        """What a finished unit gave."""
        return self.store.read(work.unit)

    @property
    def labels(self) -> Labels:
        """Of the rows that are scanned alone."""
        return Labels(self.wide.positive_N, self.wide.clusters)

    @property
    def halves_N(self) -> np.ndarray:
        """The half of each of the rows that are scanned alone."""
        return in_half(self.wide.strata, self.seed, self.wide.together)

    @property
    def lines(self) -> dict[tuple, list[Place]]:
        """The layers of each site and position."""
        return lines_of(self.source.places)

    @property
    def halves_choose(self) -> bool:
        """Whether halves choose places."""
        return CHOSEN in self.config.scan.places

    @property
    def portions(self) -> tuple[str, ...]:
        """Parts of the rows whose places are set beside permutations."""
        if not self.config.where.permutations:
            return ()
        return PORTIONS if self.halves_choose else PORTIONS[:1]

    def chosen(self, portion: str) -> where.LabelledRows:
        """The rows of a part."""
        return where.chosen_rows(self.pool, portion_rows(self.pool, portion, self.seed))

    @property
    def every_row(self) -> where.LabelledRows:
        return self.chosen(ALL)

    @functools.cached_property
    def holds_out(self) -> bool:
        """Whether rows are told by places that they did not choose."""
        pool, folds = self.pool, self.config.where.folds
        return bool(self.portions) and can_hold_out(
            pool.positive_N, folds, self.seed, pool.clusters, pool.pairs
        )

    @functools.cached_property
    def calibrations(self) -> dict[str, PlaceTests]:
        """{portion: its tests of all places}, from finished units."""
        return {portion: where.tests(self, portion) for portion in self.portions}

    def choices(self) -> list[tuple[str, str, Place, Choice]]:
        """(half that chose, half that judges, place, how) both ways round."""
        if not self.halves_choose:
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

    def furthest(self) -> Place:
        """The place furthest above its permutations; without these, that of the best probe."""
        if ALL in self.calibrations:
            found = self.calibrations[ALL]
            return found.keys[found.best]
        auroc = {p: separation.at(self, p).mean["probe_auroc"] for p in self.source.places}
        return max(auroc, key=lambda place: np.nan_to_num(auroc[place], nan=-1.0))

    @functools.cached_property
    def scans(self) -> list[PlaceScan]:
        """Of the chosen places, then of the named ones, from finished units."""
        return localisation.scans_of(self)


@dataclass(frozen=True, eq=False)
class Level:
    """The comparisons of one source at one level, and at its first level the topics beside them."""

    cases: list[Case]
    topics: list[Topic]

    @property
    def config(self) -> StudyConfig:
        return self.cases[0].config
