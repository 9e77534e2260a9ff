"""Opening a study: its inputs are read and checked before anything is computed."""

import sys
from dataclasses import dataclass, replace

import jax

from personascan.errors import InputError
from personascan.hashes import RUN_AGAIN, file_sha256
from personascan.models.identity import identify
from personascan.places import Place, chosen_places
from personascan.sources.arrays import open_rows
from personascan.sources.base import Baseline, Source, conditions_of, texts_of
from personascan.sources.images.source import image_sources
from personascan.sources.language.conversation_files import (
    listed_files,
    load_conversations,
)
from personascan.sources.language.conversations import Conversation
from personascan.sources.language.source import BASELINES, LIKELIHOOD, LanguageSource
from personascan.sources.language.statement_columns import parse_columns
from personascan.sources.language.statements import Statement, load_statements, statement_files
from personascan.study.case import (
    Case,
    Level,
    Topic,
    draw_comparisons,
    named_places,
    seed_of,
)
from personascan.study.comparisons import draw_topics
from personascan.study.config import StudyConfig
from personascan.study.counts import Counted, count_open_source
from personascan.study.refusals import (
    refuse_impossible,
    refuse_separators,
    refuse_unasked,
    refuse_unwritable,
)
from personascan.study.responses import with_responses
from personascan.study.sample_sizes import fit_samples, fitting_record
from personascan.study.store import Store
from personascan.versions import installed_versions
from personascan.visible import visible


@dataclass(frozen=True)
class Opened:
    """A study whose inputs have been read and checked: nothing is computed yet."""

    config: StudyConfig
    sources: list[Source]
    provenance: dict

    def levels(self, source: Source, store: Store) -> list[Level]:
        """Returns a source's comparisons by level; the first level has the topics as well."""
        levels = []
        for number, level in enumerate(self.config.levels):
            topics = self.topics(source, store) if number == 0 else []
            levels.append(Level(self.cases(source, store, level), topics))
        return levels

    def topics(self, source: Source, store: Store) -> list[Topic]:
        """Returns the topics of a source whose personas are told from one another."""
        config = self.config
        pools = draw_topics(source.groups, config.apart, config.seed) if config.apart else []
        return [Topic(source, p, store, seed_of(config.seed, p.name)) for p in pools]

    def cases(self, source: Source, store: Store, level: int) -> list[Case]:
        """Returns the comparisons of a source at a level."""
        config, named = self.config, named_places(self.config.scan.places, source.named)
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
        """Returns the numbers from which a source's units are counted."""
        return count_open_source(self.config, source)


def with_answers(opened: Opened, store: Store) -> Opened:
    """Returns a study whose conversations have their answers, once these are finished units.

    Raises InputError if too few are left of a comparison.
    """
    writing = opened.config.writing
    sources = [with_responses(source, store, writing) for source in opened.sources]
    for source, before in zip(sources, opened.sources, strict=True):
        if source is not before:
            refuse_impossible(opened.config, source.groups)
    return replace(opened, sources=sources)


def open_study(config: StudyConfig) -> Opened:
    """Reads and checks everything that a study is made from.

    Raises InputError for any file, persona, model or sample size at fault.
    """
    statements = statements_sha256(config)
    refuse_unwritable(config)
    sources = open_sources(config)
    if statements_sha256(config) != statements:
        which = config.statements or "a file of config.conversations"
        raise InputError(f"{which} has changed while it was read; {RUN_AGAIN}")
    fitted = fit_samples(config, [source.groups for source in sources])
    for source in sources:
        named_places(config.scan.places, source.named)
        refuse_unasked(config, source)
        refuse_impossible(fitted, source.groups)
    recorded = provenance(config, sources, statements) | fitting_record(config, fitted)
    return Opened(fitted, sources, recorded)


def open_sources(config: StudyConfig) -> list[Source]:
    """Returns where the rows come from: a source for each model or folder."""
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


def language_source(config: StudyConfig, model: str, groups) -> LanguageSource:
    """Returns a model as a source of rows, identified by its files."""
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
    """Returns the baselines that a model can give; an encoder has no likelihood."""
    asked = (BASELINES[name] for name in config.baselines)
    return tuple(b for b in asked if decoder.has_head or b.place != LIKELIHOOD)


def model_places(config: StudyConfig, model: str, decoder) -> list[Place]:
    """Returns the places of a model, without the first token of a decoder, which sees nothing."""
    positions = config.read_positions
    if decoder.causal and "first" in positions:
        positions = tuple(p for p in positions if p != "first")
        if not positions:
            raise InputError(
                f"{model}: the first token of a decoder sees nothing of the statement; name "
                "another position"
            )
    return chosen_places(config.sites, decoder.layers, config.layers, positions)


def study_groups(config: StudyConfig) -> dict[str, list[Statement]]:
    """Returns {persona: its statements}, in the order in which the configuration names them."""
    groups = {}
    for s in chosen_conversations(config) if config.conversations else chosen_statements(config):
        groups.setdefault(s.persona, []).append(s)
    return groups


def chosen_conversations(config: StudyConfig) -> list[Conversation]:
    asked = config.conversations
    chosen = load_conversations(
        asked.files, questions=asked.questions, instructions=asked.instructions, limit=asked.limit,
        keep_above=asked.keep_above, keep_below=asked.keep_below, model_name=asked.model_name,
    )  # fmt: skip
    if not config.personas:
        return chosen
    known = {row.persona for row in chosen}
    if unknown := [persona for persona in config.personas if persona not in known]:
        raise InputError(
            f"config.personas: {unknown[0]!r} is not in config.conversations.files, which have "
            f"{', '.join(sorted(known))}"
        )
    return [row for persona in config.personas for row in chosen if row.persona == persona]


def chosen_statements(config: StudyConfig) -> list[Statement]:
    chosen_by = {
        "min_confidence": config.min_confidence, "limit": config.limit, "positive": config.positive,
        "columns": parse_columns(config.columns),
    }  # fmt: skip
    if not config.personas:
        return load_statements(config.statements, **chosen_by)
    if len(set(config.personas)) < len(config.personas):
        raise InputError(f"config.personas names one twice: {', '.join(config.personas)}")
    return [
        s
        for p in config.personas
        for s in load_statements(config.statements, persona=p, **chosen_by)
    ]


def statements_sha256(config: StudyConfig) -> dict[str, str]:
    """Returns {file: hash} of the statements' files; none where rows are no statements."""
    if config.conversations:
        asked = config.conversations
        named = (*asked.files, *filter(None, [asked.questions]))
        files = listed_files(named)
    elif config.statements:
        files = statement_files(config.statements, config.personas)
    else:
        return {}
    return {file.name: file_sha256(file) for file in files}


def provenance(config: StudyConfig, sources: list[Source], statements: dict[str, str]) -> dict:
    """Returns what else decides the numbers: versions, platform and the inputs' hashes."""
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
