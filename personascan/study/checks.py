"""What a study's configuration is refused for, before any file is read."""

from typing import TYPE_CHECKING

from personascan.analysis.separation import SeparationOptions
from personascan.analysis.validation import check_validation
from personascan.errors import InputError
from personascan.interventions.options import check_interventions
from personascan.places import ONCE
from personascan.sources.images.options import check_images
from personascan.sources.language.conversation_options import check_conversations
from personascan.sources.language.positions import check_positions, turn_position
from personascan.sources.language.source import BASELINES
from personascan.sources.language.statement_columns import Columns, parse_columns
from personascan.study.place_options import CHOSEN, check_where
from personascan.study.token_options import check_tokens

if TYPE_CHECKING:
    from personascan.study.config import StudyConfig

LEVELS = (0, 1, 2)
KINDS = ("statements", "conversations", "rows", "images")
TABLES = ("csv", "parquet")


def check_config(config: "StudyConfig") -> None:
    """Raises InputError for the first field that is at fault, and says what to do."""
    check_source(config)
    check_values(config)
    check_separation(config.separation)
    config.prompt_options()
    check_validation(config.validation)
    check_tails(config)
    check_interventions(config.intervention)
    check_intervened(config)
    check_places(config)
    check_where(config.where)
    check_chosen(config)
    check_tokens(config.tokens)
    check_searched(config)


def check_source(config: "StudyConfig") -> None:
    """Raises InputError for a study without rows, or with rows of two kinds."""
    asked = [n for n in KINDS if getattr(config, n)]
    if len(asked) != 1:
        raise InputError(
            "a study has one source: config.statements, config.conversations or config.images, "
            f"read by config.models, or config.rows; got {' and '.join(asked) or 'none'}"
        )
    if bool(config.models) == bool(config.rows):
        raise InputError(
            "config.rows bring their networks with them; leave config.models out"
            if config.rows
            else f"config.models is empty; name what reads config.{asked[0]}"
        )
    if config.images:
        check_images(config.images, config.models)
    if config.conversations:
        check_conversations(config.conversations)
    if config.columns and not config.statements:
        raise InputError("config.columns names columns of config.statements; leave it empty")
    Columns(parse_columns(config.columns))
    for name in ("models", "rows"):
        named = getattr(config, name)
        if len(set(named)) < len(named):
            raise InputError(f"config.{name} = {named}; name each once")
    if not config.reads_text and config.levels != (2,):
        raise InputError(f"config.levels: {asked[0]} have no topics; use (2,)")


def check_values(config: "StudyConfig") -> None:
    """Raises InputError for a field that is out of its range or names something twice."""
    levels = set(config.levels)
    if not levels or len(levels) < len(config.levels) or levels - set(LEVELS):
        raise InputError(f"config.levels = {config.levels}; levels are 0, 1 and 2, each once")
    if config.tables not in TABLES:
        raise InputError(f"config.tables = {config.tables!r}; use one of {', '.join(TABLES)}")
    if config.limit < 1:
        raise InputError(f"config.limit = {config.limit}; use at least 1 row of a side")
    if config.apart < 0:
        raise InputError(f"config.apart = {config.apart}; use 0 or more")
    for name in ("threshold", "node_q"):
        if not 0 < getattr(config, name) <= 1:
            raise InputError(f"config.{name} = {getattr(config, name)} is outside (0, 1]")
    if not 0 <= config.seed < 2**32:
        raise InputError(f"config.seed = {config.seed} is outside 0 to 2**32 - 1")
    if config.scan.permutations < 0:
        raise InputError("config.scan.permutations must be 0 or more")
    if config.scan.statistic_runs < 1:
        raise InputError("config.scan.statistic_runs must be at least 1")
    if not config.sites or len(set(config.sites)) < len(config.sites):
        raise InputError(f"config.sites must name each site once, got {config.sites}")
    if "all" in check_positions(config.positions):
        raise InputError("config.positions: 'all' has no row for each statement; name another")
    turns = [p for p in config.positions if turn_position(str(p)) is not None]
    if turns and not config.conversations:
        raise InputError(
            f"config.positions: {turns[0]!r} is a position of config.conversations; name another"
        )
    if config.batch_tokens < 1:
        raise InputError(f"config.batch_tokens = {config.batch_tokens}; use at least 1")


def check_separation(options: SeparationOptions) -> None:
    if not 0 < options.sample <= 1:
        raise InputError(f"config.separation.sample = {options.sample} is outside (0, 1]")
    if not 0 < options.probe_c < float("inf"):
        raise InputError(f"config.separation.probe_c = {options.probe_c} is not positive")
    for name in ("seeds", "components", "hull_components", "folds"):
        least = 2 if name in ("folds", "hull_components") else 1
        if getattr(options, name) < least:
            raise InputError(f"config.separation.{name} must be at least {least}")
    if options.hull_components > options.components:
        raise InputError("config.separation.hull_components exceeds separation.components")


def check_intervened(config: "StudyConfig") -> None:
    """Raises InputError for interventions without a model to ask, or without a chosen place."""
    places = config.intervention.places
    if places and not config.statements:
        raise InputError(
            "config.intervention.places: only language models that read config.statements can be "
            "edited and asked; leave it empty"
        )
    if CHOSEN in places and CHOSEN not in config.scan.places:
        raise InputError(
            'config.intervention.places has "chosen", but config.scan.places has not; name it in '
            "both, or name a place"
        )


def check_tails(config: "StudyConfig") -> None:
    """Raises InputError for tails, baselines and mixtures that cannot be scanned."""
    for where, tails in (("scan", config.scan.tails), ("detection", config.detection.tails)):
        for tail in tails:
            config.tail_options(tail)
        if len(set(tails)) < len(tails) or config.scan.tail in tails:
            raise InputError(f"config.{where}.tails = {tails}; name each once, and not scan.tail")
    for name in config.baselines:
        if name not in BASELINES:
            raise InputError(
                f"config.baselines: {name!r} is unknown; use some of {', '.join(BASELINES)}"
            )
    for mixture in config.scan.mixtures:
        scanned = config.runs.clean + config.runs.positive
        if not 0 < round(mixture.share * scanned) < scanned:
            raise InputError(
                f"config.scan.mixtures: a share of {mixture.share:g} of {scanned} scanned rows "
                "leaves none of one side; use another share, or scan more rows"
            )
        config.mixed(mixture)
    if config.statements and config.detection.limit > config.limit:
        raise InputError(
            f"config.detection.limit = {config.detection.limit} has no effect on statements, of "
            f"which config.limit = {config.limit} are read; raise config.limit"
        )
    if config.detection.limit < 0:
        raise InputError(f"config.detection.limit = {config.detection.limit}; use 0 or more")


def check_places(config: "StudyConfig") -> None:
    """Raises InputError where no place is named, or something is named twice."""
    if not config.scan.places:
        raise InputError('config.scan.places is empty; name places, for example ("chosen",)')
    for name, given in (
        ("scan.places", config.scan.places), ("scan.mixtures", config.scan.mixtures),
        ("baselines", config.baselines), ("intervention.places", config.intervention.places),
    ):  # fmt: skip
        if len(set(given)) < len(given):
            raise InputError(f"config.{name} names one twice: {', '.join(map(str, given))}")


def check_chosen(config: "StudyConfig") -> None:
    """Raises InputError where a place is to be chosen without permutations."""
    if CHOSEN in config.scan.places and not config.where.permutations:
        raise InputError(
            'config.scan.places has "chosen", which permutations choose; set '
            "config.where.permutations, or name places"
        )


def check_searched(config: "StudyConfig") -> None:
    """Raises InputError for a place of a model that is named and surely not among those searched.

    A share of the depth is a layer once the depth is known: that is checked with the model.
    """
    if not config.reads_text:
        return
    for field in ("scan", "intervention"):
        for text in getattr(config, field).places:
            if text != CHOSEN and (wrong := not_searched(config, text)):
                raise InputError(not_among(f"config.{field}.places", f"{text!r}: {wrong}"))


def not_searched(config: "StudyConfig", text: str) -> str:
    """Returns why a place of that name is not searched, "" if it may be."""
    site, *rest = text.replace(",", " ").split() or [""]
    if site not in config.sites:
        return f"config.sites = {config.sites}"
    layer = "" if site in ONCE or not rest else rest.pop(0)
    numbers = set(map(str, config.layers))
    if layer.isdecimal() and numbers and all(map(str.isdecimal, numbers)) and layer not in numbers:
        return f"config.layers = {config.layers}"
    if rest and " ".join(rest) not in map(str, config.read_positions):
        return f"config.positions = {config.positions}"
    return ""


def not_among(field: str, fault: str) -> str:
    """Returns the line for a field whose place is not searched, and what to do."""
    return (
        f"{field} names a place that this study does not search ({fault}); name one that it does, "
        f"or the one that it chooses: --{field}=\"('{CHOSEN}',)\""
    )
