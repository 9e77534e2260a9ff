"""One comparison in one source: its rows, and the units that they give at any place."""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np

from personascan.analysis.crossfit import can_hold_out
from personascan.analysis.detection import Labels
from personascan.analysis.localisation import in_half
from personascan.places import Place, depths, lines_of
from personascan.sources.base import Baseline
from personascan.study import located, stages
from personascan.study.comparisons import Comparison, Pool, dealt_out
from personascan.study.config import CHOSEN, Mixture, StudyConfig
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
class Units:
    """One comparison in one source, and its units."""

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
        if not self.config.where.permutations:
            return ()
        return stages.PARTS if self.chooses else stages.PARTS[:1]

    def chosen(self, part: str) -> located.Chosen:
        """The rows of a part."""
        return located.chosen_rows(self.pool, stages.part_rows(self.pool, part, self.seed))

    def where(self, part: str, place: Place) -> Work:
        rows, seed = self.chosen(part).rows, stages.part_seed(part, self.seed)
        return located.where_work(self.rows(place), self.pool, rows, self.config.where, seed)

    def nodes(self, part: str, place: Place) -> Work:
        rows, seed = self.chosen(part).rows, stages.part_seed(part, self.seed)
        return located.nodes_work(
            self.rows(place), self.pool, rows, self.config.where, self.config.node_q,
            self.plan.options.sides.halves, seed, self.head_width(place),
        )  # fmt: skip

    def head_width(self, place: Place) -> int:
        """Nodes of a head, where the place has outputs of heads; else 0."""
        return getattr(self.source, "head_width", 1) if place.site == "head_out" else 0

    def crossfit(self, place: Place) -> Work:
        return located.crossfit_work(self.rows(place), self.pool, self.config.where, self.seed)

    def embedded(self) -> Work:
        """What the embedding tells of held-out rows: a place that nobody chooses."""
        return self.crossfit(self.source.embedding)

    def words(self) -> Work:
        return located.words_work(self.pool, list(self.texts), self.config.where, self.seed)

    def rows(self, place: Place) -> StoredRows:
        return stored_rows(self.store, self.source, self.pool, place)

    def wording(self) -> Work:
        return stages.wording_work(self.pool, list(self.texts), self.seed)

    def separation(self, place: Place) -> Work:
        return stages.separation_work(
            self.rows(place), self.pool, self.config.separation, self.seed
        )

    def null(self, place: Place, tail: str) -> Work:
        plan = self.config.localisation(tail)
        return stages.null_work(self.rows(place), self.pool, stages.ALL, plan, self.seed)

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
    def labels_of_pool(self) -> Labels:
        return Labels(self.pool.positive_N, self.pool.clusters)

    @property
    def halves_N(self) -> np.ndarray:
        """The half of each of these rows."""
        return in_half(self.wide.strata, self.seed, self.wide.together)

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

    def transfer(self, place: Place, others: list["Units"]) -> Work:
        """A probe of the other comparisons, held to this one; no entity is on both sides."""
        pools = [other.pool for other in others]
        judged, pools = dealt_out(self.source.groups, self.pool, pools, self.seed)
        rows, *trained = (
            stored_rows(self.store, self.source, pool, place) for pool in (judged, *pools)
        )
        labelled = [(one, pool.positive_N) for one, pool in zip(trained, pools, strict=True)]
        return stages.transfer_work(rows, judged, labelled, self.config.separation.probe_c)

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

    @functools.cached_property
    def holds_out(self) -> bool:
        """Whether rows are told by places that they did not choose."""
        pool, folds = self.pool, self.config.where.folds
        return bool(self.parts) and can_hold_out(
            pool.positive_N, folds, self.seed, pool.clusters, pool.pairs
        )
