"""What of a study is done, what remains, and about how long that will take."""

import itertools
from collections import Counter
from dataclasses import dataclass

import numpy as np

from personascan.errors import InputError
from personascan.study.counts import chosen_counts, crossed_count
from personascan.study.course import Case, crossed
from personascan.study.opening import Opened
from personascan.study.rows import activations_unit
from personascan.study.run import Workers
from personascan.study.splits import split_works
from personascan.study.store import Store
from personascan.study.units import Unit

TIMED = 50  # finished units of a kind whose seconds are averaged


@dataclass(frozen=True)
class Progress:
    """Of one kind of units."""

    done: int
    total: int
    seconds: float  # that one takes, by the finished ones; NaN where none is


@dataclass(frozen=True)
class Status:
    """By kind, in the order of the stages."""

    kinds: dict[str, Progress]
    processes: int

    def summary(self) -> str:
        """A line for each kind, and one for all."""
        lines, remaining, unknown = [], 0.0, []
        for kind, p in self.kinds.items():
            left = p.total - p.done
            alone = 1 if kind == "activations" else self.processes
            text = ""
            if left and np.isnan(p.seconds):
                unknown.append(kind)
            elif left:
                remaining += left * p.seconds / alone
                text = f", about {duration(left * p.seconds / alone)} more"
            lines.append(f"{kind:14s}{p.done:6d} of {p.total}{text}")
        if not any(p.total > p.done for p in self.kinds.values()):
            return "\n".join([*lines, "everything is done"])
        rest = f"about {duration(remaining)} remain"
        if unknown:
            rest += f", and what no finished unit tells yet: {', '.join(unknown)} (see --dry_run)"
        return "\n".join([*lines, rest])


def duration(seconds: float) -> str:
    """As a person reads it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def status_of(opened: Opened, store: Store, workers: Workers) -> Status:
    """What the store has of a study's units; the places that are not chosen yet are counted."""
    known, later = {}, Counter()
    for source in opened.sources:
        units = [
            activations_unit(source, group, place)
            for group in source.groups
            for place in (*source.places, *source.extra)
        ]
        known.setdefault("activations", []).extend(units)
        for topic in opened.told_apart(source, store):
            for work in topic.searches():
                known.setdefault(work.unit.kind, []).append(work.unit)
        levels = opened.cases(source, store)
        for work in opened.transfers(levels):
            known.setdefault(work.unit.kind, []).append(work.unit)
        for case in itertools.chain(*levels):
            for work in case.searches():
                known.setdefault(work.unit.kind, []).append(work.unit)
            works, more = chosen_works(case, store)
            for work in works:
                known.setdefault(work.unit.kind, []).append(work.unit)
            later.update(more)
        for cases in levels:
            known.setdefault("split", []).extend(work.unit for work in split_works(cases))
            if all(store.seems_whole(work.unit) for case in cases for work in case.searches()):
                works = [case.specificity(*rest) for case, *rest in crossed(cases)]
                known.setdefault("specificity", []).extend(work.unit for work in works)
            else:
                later["specificity"] += crossed_count(opened.config, len(cases))
    kinds = {}
    for kind in dict.fromkeys([*known, *later]):
        units = known.get(kind, [])
        if not units and not later[kind]:
            continue
        done = [unit for unit in units if store.seems_whole(unit)]
        kinds[kind] = Progress(
            len(done), len(units) + later[kind], mean_seconds(store, done[:TIMED])
        )
    return Status(kinds, workers.processes())


def chosen_works(case: Case, store: Store) -> tuple[list, dict[str, int]]:
    """The units at chosen places, or how many there will be once places can be chosen."""
    if all(store.seems_whole(work.unit) for work in case.searches()):
        works = [*case.localisations(), *case.projections(), *case.validations()]
        return works + case.interventions(), {}
    places = len(case.source.places)
    return [], chosen_counts(case.config, len(case.named), len(case.lines), places, case.edited)


def mean_seconds(store: Store, units: list[Unit]) -> float:
    seconds = []
    for unit in units:
        try:
            seconds.append(store.record(unit)["seconds"])
        except (InputError, OSError):
            continue
    return float(np.mean(seconds)) if seconds else np.nan
