"""How many units of each kind a study has, before it is known which places are chosen."""

from dataclasses import dataclass

from personascan.sources.base import Baseline
from personascan.study.comparisons import Pool
from personascan.study.config import CHOSEN, StudyConfig

SHOWN = 3  # places whose principal components are kept: an early, a middle and the furthest one


@dataclass(frozen=True)
class Counted:
    """What of one source decides how many units there are, and how large."""

    levels: list[list[Pool]]  # the rows of every comparison
    texts: tuple[str, ...] | None  # of the largest of them; None where rows are no texts
    topics: list[Pool]  # whose personas are told apart
    widths: list[int]  # nodes of every place
    lines: int  # sites x positions
    named: int  # places that the configuration names
    baselines: list[Baseline]
    extra: int  # places that are read and not searched
    embedded: int  # nodes of the embedding, where it is one of them; else 0
    groups: int
    rows: int  # of all groups

    @property
    def largest(self) -> Pool:
        return max((pool for level in self.levels for pool in level), key=lambda p: len(p.ids))

    @property
    def comparisons(self) -> int:
        return sum(map(len, self.levels))

    @property
    def together(self) -> int:
        """Comparisons with others of their level beside them."""
        return sum(len(level) for level in self.levels if len(level) > 1)


def tails_alone(config: StudyConfig) -> tuple[str, ...]:
    """The tail of every way in which rows are scanned alone."""
    return (config.scan.tail, *config.detection.tails) * (1 + config.detection.conditional)


def chosen_counts(config: StudyConfig, named: int, lines: int, places: int, edited: bool) -> dict:
    """{kind: units} at the places of one comparison that are chosen or named: at most so many.

    Halves may choose one place, or a named one.
    """
    chooses, tested = CHOSEN in config.scan.places, config.intervention.places if edited else ()
    sets = 4 * chooses + named + 2 * sum(text != CHOSEN for text in tested)
    return {
        "nodes": sets * (config.where.permutations > 0),
        "localisation": 2 * chooses + named * (1 + len(config.scan.mixtures)),
        "profile": lines,
        "projection": min(places, SHOWN + 2 * chooses + named),
        "validation": 2 * chooses,
        "kinds": (2 * chooses + named) * (config.where.permutations > 0),
        "intervention": 2 * len(tested),
    }


def crossed_count(config: StudyConfig, comparisons: int) -> int:
    """Units that hold every node set of a level to the statements of every comparison."""
    tested = sum(map(config.intervention.tests, range(comparisons)))
    return 2 * tested if tested > 1 else 0


def unit_counts(config: StudyConfig, counted: Counted) -> dict[str, int]:
    """{kind: units} of one source, stage by stage; at chosen places at most so many."""
    cases, places = counted.comparisons, len(counted.widths)
    every, permuted = cases * places, config.where.permutations > 0
    parts = 3 if CHOSEN in config.scan.places else 1
    found = {
        "activations": (places + counted.extra) * counted.groups,
        "wording": cases if counted.texts else 0,
        "baseline": cases * len(counted.baselines),
        "separation": every,
        "personas": places * len(counted.topics),
        "detection": every * len(tails_alone(config)),
        "where": every * parts * permuted,
        "words": cases * bool(counted.texts) * permuted,
        "crossfit": (every + cases * (counted.embedded > 0)) * permuted,
        "null": every * len(config.calibrated_tails),
    }
    for level in counted.levels:
        for number in range(len(level)):
            edited = config.intervention.tests(number)
            own = chosen_counts(config, counted.named, counted.lines, places, edited)
            for kind, units in own.items():
                found[kind] = found.get(kind, 0) + units
    found["split"] = counted.named * counted.together * permuted
    found["transfer"] = counted.together * places * config.transfer
    found["specificity"] = sum(crossed_count(config, len(level)) for level in counted.levels)
    return {kind: units for kind, units in found.items() if units}
