"""The record of a stage of a study: one kind of unit, from their number to the columns they fill.

A stage is one file in `stages/` and one entry of `order.STAGES`. Running a study, its status, its
plan, its results, its tables and its page walk that list. A unit's function takes arrays by path
and returns (values, arrays) for the store; the inputs of a unit are all that decides its result.
"""

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from personascan.study.case import Level
    from personascan.study.counts import Counted
    from personascan.study.timing import Trial

PLACE = ("site", "layer", "position")
RECORD_BYTES = 2000  # of a unit's JSON file, about


class Phase(enum.Enum):
    """When a stage's units can be listed: after all stages of the earlier phases are finished."""

    EVERYWHERE = "places"  # activations
    CHOSEN = "chosen places"  # the tests of every place, which choose some
    JUDGED = "validation"  # the node sets of these
    ASKED = "interventions"  # node sets that edits of the model test; one unit at a time
    CROSSED = "specificity"


@dataclass(frozen=True)
class Table:
    """A table of a study: the columns after model and level, and the function of its rows."""

    columns: tuple[str, ...]
    rows: Callable[[Any], Iterator[tuple]]  # of a part; of the whole study, with model and level
    of_study: bool = False
    always: bool = False  # written even without a row


@dataclass(frozen=True)
class Columns:
    """Columns of the table of places: their names, and the function of their values at a place."""

    names: tuple[str, ...]
    values: Callable[[Any, str, Any], tuple]  # of (part, comparison, place)


@dataclass(frozen=True)
class Sizes:
    """The sizes of the largest comparison at the widest place."""

    rows: int
    nodes: int
    calibration: int  # bytes of comparing a scan's score with permuted labels
    counted: "Counted"

    @property
    def labellings(self) -> int:
        """Permutations of labelled tests."""
        return self.counted.config.where.permutations

    @property
    def scan_labellings(self) -> int:
        """Labellings of the scan's own score, with the true one."""
        return self.counted.config.scan.permutations + 1

    @property
    def place(self) -> int:
        """Bytes of the rows in double precision."""
        return 8 * self.rows * self.nodes


def nothing(*_) -> int:
    return 0


@dataclass(frozen=True)
class Stage:
    """One kind of unit."""

    kind: str
    phase: Phase
    works: Callable[["Level"], list]  # names all units of the stage, of one source at one level
    count: Callable[["Counted"], int]  # how many there will be, at most
    # {name of a result of a part: the results of the finished units}.
    read: Callable[["Level"], dict[str, Any]] = field(default=lambda level: {})
    columns: Columns | None = None  # of the table of places
    # Title of the section of the page that shows these columns; "": no section. Inline Markdown.
    title: str = ""
    about: str = ""  # what the columns are, in sentences
    tables: dict[str, Table] = field(default_factory=dict)
    # Seconds of one unit on random rows; None: it reads a model, or takes no time.
    seconds: Callable[["Trial"], float] | None = None
    everywhere: bool = False  # one unit per place, whose time is in proportion to its nodes
    # How many of the timed units take as long as the `count` units: (counted, count) -> number.
    timed_units: Callable[["Counted", int], float] = lambda counted, count: count
    disk: Callable[[Sizes], int] = nothing  # bytes that a unit leaves beside its record
    memory: Callable[[Sizes], int] = nothing  # bytes of a unit while it is done


def place_cells(place) -> tuple:
    return place.site, place.layer, place.position
