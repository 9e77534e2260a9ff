"""Bars of progress: of a call once it takes a while, and of a study's units of several kinds.

The latter say how much longer only as far as it is known.
"""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeVar

DELAY = 2  # seconds before the bar of a call shows
shown = True  # False inside scripts and studies, which have bars of units

Item = TypeVar("Item")
LEAST = 2  # finished units of a kind that its time is taken from
TOLD = 0.5  # share of what is left whose time is known, below which nothing is said
FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{unit} [{elapsed}{postfix}]"


def bar(items: Iterable[Item], what: str) -> Iterator[Item]:
    """Yields the items, with a bar on standard error once they have taken two seconds."""
    if not shown:
        yield from items
        return
    from tqdm import tqdm  # not there on every machine that a benchmark is taken to

    yield from tqdm(items, desc=what, delay=DELAY, leave=False)


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Shows no bar and no notice inside, where a larger task has a bar of its own."""
    global shown
    before, shown = shown, False
    try:
        yield
    finally:
        shown = before


class Pace:
    """The time that units take, kind by kind, and what those that are left will take.

    The slowest units of a kind, one a process, are not counted: they waited for a compilation.
    """

    def __init__(self, kinds: Iterable[str], processes: int):
        self.left, self.processes = Counter(kinds), max(processes, 1)
        self.seconds = defaultdict(list)

    def add(self, kind: str, seconds: float) -> None:
        """Counts a unit that is finished."""
        self.left[kind] -= 1
        self.seconds[kind].append(seconds)

    def of_kind(self, kind: str) -> float | None:
        """Returns the mean seconds of a unit; None before enough are finished."""
        quicker = sorted(self.seconds[kind])[: -self.processes]
        return sum(quicker) / len(quicker) if len(quicker) >= LEAST else None

    def words(self) -> str:
        """Returns how much longer it takes, "" where that is not known of most units.

        "At least" if no unit of some kind that is left has been timed.
        """
        left = {kind: self.of_kind(kind) for kind, number in self.left.items() if number}
        known = {kind: seconds for kind, seconds in left.items() if seconds is not None}
        if sum(self.left[kind] for kind in known) <= TOLD * sum(self.left.values()):
            return ""
        more = sum(self.left[kind] * seconds for kind, seconds in known.items()) / self.processes
        return f"{'about' if known == left else 'at least'} {duration(more)} more"


def timed_soon(works: list, kinds: Iterable[str], processes: int) -> list:
    """Returns works in an order in which the time of every kind is known soon: some of each first.

    kinds: of each of the works.
    """
    begun = Counter()
    later = []
    for kind in kinds:
        begun[kind] += 1
        later.append(begun[kind] > processes + LEAST)
    return [work for work, _ in sorted(zip(works, later, strict=True), key=lambda pair: pair[1])]


class Bar:
    """A bar of units; a context in which `finish` counts one."""

    def __init__(self, title: str, unit: str, kinds: list[str], processes: int):
        from tqdm import tqdm

        self.pace = Pace(kinds, processes)
        self.bar = tqdm(
            desc=title, total=len(kinds), unit=f" {unit}", miniters=1, bar_format=FORMAT
        )

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *error) -> None:
        self.bar.close()

    def finish(self, kind: str, seconds: float) -> None:
        """Counts a unit that took so many seconds."""
        self.pace.add(kind, seconds)
        self.bar.set_postfix_str(self.pace.words(), refresh=False)
        self.bar.update()


def duration(seconds: float) -> str:
    """Returns seconds in the unit that a person reads."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
