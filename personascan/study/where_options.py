"""How the places of a study are tested."""

from dataclasses import dataclass

from personascan.calibration.family import FAMILIES
from personascan.calibration.label_exchange import LEAST, MOST
from personascan.calibration.statistics import STATISTICS
from personascan.errors import InputError


@dataclass(frozen=True)
class WhereOptions:
    """How places are tested; fields as the keywords of `locate`."""

    statistic: str = "direction"
    permutations: int = 999  # of the labels; 0: no place is tested
    family: str = "studentised"
    folds: int = 5  # place and direction are chosen without one of them, which judges them
    fold_permutations: int = 199  # that choose the place there


def check_where(options: WhereOptions) -> None:
    """Refuse options that cannot be. Raises InputError with the field's name."""
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
