"""What a study is refused for before anything is computed: what its rows and models cannot give."""

import importlib.util

import numpy as np

from personascan.analysis.detection import Labels, check_splits
from personascan.analysis.localisation import LocalisationOptions
from personascan.analysis.separation import check_folds, sample_sizes
from personascan.calibration.cluster_labellings import check_exchange, exchange_labels
from personascan.errors import InputError
from personascan.interventions.direction_files import read_direction
from personascan.interventions.judging import answer_margin
from personascan.scan.samples import SampleSizeError, check_sizes, largest_cluster
from personascan.sources.base import Source, conditions_of
from personascan.study.case import draw_comparisons, named_places, seed_of
from personascan.study.comparisons import Pool
from personascan.study.config import StudyConfig
from personascan.study.node_sets import direction_sha256
from personascan.study.place_options import CHOSEN
from personascan.study.portions import (
    ALL,
    PORTIONS,
    portion_clusters,
    portion_options,
    portion_rows,
)
from personascan.study.sample_sizes import sizes_advice
from personascan.study.stages import where

ID_SEPARATOR = ";"
SEPARATION = (
    "--config.separation.folds, --config.separation.components and "
    "--config.separation.hull_components"
)


def refuse_unwritable(config: StudyConfig) -> None:
    """Raises InputError for Parquet files without the package that writes them."""
    if config.tables == "parquet" and not importlib.util.find_spec("pyarrow"):
        raise InputError(
            "config.tables = 'parquet' needs pyarrow; pip install 'personascan[frames]'"
        )


def refuse_separators(ids) -> None:
    for id_ in ids:
        if ID_SEPARATOR in id_:
            raise InputError(
                f"the id {id_!r} holds {ID_SEPARATOR!r}, which separates ids in runs.csv; rename it"
            )


def refuse_unasked(config: StudyConfig, source: Source) -> None:
    """Raises InputError for interventions without a model that answers, or at unknown places."""
    options = config.intervention
    if options.places and not source.answers:
        raise InputError(
            f"{source.name} predicts no next token, so interventions cannot be looked at; leave "
            "config.intervention.places empty"
        )
    named_places(options.places, source.named, "config.intervention.places")
    for path in options.directions:
        direction_sha256(path)
    if options.places:
        answer_margin(source.identified, config.prompt_options())
        for path in options.directions:
            read_direction(path, source.identified.config)


def refuse_impossible(config: StudyConfig, groups) -> None:
    """Raises InputError, before a model is loaded, for samples that the rows cannot give."""
    options = config.localisation()
    halved = [options.halved()] if CHOSEN in config.scan.places else []
    mixed = [config.mixed(mixture) for mixture in config.scan.mixtures]
    searched = [(one.scan, one.samples) for one in (options, *halved, *mixed)]
    calibrated = [config.localisation(tail) for tail in config.calibrated_tails]
    searched += [(one.statistic_options(), one.samples) for one in calibrated]
    for scan, samples in searched:
        if note := scan.unattainable(samples.background):
            raise InputError(note)
    try:
        refuse_comparisons(config, groups, [options, *mixed], halves=bool(halved))
    except SampleSizeError as error:
        raise InputError(f"{error}; {sizes_advice(config, groups)}") from error


def refuse_comparisons(
    config: StudyConfig, groups, asked: list[LocalisationOptions], halves: bool
) -> None:
    """Raises InputError for the first comparison that cannot give its samples."""
    for level in config.levels:
        for number, (_, pool, wide) in enumerate(draw_comparisons(config, groups, level)):
            refuse_small(config, pool, asked)
            tested = config.intervention.places and config.intervention.tests(number)
            refuse_portions(config, pool, asked[0], halves=bool(halves or tested))
            refuse_alone(config, wide, conditions_of(groups, wide.members))


def refuse_small(config: StudyConfig, pool: Pool, asked: list[LocalisationOptions]) -> None:
    """Raises InputError for a pool that cannot give its samples."""
    h1, h0 = pool.sizes
    try:
        for options in asked:
            check_sizes(h0, h1, options.samples, largest_cluster(pool.clusters))
    except InputError as error:
        raise type(error)(f"{pool.name}: {error}") from error
    try:
        sample_sizes(h1, h0, config.separation)
    except InputError as error:
        raise InputError(f"{pool.name}: {error}; add rows, or lower {SEPARATION}") from error


def refuse_portions(
    config: StudyConfig, pool: Pool, options: LocalisationOptions, halves: bool
) -> None:
    """Raises InputError where a pool, or a half of it, cannot give its samples or labellings.

    A half of few or of large entities can be quite small.
    """
    seed = seed_of(config.seed, pool.name)
    try:
        check_folds(pool.positive_N, config.separation, pool.together)
        for portion in PORTIONS if halves else PORTIONS[:1]:
            check_portion(config, pool, portion_options(options, portion), portion, seed)
    except InputError as error:
        raise type(error)(f"{pool.name}: {error}") from error


def check_portion(
    config, pool: Pool, options: LocalisationOptions, portion: str, seed: int
) -> None:
    """Raises InputError where the rows of a portion cannot give its samples or labellings."""
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
        raise type(error)(f"{of}{error}") from error


def refuse_alone(config: StudyConfig, wide: Pool, conditions: np.ndarray) -> None:
    """Raises InputError where one of the detectors cannot scan the rows alone."""
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
