"""A study from its configuration to its results: stage after stage, each from finished units."""

import importlib.metadata
import platform
from dataclasses import dataclass

import jax

from personascan.analysis.separation import sample_sizes
from personascan.calibration.calibrate import calibration_bytes
from personascan.errors import InputError
from personascan.hashes import file_sha256
from personascan.memory import refuse_too_much
from personascan.models.load import identify
from personascan.places import Place, chosen_places, named_place
from personascan.scan.splits import check_sizes
from personascan.sources.language.source import LanguageSource
from personascan.sources.language.statements import Statement, load_statements, statement_files
from personascan.study.comparisons import Comparison, Pool, comparisons, draw_pool, draw_topics
from personascan.study.config import CHOSEN, StudyConfig
from personascan.study.course import Case, Topic, seed_of
from personascan.study.results import Study, read_part
from personascan.study.run import Workers, cluster, run_extractions, run_works
from personascan.study.store import Store
from personascan.workers import WORKER_BYTES

# A place in a worker: as float32, and a few copies as float64 in PCA and the probe.
SEPARATION_BYTES = 4 + 5 * 8
ID_SEPARATOR = ";"
PACKAGES = (
    "personascan", "jax", "jaxlib", "flax", "numpy", "scikit-learn", "scipy", "transformers",
    "tokenizers", "jinja2", "gguf", "optax",
)  # fmt: skip


@dataclass(frozen=True)
class Opened:
    """A study whose inputs have been read and checked: nothing is computed yet."""

    config: StudyConfig
    groups: dict[str, list[Statement]]
    pools: dict[tuple[int, str], tuple[Comparison, Pool]]  # by level and name
    sources: list[LanguageSource]
    named: dict[str, tuple[Place, ...]]  # places that the configuration names, by source
    topics: list[Pool]
    provenance: dict

    def told_apart(self, source, store: Store) -> list[Topic]:
        """The topics of a source."""
        seed = self.config.seed
        return [Topic(source, p, store, seed_of(seed, p.name)) for p in self.topics]

    def cases(self, source, store: Store) -> list[list[Case]]:
        """The comparisons of a source, level by level."""
        named = self.named[source.name]
        return [
            [
                Case(
                    source, comparison, pool, texts_of(self.groups, pool), named, self.config, store
                )
                for (at, _), (comparison, pool) in self.pools.items()
                if at == level
            ]
            for level in self.config.levels
        ]


def open_study(config: StudyConfig) -> Opened:
    """Read and check everything that a study is made from.

    Raises InputError for any file, persona, model or sample size at fault.
    """
    groups = study_groups(config)
    topic_of = {persona: found[0].topic for persona, found in groups.items()}
    pools = {}
    for level in config.levels:
        for c in comparisons(level, topic_of):
            pool = draw_pool(groups, c, config.limit, seed_of(config.seed, c.name))
            pools[level, c.name] = c, pool
    refuse_impossible(config, [pool for _, pool in pools.values()])
    sources = [language_source(config, model, groups) for model in config.models]
    named = {source.name: named_places(config, source) for source in sources}
    topics = draw_topics(groups, topic_of, config.apart, config.seed) if config.apart else []
    return Opened(config, groups, pools, sources, named, topics, provenance(config, sources))


def study_results(opened: Opened, store: Store, workers: Workers) -> Study:
    """Do what is not finished, and read what was found."""
    config = opened.config
    with cluster(workers):
        parts = []
        for source in opened.sources:
            run_extractions(source, store, workers)
            levels = opened.cases(source, store)
            cases = [case for level in levels for case in level]
            say_memory(cases, workers)
            topics = opened.told_apart(source, store)
            everywhere = [w for one in (*cases, *topics) for w in one.searches()]
            run_works(everywhere, store, workers, "places")
            if all(c.separation_at(q).constant for c in cases for q in source.places):
                raise InputError(
                    "every place is constant over the statements: there is nothing to scan"
                )
            chosen = [w for c in cases for w in (*c.localisations(), *c.projections())]
            run_works(chosen, store, workers, "chosen places")
            judged = [w for c in cases for w in c.validations()]
            run_works(judged, store, workers, "validation")
            for number, level in enumerate(levels):
                # Personas are told apart whatever the level: that stands with the first one.
                parts.append(read_part(level, topics if number == 0 else []))
    return Study(config, parts, opened.provenance)


def language_source(config: StudyConfig, model: str, groups) -> LanguageSource:
    """A model as a source of rows, identified by its files."""
    identified = identify(model, config.dtype)
    keywords = config.extraction_keywords()
    places = chosen_places(
        config.sites, identified.config.layers, config.layers, keywords["positions"]
    )
    return LanguageSource(
        model, identified, groups, places, config.prompt_options(), config.batch_tokens,
        config.dtype, config.mesh,
    )  # fmt: skip


def named_places(config: StudyConfig, source: LanguageSource) -> tuple[Place, ...]:
    """The places of a source that the configuration names."""
    layers = source.identified.config.layers
    texts = [text for text in config.scan.places if text != CHOSEN]
    return tuple(named_place(text, source.places, layers) for text in texts)


def study_groups(config: StudyConfig) -> dict[str, list[Statement]]:
    """{persona: its statements}, in the order the configuration names them."""
    groups = {}
    for s in chosen_statements(config):
        if ID_SEPARATOR in s.id:
            raise InputError(
                f"the id {s.id!r} holds {ID_SEPARATOR!r}, which separates ids in runs.csv; rename "
                "it"
            )
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


def texts_of(groups, pool: Pool) -> tuple[str, ...]:
    """The statements of a pool, in its order."""
    return tuple(groups[group][row].text for group, rows in pool.members for row in rows)


def refuse_impossible(config: StudyConfig, pools: list[Pool]) -> None:
    """What can be known to fail fails before a model is loaded."""
    plan = config.localisation()
    halved = [plan.halved()] if CHOSEN in config.scan.places else []
    for one in (plan, *halved):
        if note := one.options.unattainable(one.runs.background):
            raise InputError(note)
    for pool in pools:
        h1, h0 = pool.sizes
        try:
            check_sizes(h0, h1, plan.runs)
            sample_sizes(h1, h0, config.separation)
        except InputError as error:
            raise InputError(f"{pool.name}: {error}") from error
        for one in halved:
            try:
                check_sizes(h0 // 2, h1 // 2, one.runs)
            except InputError as error:
                raise InputError(
                    f"{pool.name}: of half of the statements, which choose a place, {error}"
                ) from error


def say_memory(cases: list[Case], workers: Workers) -> None:
    """What the largest units need, as many at once as there are workers; refused if too much."""
    if workers.scheduler:
        return  # other machines have their own
    plan, processes = cases[0].plan, workers.processes()
    shapes = {case.rows(place).shape for case in cases for place in case.source.places}
    own = WORKER_BYTES * processes if processes > 1 else 0
    largest = max(rows * nodes for rows, nodes in shapes)
    fewer = "use fewer jobs or statements (limit)"
    refuse_too_much("separation", processes * largest * SEPARATION_BYTES + own, fewer, say=True)
    if not plan.permutations:
        return
    needed = max(
        calibration_bytes(shape, plan.runs, plan.permutations, plan.statistic_runs, plan.options)
        for shape in shapes
    )
    fewer = "use fewer jobs, scan.permutations, scan.statistic_runs or runs.runs"
    refuse_too_much("calibration", processes * needed + own, fewer, say=True)


def provenance(config: StudyConfig, sources: list[LanguageSource]) -> dict:
    """What else decides the numbers: versions, platform and the inputs' contents."""
    hashes, several = {}, len(sources) > 1
    for source in sources:
        at = f"model {source.name}" if several else "model"
        hashes |= {at: source.identified.sha256}
        hashes |= {f"{at}/{name}": sha for name, sha in source.identified.files.items()}
        hashes |= {f"{at} template" if several else "chat template": source.template_sha256}
    files = statement_files(config.statements, config.personas)
    return {
        "seed": config.seed,
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
        "platform": {
            "backend": jax.default_backend(),
            "devices": jax.device_count(),
            "mesh": config.mesh,
        },
        "revisions": {s.name: s.identified.revision for s in sources},  # of hub sources
        "roles": {s.name: s.role for s in sources},  # as applied: none without chat template
        "sha256": hashes | {file.name: file_sha256(file) for file in files},
    }
