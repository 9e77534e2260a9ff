"""How long a unit of each kind takes here: on random numbers of the largest shape of the study."""

import tempfile
import time
from dataclasses import replace

import numpy as np

from personascan.analysis.chance import can_split, split_labels
from personascan.analysis.detection import Labels
from personascan.study import located, stages
from personascan.study.case import seed_of
from personascan.study.config import StudyConfig
from personascan.study.counts import Counted
from personascan.study.kinds import kinds_at, sides
from personascan.study.rows import StoredRows
from personascan.study.splits import split
from personascan.study.store import Store
from personascan.study.units import Unit

TRIED = (4, 19)  # permutations of the units that are timed


def time_units(config: StudyConfig, counted: Counted, kinds) -> dict[str, float]:
    """Seconds of one unit of each of the kinds; those that only read a model are left out."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(config, counted, folder)
        return {kind: getattr(trial, kind)() for kind in kinds if hasattr(trial, kind)}


class Trial:
    """Random rows of the largest comparison at the widest place. A method times a kind of unit."""

    def __init__(self, config: StudyConfig, counted: Counted, folder: str):
        self.config, self.counted, self.store = config, counted, Store(folder)
        self.plan, self.seed, self.rng = config.localisation(), 0, np.random.default_rng(0)
        self.positive_N = counted.largest.positive_N
        self.rows = self.random_rows("rows", self.positive_N.size)

    def stored(self, name: str, array) -> str:
        """The file of an array, as that of a finished unit."""
        unit = Unit("trial", {"name": name})
        self.store.write(unit, {}, {"rows": array}, 0.0)
        return str(self.store.array_path(unit, "rows"))

    def random_rows(self, name: str, number: int) -> StoredRows:
        shape = number, max(self.counted.widths)
        path = self.stored(name, self.rng.normal(size=shape).astype(np.float32))
        return StoredRows(((path, np.arange(number)),), ("",), shape)

    def of_labellings(self, function, *before) -> float:
        """Of all permutations, from two units of few: most of the work is in proportion."""
        chosen, asked, seconds = np.arange(self.positive_N.size), self.plan.permutations, []
        some = [min(asked, few) for few in TRIED]
        for few in some:
            plan = replace(self.plan, permutations=few)
            arguments = (self.rows, *before, chosen, self.positive_N, None, plan, self.seed)
            seconds.append(timed(function, *arguments))
        if some[0] == some[1]:
            return seconds[1]
        each = max(0.0, (seconds[1] - seconds[0]) / (some[1] - some[0]))
        return seconds[1] + each * (asked - some[1])

    def wording(self) -> float:
        texts = list(self.counted.texts)
        return timed(stages.wording, texts, self.positive_N, None, self.seed)

    def baseline(self) -> float:
        """Of one, on average."""
        labels, methods = Labels(self.positive_N), [b.method for b in self.counted.baselines]
        rest = self.config.detection, self.seed
        each = [timed(stages.baseline, self.rows, labels, method, *rest) for method in methods]
        return float(np.mean(each))

    def separation(self) -> float:
        plan = self.config.separation
        return timed(stages.separation, self.rows, self.positive_N, None, plan, self.seed)

    def personas(self) -> float:
        topic = max(self.counted.topics, key=lambda pool: len(pool.ids))
        numbers = np.unique(topic.strata, return_inverse=True)[1]
        rows = self.random_rows("topic", numbers.size)
        return timed(stages.personas, rows, numbers, topic.clusters, self.seed)

    def detection(self) -> float:
        labels, plan = Labels(self.positive_N), self.config.detection
        return timed(stages.detection, self.rows, labels, plan, (self.plan.options,), self.seed)

    def null(self) -> float:
        return self.of_labellings(stages.null)

    def localisation(self) -> float:
        return self.of_labellings(stages.localisation, None)

    def profile(self) -> float:
        layers = -(-len(self.counted.widths) // self.counted.lines)
        files = [self.stored("scores", self.rng.normal(size=self.positive_N.size))] * layers
        depths, resamples = np.linspace(0, 1, layers).tolist(), self.config.validation.bootstrap
        return timed(stages.profile, files, self.positive_N, None, depths, resamples, self.seed)

    def projection(self) -> float:
        return timed(stages.projection, self.rows)

    def where(self) -> float:
        part, plan = self.every_row(), self.config.where
        asked = (*located.ALWAYS, plan.statistic)
        return timed(located.where, self.rows, part, asked, plan.permutations, self.seed)

    def nodes(self) -> float:
        plan, halves = self.config.where, self.plan.options.sides.halves
        rest = plan.permutations, self.config.node_q, halves, self.seed
        return timed(located.nodes, self.rows, self.every_row(), *rest)

    def crossfit(self) -> float:
        plan = self.config.where
        rest = plan.folds, plan.fold_permutations, self.seed
        return timed(located.crossfit, self.rows, self.every_row(), *rest)

    def words(self) -> float:
        texts, folds = list(self.counted.texts), self.config.where.folds
        return timed(located.words, texts, self.every_row(), folds, self.seed)

    def every_row(self) -> located.Chosen:
        return located.Chosen(np.arange(self.positive_N.size), self.positive_N, None)

    def split(self) -> float:
        """Of nothing where H0 has too few rows to be split."""
        h0, splits = np.flatnonzero(~self.positive_N), self.config.where.permutations
        half_N = split_labels(len(h0), self.seed)
        if not can_split(half_N, splits):
            return 0.0
        return timed(split, self.rows, h0, half_N, None, splits, self.seed)

    def transfer(self) -> float:
        others = max(map(len, self.counted.levels)) - 1
        trained, probe_c = [(self.rows, self.positive_N)] * others, self.config.separation.probe_c
        return timed(stages.transfer, self.rows, self.positive_N, None, trained, probe_c)

    def kinds(self) -> float:
        file = self.stored("kinds", np.ones((1, self.rows.shape[1]), bool))
        pool, seed = self.counted.largest, self.config.seed
        return timed(kinds_at, self.rows, file, *sides(pool, stages.ALL, seed))

    def validation(self) -> float:
        plan = self.config.validation
        # Nodes by how often they were selected or, where no share of them is asked for, a set.
        columns = self.rows.shape[1] * self.plan.options.sides.halves
        frequency_1C = self.rng.random((1, columns)).astype(np.float32)
        file = self.stored("set", frequency_1C if plan.share else frequency_1C < 0.05)
        pool = self.counted.largest
        seed = seed_of(self.config.seed, pool.name)
        find, judge = (stages.part_rows(pool, half, seed) for half in stages.HALVES)
        return timed(
            stages.validation, self.rows, Labels(self.positive_N), self.counted.texts, file, find,
            judge, plan, self.seed,
        )  # fmt: skip


def timed(function, *arguments) -> float:
    """Seconds of a second call: the first one compiles."""
    function(*arguments)
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began
