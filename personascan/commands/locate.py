"""Test at which places two labelled sides differ: a table of places, with family-wise p-values.

Statements and the model that reads them:  --statements=mine.csv --model=MODEL
Activations and a label for each row:      --rows=a.npz --labels=labels.txt
Activations that `extract` wrote:          --rows=a.npz --statements=mine.csv
A folder that `write_rows` wrote:          --rows=FOLDER

A file without a column persona is one persona, of the file's name. A study of the same rows
shuffles labels from another seed, so that its z differs a little (9.1 for 9.3), and tests
final_norm too, which may be highest and counts in the family-wise p. If there is a study, quote it.
"""

from personascan.command import run  # first: a signal is answered from here on

import contextlib
import functools
import pathlib

from absl import flags

import personascan
from personascan.sources.language.statement_columns import parse_columns

ROWS = flags.DEFINE_string("rows", "", "Activations: .npz, .npy [rows, nodes], or a folder.")
LABELS = flags.DEFINE_string("labels", "", "File: a 1 or 0 a row, as text (a line each) or .npy.")
STATEMENTS = flags.DEFINE_string("statements", "", ".jsonl or .csv file, folder, or hub id.")
MODEL = flags.DEFINE_string("model", "", "Reads them: folder, .gguf file, hub id or pypi:PACKAGE.")
PERSONA = flags.DEFINE_string("persona", "", "Whose two sides; one of the file's personas.")
POSITIVE = flags.DEFINE_string("positive", "", "The positive side's word, if it is another.")
COLUMNS = flags.DEFINE_list(
    "columns", [], "Other names of the file's columns: text=sentence,direction=temper."
)
MIN_CONFIDENCE = flags.DEFINE_float("min_confidence", 0.85, "Least label confidence.")
LIMIT = flags.DEFINE_integer("limit", 300, "Statements of a direction.", lower_bound=1)
SITES = flags.DEFINE_list("sites", ["resid_post"], "Of the model, as of `extract`.")
LAYERS = flags.DEFINE_list("layers", [], "Numbers, or shares of the depth such as 50%; none: all.")
POSITIONS = flags.DEFINE_list("positions", ["last"], "Tokens, as of `extract`.")
STATISTIC = flags.DEFINE_string(
    "statistic", "direction", "direction, nodes, distribution, node scan."
)
PERMUTATIONS = flags.DEFINE_integer("permutations", 999, "Labellings beside the observed one.")
SEED = flags.DEFINE_integer("seed", 0, "Of the labellings.")
OUT = flags.DEFINE_string("out", "", "Write the table of places here as CSV.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace --out if it is there.")
SHOWN = 10  # places that are printed


def main(_) -> None:
    from personascan.files import whole_file
    from personascan.report.summary import aligned
    from personascan.visible import visible

    place = contextlib.nullcontext()
    if OUT.value:
        place = whole_file(OUT.value, overwrite=OVERWRITE.value)
    with place as file:
        rows = labelled_rows()
        located = personascan.locate(
            rows.places, rows.positive_N, **rows.exchange, statistic=STATISTIC.value,
            permutations=PERMUTATIONS.value, seed=SEED.value,
        )  # fmt: skip
        frame = located.to_frame()
        if file:
            file.write(frame.to_csv(index=False, lineterminator="\n").encode())
    print(visible(located.summary()), end="\n\n")
    highest = frame.sort_values("z", ascending=False, kind="stable")[:SHOWN]
    lines = [("place", "z", "p", "family-wise p")]
    lines += [
        (visible(row.place), f"{row.z:.1f}", f"{row.p:.3f}", f"{row.p_family:.3f}")
        for row in highest.itertuples()
    ]
    print(aligned(lines))
    if len(frame) > SHOWN:
        print(f"... and {len(frame) - SHOWN} more" + ("" if OUT.value else ": --out=places.csv"))


@functools.cache
def named_statements():
    """Returns the statements that the flags name."""
    return personascan.load_statements(
        STATEMENTS.value, persona=PERSONA.value or None, min_confidence=MIN_CONFIDENCE.value,
        limit=LIMIT.value, positive=POSITIVE.value, columns=parse_columns(COLUMNS.value),
    )  # fmt: skip


def read_statements() -> None:
    """Reads statements that are needed, before what takes seconds to import."""
    if STATEMENTS.value and not LABELS.value and bool(ROWS.value) != bool(MODEL.value):
        named_statements()


def labelled_rows():
    """Returns the rows that the flags name. Raises InputError for flags that do not go together."""
    from personascan.commands import labelled

    asked = bool(ROWS.value), bool(LABELS.value), bool(STATEMENTS.value), bool(MODEL.value)
    path = pathlib.Path(ROWS.value)
    if asked == (True, False, False, False) and labelled.is_rows_folder(path):
        return labelled.rows_folder(path, PERSONA.value, SEED.value)
    if asked == (True, True, False, False):
        return labelled.by_labels(labelled.read_places(path), LABELS.value)
    if asked not in ((True, False, True, False), (False, False, True, True)):
        raise personascan.InputError(
            "give --statements and --model, --rows and --labels, --rows that extract wrote and "
            "--statements, or --rows alone, a folder that write_rows wrote; see --help"
        )
    statements = named_statements()
    if ROWS.value:
        activations = labelled.read_places(path)
        if not isinstance(activations, personascan.Activations):
            raise personascan.InputError(f"{path} has no ids of statements; give --labels instead")
    else:
        labelled.one_pool(labelled.grouped(statements), PERSONA.value, SEED.value)  # or is refused
        model = personascan.load_model(MODEL.value)
        activations = personascan.extract(
            model, statements, sites=SITES.value, layers=LAYERS.value or None,
            positions=POSITIONS.value,
        )  # fmt: skip
    return labelled.by_statements(activations, statements, PERSONA.value, SEED.value)


def start(argv: list[str] | None = None) -> None:
    """Runs the command with the arguments given, or those of the process."""
    run(main, argv, first=read_statements)
