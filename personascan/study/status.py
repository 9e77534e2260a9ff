"""The status of a study: what is done, what remains, and about how long that will take."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from personascan.bars import duration
from personascan.errors import InputError
from personascan.study.case import Level
from personascan.study.opening import Opened, with_answers
from personascan.study.order import STAGES
from personascan.study.responses import KIND as RESPONSES
from personascan.study.responses import response_works
from personascan.study.rows import activations_unit
from personascan.study.run import Workers
from personascan.study.stage import Phase
from personascan.study.store import Store
from personascan.study.units import Unit

TIMED = 50  # finished units of a kind whose seconds are averaged


@dataclass(frozen=True)
class Progress:
    """The progress of one kind of unit."""

    done: int
    total: int
    seconds: float  # of one unit, by the finished ones; NaN where none is finished


@dataclass(frozen=True)
class Status:
    """The progress of a study by kind of unit, in the order of the stages."""

    kinds: dict[str, Progress]
    processes: int
    note: str = ""  # of another study in the folder

    def summary(self) -> str:
        """Returns a line for each kind, and one for all."""
        lines, remaining, unknown = [], 0.0, []
        for kind, p in self.kinds.items():
            left = p.total - p.done
            alone = 1 if kind in (RESPONSES, "activations") else self.processes
            text = ""
            if left and np.isnan(p.seconds):
                unknown.append(kind)
            elif left:
                remaining += left * p.seconds / alone
                text = f", about {duration(left * p.seconds / alone)} more"
            lines.append(f"{kind:14s}{p.done:6d} of {p.total}{text}")
        lines.append(self.remaining(remaining, unknown))
        if self.note:
            lines.append(f"note: {self.note}")
        return "\n".join(lines)

    def remaining(self, seconds: float, unknown: list[str]) -> str:
        """Returns what is said of the rest: its seconds, and the kinds that nothing tells of."""
        if not any(p.total > p.done for p in self.kinds.values()):
            return "everything is done"
        if not any(p.done for p in self.kinds.values()):
            return "nothing of this study is done, and so no time is known (see --dry_run)"
        if not unknown:
            return f"about {duration(seconds)} remain"
        known = f"about {duration(seconds)} remain, and " if seconds else ""
        return (
            f"{known}no finished unit tells how long these take: {', '.join(unknown)} "
            "(see --dry_run)"
        )


def status_of(opened: Opened, store: Store, workers: Workers) -> Status:
    """Returns the progress of a study's units; those of places yet to be chosen are counted."""
    known, later = {}, Counter()
    works = [w for source in opened.sources for w in response_works(source, opened.config.writing)]
    known[RESPONSES] = [work.unit for work in works]
    known["activations"] = []
    answered = all(map(store.seems_whole, known[RESPONSES]))
    opened = with_answers(opened, store) if answered else opened
    for source in opened.sources:
        if not answered:  # what is read of the answers is known by number alone
            counted = opened.counted(source)
            later["activations"] += counted.activations
            later.update({stage.kind: stage.count(counted) for stage in STAGES})
            continue
        known["activations"] += [
            activations_unit(source, group, place)
            for group in source.groups
            for place in (*source.places, *source.extra)
        ]
        counted = opened.counted(source)
        for level, pools in zip(opened.levels(source, store), counted.levels, strict=True):
            units, more = level_units(level, store)
            for kind, own in units.items():
                known.setdefault(kind, []).extend(own)
            one = replace(counted, levels=[pools])
            later.update({stage.kind: stage.count(one) for stage in more})
    kinds = {}
    for kind in (RESPONSES, "activations", *(stage.kind for stage in STAGES)):
        units = known.get(kind, [])
        if not units and not later[kind]:
            continue
        done = [unit for unit in units if store.seems_whole(unit)]
        kinds[kind] = Progress(
            len(done), len(units) + later[kind], mean_seconds(store, done[:TIMED])
        )
    return Status(kinds, workers.processes())


def level_units(level: Level, store: Store) -> tuple[dict[str, list[Unit]], list]:
    """Returns units by kind, and the stages whose units are known only after others are done."""
    known, more, whole = {}, [], True
    for phase in Phase:
        stages = [stage for stage in STAGES if stage.phase is phase]
        if not whole:
            more += stages
            continue
        for stage in stages:
            known[stage.kind] = [work.unit for work in stage.works(level)]
        if phase is Phase.EVERYWHERE:
            whole = all(store.seems_whole(u) for units in known.values() for u in units)
    return known, more


def mean_seconds(store: Store, units: list[Unit]) -> float:
    seconds = []
    for unit in units:
        try:
            seconds.append(store.record(unit)["seconds"])
        except (InputError, OSError):
            continue
    return float(np.mean(seconds)) if seconds else np.nan
