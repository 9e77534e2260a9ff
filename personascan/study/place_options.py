"""How the places of a study are tested and scanned: the options, their checks, and tails."""

from dataclasses import dataclass

from personascan.calibration.family import FAMILIES
from personascan.calibration.label_exchange import LEAST, MOST
from personascan.calibration.statistics import STATISTICS
from personascan.errors import InputError
from personascan.scan.alphas import NAMED
from personascan.scan.options import ScanOptions

CHOSEN = "chosen"  # instead of the name of a place: the one that a half of the rows chooses
EITHER = "either"  # the tail of which the higher score of right and left counts


@dataclass(frozen=True)
class WhereOptions:
    """How places are tested; fields as the keywords of `locate`."""

    statistic: str = "direction"
    permutations: int = 999  # of the labels; 0: no place is tested
    family: str = "studentised"
    folds: int = 5  # place and direction are chosen without one of them, which judges them
    fold_permutations: int = 199  # that choose the place there


def check_where(options: WhereOptions) -> None:
    """Raises InputError, with the field's name, for options that cannot be."""
    for name, known in (("statistic", STATISTICS), ("family", FAMILIES)):
        if getattr(options, name) not in known:
            raise InputError(
                f"config.where.{name} = {getattr(options, name)!r}; use one of {', '.join(known)}"
            )
    for name in ("permutations", "fold_permutations"):
        number = getattr(options, name)
        if not (name == "permutations" and number == 0) and not LEAST <= number <= MOST:
            raise InputError(
                f"config.where.{name} = {number}; use {LEAST} (fewer reach no p of 0.05) to {MOST}"
            )
    if options.folds < 2:
        raise InputError(f"config.where.folds = {options.folds}; use at least 2")


def single_tails(tail: str) -> tuple[str, ...]:
    """Returns the tails that are scanned: right and left for "either"."""
    return ("right", "left") if tail == EITHER else (tail,)


@dataclass(frozen=True)
class Mixture:
    """Another share of H1 among the rows that a run scans, whose number stays."""

    share: float
    alpha_max: float = 0.5

    def __str__(self) -> str:
        return f"{self.share:.0%} H1, alpha up to {self.alpha_max:g}"


@dataclass(frozen=True)
class PlaceScanOptions:
    """Where and how runs are scanned; fields as the keywords of `scan_runs` and `calibrate`."""

    # Places such as "resid_post 7 last" or "resid_post 50% last", or "chosen": the place that one
    # half of the statements chooses, judged on the other.
    places: tuple[str, ...] = (CHOSEN,)
    score: str = "bj"
    tail: str = "signed"
    alpha_max: float = 0.5
    alpha_min: float = 0.0
    alphas: str = "exact"  # "exact", "grid", "log" or numbers separated by commas
    starts: str = "auto"  # or a whole number as text
    tails: tuple[str, ...] = ()  # also calibrated at every place, beside `tail`; also "either"
    mixtures: tuple[Mixture, ...] = ()  # also scanned at the named places
    # Of the labels, to set the scan's own mean score beside them at every place, and how often it
    # selects each node; 0: none. Where a comparison shows is `where`'s to say.
    permutations: int = 0
    statistic_runs: int = 10  # whose mean score that is

    def options(self, tail: str = "") -> ScanOptions:
        """Returns the options of a scan, or with another tail.

        Raises InputError for a field at fault.
        """
        alphas, starts = self.alphas, self.starts
        if alphas not in NAMED:
            try:
                alphas = [float(a) for a in alphas.split(",")]
            except ValueError as error:
                raise InputError(
                    f"scan.alphas = {alphas!r}; use {', '.join(NAMED)} or numbers such as 0.01,0.05"
                ) from error
        if starts != "auto":
            if not starts.isdecimal():
                raise InputError(f"scan.starts = {starts!r}; use auto or a whole number")
            starts = int(starts)
        return ScanOptions(
            score=self.score, tail=tail or self.tail, alpha_max=self.alpha_max,
            alpha_min=self.alpha_min, alphas=alphas, starts=starts,
        )  # fmt: skip
