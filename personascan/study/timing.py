"""The time of a unit of each kind on this machine, on random rows as large as the study's."""

import tempfile
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from personascan.study.case import seed_of
from personascan.study.counts import Counted
from personascan.study.order import STAGES
from personascan.study.rows import StoredRows
from personascan.study.stages import where
from personascan.study.store import Store
from personascan.study.units import Unit

TRIED = (4, 19)  # permutations of the units that are timed


class UnitTimes(NamedTuple):
    """Seconds of one unit of each kind, and of what is compiled before the first of all kinds."""

    seconds: dict[str, float]
    compile_seconds: float


def time_units(counted: Counted, kinds) -> UnitTimes:
    """Times one unit of each kind, but for those that only read a model."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(counted, folder)
        timed = [stage for stage in STAGES if stage.kind in kinds and stage.seconds]
        bar = tqdm(timed, desc="timing a unit of each kind", unit=" kinds", leave=False)
        seconds = {stage.kind: stage.seconds(trial) for stage in bar}
        return UnitTimes(seconds, trial.compile_seconds)


class Trial:
    """Random rows of the largest comparison at the widest place, to time units on."""

    def __init__(self, counted: Counted, folder: str):
        self.config, self.counted, self.store = counted.config, counted, Store(folder)
        self.options, self.seed = self.config.localisation(), 0
        self.compile_seconds = 0.0  # of the units that were timed
        self.rng = np.random.default_rng(0)
        self.positive_N = counted.largest.positive_N
        self.rows = self.random_rows("rows", self.positive_N.size)

    @property
    def halves(self) -> int:
        """Columns of a node: 2 where its halves are scanned separately."""
        return self.options.scan.sides.halves

    def seed_of(self, pool) -> int:
        """Returns the seed of the comparison of a pool."""
        return seed_of(self.config.seed, pool.name)

    def every_row(self) -> where.LabelledRows:
        return where.LabelledRows(np.arange(self.positive_N.size), self.positive_N, None)

    def store_array(self, name: str, array) -> str:
        """Stores an array as a finished unit does, and returns its file."""
        unit = Unit("trial", {"name": name})
        self.store.write(unit, {}, {"rows": array}, 0.0)
        return str(self.store.array_path(unit, "rows"))

    def random_rows(self, name: str, number: int) -> StoredRows:
        shape = number, max(self.counted.widths)
        path = self.store_array(name, self.rng.normal(size=shape).astype(np.float32))
        return StoredRows(((path, np.arange(number)),), ("",), shape)

    def time(self, function, *arguments) -> float:
        """Returns the seconds of a second call: the first one compiles."""
        first, second = (seconds_of(function, *arguments) for _ in range(2))
        self.compile_seconds += max(0.0, first - second)
        return second

    def time_labellings(self, function, *before) -> float:
        """Returns the seconds of all permutations, extrapolated from two units with few."""
        chosen, asked, seconds = np.arange(self.positive_N.size), self.options.permutations, []
        some = [min(asked, few) for few in TRIED]
        for few in dict.fromkeys(some):
            options = replace(self.options, permutations=few)
            arguments = (self.rows, *before, chosen, self.positive_N, None, options, self.seed)
            seconds.append(self.time(function, *arguments))
        if some[0] == some[1]:
            return seconds[0]
        each = max(0.0, (seconds[1] - seconds[0]) / (some[1] - some[0]))
        return seconds[1] + each * (asked - some[1])


def seconds_of(function, *arguments) -> float:
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began
