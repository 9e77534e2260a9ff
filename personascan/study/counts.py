"""What decides how many units a study has, and how large, before anything is computed."""

from dataclasses import dataclass

from personascan.sources.base import Baseline
from personascan.study.comparisons import Pool
from personascan.study.config import CHOSEN, StudyConfig


@dataclass(frozen=True)
class Counted:
    """One source of a study. At places that are yet to be chosen units are counted at most."""

    config: StudyConfig
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

    @property
    def everywhere(self) -> int:
        """Places of all comparisons."""
        return self.comparisons * len(self.widths)

    @property
    def chooses(self) -> bool:
        """Whether halves choose places."""
        return CHOSEN in self.config.scan.places

    @property
    def permuted(self) -> bool:
        """Whether labels are permuted."""
        return self.config.where.permutations > 0

    @property
    def edited(self) -> int:
        """Comparisons whose node sets are tested by intervention."""
        return sum(sum(map(self.config.intervention.tests, range(len(one)))) for one in self.levels)

    @property
    def activations(self) -> int:
        """Groups times places: each is a unit of its own."""
        return (len(self.widths) + self.extra) * self.groups
