"""Make a study's page again from its stored results, or set studies side by side.

Neither the model nor the statements nor the units are needed, only the folder's report.json.gz.
"""

from personascan.command import run  # first: a signal is answered from here on

from absl import flags

import personascan
from personascan.visible import visible

FORMATS = ("html", "md", "pdf", "png")  # of `personascan.report.files`, which takes seconds
STUDY = flags.DEFINE_string("study", None, "The folder of a study (its --config.out).")
FORMAT = flags.DEFINE_enum("format", "html", FORMATS, "What to make.")
COMPARE = flags.DEFINE_list("compare", [], "Folders of studies to set side by side, with commas.")
TEXTS = flags.DEFINE_bool("texts", True, "Show what the rows say; --notexts: their ids.")
OUT = flags.DEFINE_string(
    "out", "", "Where to write; default: the study's folder, or compare.html."
)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace --out if it is there.")


def main(arguments) -> None:
    if COMPARE.value:
        folders = [*COMPARE.value, *arguments[1:]]
        out = OUT.value or "compare.html"
        written = personascan.compare_studies(folders, out, overwrite=OVERWRITE.value)
    elif arguments[1:]:
        raise personascan.InputError(
            f"unexpected argument {arguments[1]!r}; flags are written --name=value"
        )
    else:
        written = personascan.write_report(
            STUDY.value, FORMAT.value, OUT.value, TEXTS.value, overwrite=OVERWRITE.value
        )
    print(f"{visible(str(written))} is written.")


def start(argv: list[str] | None = None) -> None:
    """Runs the command with the arguments given, or those of the process."""
    run(main, argv, heavy=("personascan.report.files",), arguments=True)
