"""The numbers that decide how many units a study has, and how large, before any is done."""

from dataclasses import dataclass

from personascan.places import lines_of
from personascan.sources.base import Baseline, Source, texts_of
from personascan.study.case import draw_comparisons, named_places
from personascan.study.comparisons import Pool, draw_topics
from personascan.study.config import StudyConfig
from personascan.study.place_options import CHOSEN


@dataclass(frozen=True)
class Counted:
    """One source of a study. Units at places that are yet to be chosen are counted at most."""

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
    answers: bool = False  # whether the network predicts a next token

    @property
    def largest(self) -> Pool:
        return max((pool for level in self.levels for pool in level), key=lambda p: len(p.ids))

    @property
    def comparisons(self) -> int:
        return sum(map(len, self.levels))

    @property
    def peers(self) -> int:
        """Comparisons of levels that have several."""
        return sum(len(level) for level in self.levels if len(level) > 1)

    @property
    def everywhere(self) -> int:
        """Places of all comparisons."""
        return self.comparisons * len(self.widths)

    @property
    def chooses(self) -> bool:
        """Whether halves of the rows choose places."""
        return CHOSEN in self.config.scan.places

    @property
    def permuted(self) -> bool:
        """Whether labels are permuted."""
        return self.config.where.permutations > 0

    @property
    def edited(self) -> int:
        """Comparisons whose node sets are tested by intervention."""
        return sum(
            sum(map(self.config.intervention.tests, range(len(level)))) for level in self.levels
        )

    @property
    def activations(self) -> int:
        """Units of activations: one for each group at each place."""
        return (len(self.widths) + self.extra) * self.groups


def count_source(
    config: StudyConfig, groups, places, widths: list[int], named: int, baselines, extra: int,
    embedded: int, answers: bool = False,
) -> Counted:  # fmt: skip
    """Returns the numbers of a source, from its rows by group, its places and their widths."""
    levels = [
        [pool for _, pool, _ in draw_comparisons(config, groups, level)] for level in config.levels
    ]
    largest = max((pool for level in levels for pool in level), key=lambda pool: len(pool.ids))
    topics = draw_topics(groups, config.apart, config.seed) if config.apart else []
    return Counted(
        config, levels, texts_of(groups, largest.members), topics, widths, len(lines_of(places)),
        named, list(baselines), extra, embedded, len(groups), sum(map(len, groups.values())),
        answers,
    )  # fmt: skip


def count_open_source(config: StudyConfig, source: Source) -> Counted:
    """Returns the same of a source that is open."""
    group = next(iter(source.groups))
    widths = [source.shape(group, place)[1] for place in source.places]
    embedded = source.embedding is not None and source.embedding in source.extra
    return count_source(
        config, source.groups, source.places, widths,
        len(named_places(config.scan.places, source.named)), source.baselines, len(source.extra),
        source.shape(group, source.embedding)[1] if embedded else 0, source.answers,
    )  # fmt: skip
