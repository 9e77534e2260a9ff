"""A study's inputs, read and checked before anything is computed."""

import importlib.util
import sys
from dataclasses import dataclass

import jax
import numpy as np

from personascan.analysis.detection import Labels, check_splits
from personascan.analysis.localisation import LocalisationOptions
from personascan.analysis.separation import check_folds, sample_sizes
from personascan.calibration.cluster_labellings import check_exchange, exchange_labels
from personascan.errors import InputError
from personascan.hashes import RUN_AGAIN, file_sha256
from personascan.interventions.exchange import read_direction
from personascan.interventions.judging import answer_margin
from personascan.models.load import identify
from personascan.places import Place, chosen_places, lines_of
from personascan.scan.samples import check_sizes, largest_cluster
from personascan.sources.arrays import open_rows
from personascan.sources.base import Baseline, Source, conditions_of, texts_of
from personascan.sources.images.source import image_sources
from personascan.sources.language.source import BASELINES, LIKELIHOOD, LanguageSource
from personascan.sources.language.statements import Statement, load_statements, statement_files
from personascan.study.case import Case, Level, Topic, seed_of
from personascan.study.comparisons import Comparison, Pool, comparisons, draw_pool, draw_topics
from personascan.study.config import CHOSEN, StudyConfig
from personascan.study.counts import Counted
from personascan.study.intervened import direction_sha256
from personascan.study.portions import (
    ALL,
    PORTIONS,
    portion_clusters,
    portion_options,
    portion_rows,
)
from personascan.study.stages import where
from personascan.study.store import Store
from personascan.versions import installed_versions
from personascan.visible import visible

ID_SEPARATOR = ";"


@dataclass(frozen=True)
class Opened:
    """A study whose inputs have been read and checked: nothing is computed yet."""

    config: StudyConfig
    sources: list[Source]
    provenance: dict

    def levels(self, source: Source, store: Store) -> list[Level]:
        """The comparisons of a source, level by level, and the topics beside the first."""
        found = []
        for number, level in enumerate(self.config.levels):
            topics = self.topics(source, store) if number == 0 else []
            found.append(Level(self.cases(source, store, level), topics))
        return found

    def topics(self, source: Source, store: Store) -> list[Topic]:
        """The topics of a source whose personas are told from one another."""
        config = self.config
        pools = draw_topics(source.groups, config.apart, config.seed) if config.apart else []
        return [Topic(source, p, store, seed_of(config.seed, p.name)) for p in pools]

    def cases(self, source: Source, store: Store, level: int) -> list[Case]:
        """The comparisons of a source at a level."""
        config, named = self.config, named_places(self.config, source)
        return [
            Case(
                source, comparison, pool, wide, texts_of(source.groups, pool.members),
                conditions_of(source.groups, wide.members), named, config, store,
                config.intervention.tests(number),
            )
            for number, (comparison, pool, wide) in enumerate(
                draw_comparisons(config, source.groups, level)
            )
        ]  # fmt: skip

    def counted(self, source: Source) -> Counted:
        """What the units of a source are counted from."""
        return source_counted(self.config, source)


def open_study(config: StudyConfig) -> Opened:
    """Read and check everything that a study is made from.

    Raises InputError for any file, persona, model or sample size at fault.
    """
    statements = statements_sha256(config)
    refuse_unwritable(config)
    sources = open_sources(config)
    if statements_sha256(config) != statements:
        raise InputError(f"{config.statements} has changed while it was read; {RUN_AGAIN}")
    for source in sources:
        named_places(config, source)
        refuse_unasked(config, source)
        refuse_impossible(config, source.groups)
    return Opened(config, sources, provenance(config, sources, statements))


def open_sources(config: StudyConfig) -> list[Source]:
    """Where the rows come from: one source for each model or folder."""
    if config.rows:
        sources = [open_rows(folder) for folder in config.rows]
    elif config.images:
        sources = image_sources(config.images, config.models)
    else:
        groups = study_groups(config)
        sources = [language_source(config, model, groups) for model in config.models]
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise InputError(f"the networks are named {', '.join(names)}; give each a name of its own")
    for source in sources:
        refuse_separators(e.id for examples in source.groups.values() for e in examples)
    return sources


def draw_comparisons(
    config: StudyConfig, groups, level: int
) -> list[tuple[Comparison, Pool, Pool]]:
    """Each comparison of a level, with its rows, and those that are scanned alone."""
    found = []
    for c in comparisons(level, groups):
        seed = seed_of(config.seed, c.name)
        pool = draw_pool(groups, c, config.limit, seed)
        most = config.detection.limit
        found.append((c, pool, draw_pool(groups, c, most, seed) if most else pool))
    return found


def count(
    config: StudyConfig, groups, places, widths: list[int], named: int, baselines, extra: int,
    embedded: int,
) -> Counted:  # fmt: skip
    """What a source's units are counted from."""
    levels = [
        [pool for _, pool, _ in draw_comparisons(config, groups, level)] for level in config.levels
    ]
    largest = max((pool for level in levels for pool in level), key=lambda pool: len(pool.ids))
    topics = draw_topics(groups, config.apart, config.seed) if config.apart else []
    return Counted(
        config, levels, texts_of(groups, largest.members), topics, widths, len(lines_of(places)),
        named, list(baselines), extra, embedded, len(groups), sum(map(len, groups.values())),
    )  # fmt: skip


def source_counted(config: StudyConfig, source: Source) -> Counted:
    """The same of a source that is open."""
    group = next(iter(source.groups))
    widths = [source.shape(group, place)[1] for place in source.places]
    embedded = source.embedding is not None and source.embedding in source.extra
    return count(
        config, source.groups, source.places, widths, len(named_places(config, source)),
        source.baselines, len(source.extra),
        source.shape(group, source.embedding)[1] if embedded else 0,
    )  # fmt: skip


def language_source(config: StudyConfig, model: str, groups) -> LanguageSource:
    """A model as a source of rows, identified by its files."""
    identified = identify(model, config.dtype)
    places = model_places(config, model, identified.config)
    baselines = language_baselines(config, identified.config)
    if identified.config.causal and len(baselines) < len(config.baselines):
        print(f"note: {visible(model)}: no lm_head, and so no log-likelihood", file=sys.stderr)
    return LanguageSource(
        model, identified, groups, places, config.prompt_options(), config.batch_tokens,
        config.dtype, config.mesh, baselines,
    )  # fmt: skip


def language_baselines(config: StudyConfig, decoder) -> tuple[Baseline, ...]:
    """What is told beside scans; an encoder has no likelihood of its own."""
    found = (BASELINES[name] for name in config.baselines)
    return tuple(b for b in found if decoder.has_head or b.place != LIKELIHOOD)


def model_places(config: StudyConfig, model: str, decoder) -> list[Place]:
    """The places of a model; nothing stands before a decoder's first token, which says nothing."""
    positions = config.read_positions
    if decoder.causal and "first" in positions:
        positions = tuple(p for p in positions if p != "first")
        if not positions:
            raise InputError(
                f"{model}: the first token of a decoder sees nothing of the statement; name "
                "another position"
            )
    return chosen_places(config.sites, decoder.layers, config.layers, positions)


def named_places(config: StudyConfig, source: Source) -> tuple[Place, ...]:
    """The places of a source that the configuration names, each once: two names may be of one."""
    named = (source.named(text) for text in config.scan.places if text != CHOSEN)
    return tuple(dict.fromkeys(named))


def refuse_unasked(config: StudyConfig, source: Source) -> None:
    """Interventions need a model that answers, and places of its own."""
    options = config.intervention
    if options.places and not source.answers:
        raise InputError(
            f"{source.name} predicts no next token, so interventions cannot be looked at; leave "
            "config.intervention.places empty"
        )
    for text in options.places:
        if text != CHOSEN:
            source.named(text)
    for path in options.directions:
        direction_sha256(path)
    if options.places:
        answer_margin(source.identified, config.prompt_options())
        for path in options.directions:
            read_direction(path, source.identified.config)


def refuse_separators(ids) -> None:
    for id_ in ids:
        if ID_SEPARATOR in id_:
            raise InputError(
                f"the id {id_!r} holds {ID_SEPARATOR!r}, which separates ids in runs.csv; rename it"
            )


def study_groups(config: StudyConfig) -> dict[str, list[Statement]]:
    """{persona: its statements}, in the order the configuration names them."""
    groups = {}
    for s in chosen_statements(config):
        groups.setdefault(s.persona, []).append(s)
    return groups


def chosen_statements(config: StudyConfig) -> list[Statement]:
    chosen = {"min_confidence": config.min_confidence, "limit": config.limit}
    if not config.personas:
        return load_statements(config.statements, **chosen)
    if len(set(config.personas)) < len(config.personas):
        raise InputError(f"config.personas names one twice: {', '.join(config.personas)}")
    return [
        s for p in config.personas for s in load_statements(config.statements, persona=p, **chosen)
    ]


def refuse_impossible(config: StudyConfig, groups) -> None:
    """What can be known to fail fails before a model is loaded."""
    options = config.localisation()
    halved = [options.halved()] if CHOSEN in config.scan.places else []
    mixed = [config.mixed(mixture) for mixture in config.scan.mixtures]
    searched = [(one.scan, one.samples) for one in (options, *halved, *mixed)]
    calibrated = [config.localisation(tail) for tail in config.calibrated_tails]
    searched += [(one.statistic_options(), one.samples) for one in calibrated]
    for scan, samples in searched:
        if note := scan.unattainable(samples.background):
            raise InputError(note)
    for level in config.levels:
        for number, (_, pool, wide) in enumerate(draw_comparisons(config, groups, level)):
            refuse_small(config, pool, [options, *mixed])
            tested = config.intervention.places and config.intervention.tests(number)
            refuse_parts(config, pool, options, halves=bool(halved or tested))
            refuse_alone(config, wide, conditions_of(groups, wide.members))


def refuse_small(config: StudyConfig, pool: Pool, asked: list[LocalisationOptions]) -> None:
    """A pool that cannot give its samples."""
    h1, h0 = pool.sizes
    try:
        for options in asked:
            check_sizes(h0, h1, options.samples, largest_cluster(pool.clusters))
        sample_sizes(h1, h0, config.separation)
    except InputError as error:
        raise InputError(f"{pool.name}: {error}") from error


def refuse_parts(
    config: StudyConfig, pool: Pool, options: LocalisationOptions, halves: bool
) -> None:
    """A pool, or a half of it, whose rows or entities are too few or too large for what is asked.

    Of few or of large entities a half can be quite small.
    """
    seed = seed_of(config.seed, pool.name)
    try:
        check_folds(pool.positive_N, config.separation, pool.clusters)
        for portion in PORTIONS if halves else PORTIONS[:1]:
            check_part(config, pool, portion_options(options, portion), portion, seed)
    except InputError as error:
        raise InputError(f"{pool.name}: {error}") from error


def check_part(config, pool: Pool, options: LocalisationOptions, portion: str, seed: int) -> None:
    """Raise InputError where the rows of a part cannot give its samples or labellings."""
    chosen = portion_rows(pool, portion, seed)
    positive_N, clusters_N = pool.positive_N[chosen], portion_clusters(pool, chosen)
    h1 = int(positive_N.sum())
    try:
        check_sizes(positive_N.size - h1, h1, options.samples, largest_cluster(clusters_N))
        if config.where.permutations:
            where.exchange_in(where.chosen_rows(pool, chosen))
        if options.permutations and clusters_N is None:
            check_exchange(positive_N, options.samples, options.permutations)
        elif options.permutations:
            exchange_labels(positive_N, options.samples, options.permutations, seed, clusters_N)
    except InputError as error:
        of = "" if portion == ALL else f"of half {portion} of the rows, which chooses a place, "
        raise InputError(f"{of}{error}") from error


def statements_sha256(config: StudyConfig) -> dict[str, str]:
    """{file: hash} of the statements' files; none where rows are no statements."""
    if not config.statements:
        return {}
    files = statement_files(config.statements, config.personas)
    return {file.name: file_sha256(file) for file in files}


def refuse_alone(config: StudyConfig, wide: Pool, conditions: np.ndarray) -> None:
    """Rows that cannot be scanned alone, by one of the detectors that are asked for."""
    options, seed = config.detection, seed_of(config.seed, wide.name)
    if options.conditional and not any(conditions):
        raise InputError(
            f"{wide.name}: config.detection.conditional compares each row with the background rows "
            "of its own condition, but the rows have none; give conditions (write_rows), or leave "
            "it out"
        )
    scans = [o for tail in (config.scan.tail, *options.tails) for o in config.tail_options(tail)]
    try:
        for known in (None, conditions) if options.conditional else (None,):
            labels = Labels(wide.positive_N, wide.clusters, known)
            check_splits(labels, options, tuple(scans), seed)
    except InputError as error:
        raise InputError(f"{wide.name}: of rows that are scanned alone, {error}") from error


def refuse_unwritable(config: StudyConfig) -> None:
    """Parquet files without what writes them."""
    if config.tables == "parquet" and not importlib.util.find_spec("pyarrow"):
        raise InputError(
            "config.tables = 'parquet' needs pyarrow; pip install 'personascan[frames]'"
        )


def provenance(config: StudyConfig, sources: list[Source], statements: dict[str, str]) -> dict:
    """What else decides the numbers: versions, platform and the inputs' contents."""
    hashes, several = {}, len(sources) > 1
    for source in sources:
        own = source.hashes()
        hashes |= {f"{source.name}: {name}": h for name, h in own.items()} if several else own
    hashes |= statements
    return {
        "seed": config.seed,
        "versions": installed_versions().versions,
        "platform": {
            "backend": jax.default_backend(),
            "devices": jax.device_count(),
            "mesh": config.mesh,
        },
        "revisions": {s.name: s.revision for s in sources},  # of hub sources
        "roles": {s.name: s.role for s in sources},  # as applied to statements
        "sha256": hashes,
    }
