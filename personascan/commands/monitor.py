"""Watch a conversation: where each turn of the model lies on what a study found.

For example: --study=out/demo --comparison=optimism --conversation=talk.json --out=talk.html
"""

from personascan.command import run  # first: a signal is answered from here on

from absl import flags

from personascan.visible import visible

STUDY = flags.DEFINE_string("study", None, "Folder of a finished study.", required=True)
COMPARISON = flags.DEFINE_string("comparison", None, "Whose direction.", required=True)
CONVERSATION = flags.DEFINE_string(
    "conversation", None, "A transcript (.json), messages (.jsonl), or the study's answers.csv.",
    required=True,
)  # fmt: skip
ID = flags.DEFINE_string("id", "", "Of the conversation, in a file of several.")
TURNS = flags.DEFINE_integer("turns", 0, "The first so many of the model; 0: all.", lower_bound=0)
OUT = flags.DEFINE_string("out", "", "A page (.html) to write, with .csv files beside it.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace these files if they are there.")
MODEL = flags.DEFINE_string("model", "", "Of a study of several.")
LEVEL = flags.DEFINE_integer("level", None, "Of a study of several.")
UNITS = flags.DEFINE_string("units", "", "Folder of the study's units, if it is another.")


def main(_) -> None:
    from personascan.report.watched import check_out, turn_lines, write_watched
    from personascan.study.watching import watch

    check_out(OUT.value, OVERWRITE.value)
    watched = watch(
        STUDY.value, COMPARISON.value, CONVERSATION.value, id_=ID.value, turns=TURNS.value,
        model=MODEL.value, level=LEVEL.value, units=UNITS.value,
    )  # fmt: skip
    print("\n".join(turn_lines(watched)))
    if OUT.value:
        written = write_watched(watched, OUT.value, overwrite=OVERWRITE.value)
        print(f"\n{', '.join(visible(path) for path in written)} are written.")


def start(argv: list[str] | None = None) -> None:
    """Runs the command with the arguments given, or those of the process."""
    run(main, argv, heavy=("jax", "personascan.report.watched", "transformers"))
