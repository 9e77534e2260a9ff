"""One comparison in one source: its rows, its seed, and the places that it chooses."""

import functools
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from personascan.analysis.crossfit import can_hold_out
from personascan.analysis.detection import Labels
from personascan.analysis.localisation import HALVES, Choice, PlaceScan, in_half
from personascan.calibration.place_tests import PlaceTests
from personascan.errors import InputError
from personascan.places import Place, lines_of
from personascan.study.checks import not_among
from personascan.study.comparisons import Comparison, Pool, comparisons, draw_pool
from personascan.study.config import StudyConfig
from personascan.study.place_options import CHOSEN
from personascan.study.portions import ALL, PORTIONS, portion_rows
from personascan.study.rows import StoredRows, stored_rows
from personascan.study.stages import localisation, separation, where
from personascan.study.store import Result, Store
from personascan.study.units import Work


def seed_of(seed: int, name: str) -> int:
    """Returns a comparison's own seed, unchanged when other comparisons are added or removed."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:4]) >> 1


def draw_comparisons(
    config: StudyConfig, groups, level: int
) -> list[tuple[Comparison, Pool, Pool]]:
    """Returns each comparison of a level with its rows and the rows that are scanned alone."""
    drawn = []
    for c in comparisons(level, groups):
        seed = seed_of(config.seed, c.name)
        pool = draw_pool(groups, c, config.limit, seed)
        most = config.detection.limit
        drawn.append((c, pool, draw_pool(groups, c, most, seed) if most else pool))
    return drawn


def named_places(
    names: Iterable[str], named: Callable[[str], Place], field: str = "config.scan.places"
) -> tuple[Place, ...]:
    """Returns the places that a field names, except "chosen", each once.

    named: gives the place of a name, such as a source's own. Raises InputError for a name of none.
    """
    try:
        return tuple(dict.fromkeys(named(text) for text in names if text != CHOSEN))
    except InputError as error:
        raise InputError(not_among(field, str(error))) from error


@dataclass(frozen=True, eq=False)
class Topic:
    """The personas of a topic in one source, which are told from one another at every place."""

    source: object
    pool: Pool
    store: Store
    seed: int

    def rows(self, place: Place) -> StoredRows:
        return stored_rows(self.store, self.source, self.pool, place)


@dataclass(frozen=True, eq=False)
class Case:
    """One comparison in one source; its chosen places are known once every place is finished."""

    source: object
    comparison: Comparison
    pool: Pool
    detection_pool: Pool  # the rows that are scanned alone: those of the pool, or more
    texts: tuple[str, ...] | None  # of the pool's rows; None where rows are no texts
    conditions: np.ndarray  # of the rows of that pool
    named: tuple[Place, ...]  # the places that the configuration names
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
        """Columns of a node: two where its halves are scanned separately, else one."""
        return self.config.localisation().scan.sides.halves

    def rows(self, place: Place) -> StoredRows:
        return stored_rows(self.store, self.source, self.pool, place)

    def detection_rows(self, place: Place) -> StoredRows:
        """Returns the rows that are scanned alone."""
        return stored_rows(self.store, self.source, self.detection_pool, place)

    def read(self, work: Work) -> Result:
        """Returns the result of a finished unit."""
        return self.store.read(work.unit)

    @property
    def labels(self) -> Labels:
        """Labels of the rows that are scanned alone."""
        return Labels(self.detection_pool.positive_N, self.detection_pool.clusters)

    @property
    def halves_N(self) -> np.ndarray:
        """Half of each row that is scanned alone: 0 (A) or 1 (B), int [N]."""
        return in_half(self.detection_pool.strata, self.seed, self.detection_pool.together)

    @property
    def lines(self) -> dict[tuple, list[Place]]:
        """{(site, position): places of its layers}."""
        return lines_of(self.source.places)

    @property
    def halves_choose(self) -> bool:
        """Whether halves of the rows choose places."""
        return CHOSEN in self.config.scan.places

    @property
    def portions(self) -> tuple[str, ...]:
        """Portions of the rows whose places are compared with permutations."""
        if not self.config.where.permutations:
            return ()
        return PORTIONS if self.halves_choose else PORTIONS[:1]

    def chosen(self, portion: str) -> where.LabelledRows:
        """Returns the labelled rows of a portion."""
        return where.chosen_rows(self.pool, portion_rows(self.pool, portion, self.seed))

    @property
    def every_row(self) -> where.LabelledRows:
        return self.chosen(ALL)

    @functools.cached_property
    def holds_out(self) -> bool:
        """Whether rows can be scored by places that were chosen without them."""
        pool, folds = self.pool, self.config.where.folds
        return bool(self.portions) and can_hold_out(
            pool.positive_N, folds, self.seed, pool.clusters, pool.pairs, pool.pair_entities
        )

    @functools.cached_property
    def calibrations(self) -> dict[str, PlaceTests]:
        """{portion: the tests of all places on its rows}, from finished units."""
        return {portion: where.tests(self, portion) for portion in self.portions}

    def choices(self) -> list[tuple[str, str, Place, Choice]]:
        """Returns (half that chose, half that judges, place, choice), both ways round."""
        if not self.halves_choose:
            return []
        choices = []
        for chooser, judge in (HALVES, HALVES[::-1]):
            chosen, judging = self.calibrations[chooser], self.calibrations[judge]
            best = chosen.best
            choice = Choice(
                chooser, float(chosen.z[best]), float(chosen.p_family[best]),
                float(judging.p[best]),
            )  # fmt: skip
            choices.append((chooser, judge, chosen.keys[best], choice))
        return choices

    @functools.cached_property
    def tested_sets(self) -> list[tuple[str, str, Place]]:
        """(half that finds, half that judges, place) of every node set that edits test."""
        sets = []
        for text in self.config.intervention.places if self.edited else ():
            if text == CHOSEN:
                sets += [(finder, judge, place) for finder, judge, place, _ in self.choices()]
            else:
                place = self.source.named(text)
                sets += [(finder, judge, place) for finder, judge in (HALVES, HALVES[::-1])]
        return list(dict.fromkeys(sets))

    def furthest(self) -> Place:
        """Returns the place furthest above its permutations; without these, of the best probe."""
        if ALL in self.calibrations:
            tests = self.calibrations[ALL]
            return tests.keys[tests.best]
        auroc = {p: separation.read_place(self, p).mean["probe_auroc"] for p in self.source.places}
        return max(auroc, key=lambda place: np.nan_to_num(auroc[place], nan=-1.0))

    @functools.cached_property
    def scans(self) -> list[PlaceScan]:
        """Scans of the chosen places, then of the named ones, from finished units."""
        return localisation.scans_of(self)


@dataclass(frozen=True, eq=False)
class Level:
    """The comparisons of one source at one level; the first level has the topics as well."""

    cases: list[Case]
    topics: list[Topic]

    @property
    def config(self) -> StudyConfig:
        return self.cases[0].config
