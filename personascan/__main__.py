"""The command `personascan`, also as `python -m personascan`: runs the command that is named."""

from personascan.command import USAGE_ERROR, one_line  # first: a signal is answered from here on

import importlib
import sys

from personascan.command_help import ASKED
from personascan.commands import COMMANDS

USAGE = "usage: personascan COMMAND --flag=value ..."


def main() -> None:
    """Runs the command that the first argument names, with the arguments behind it."""
    name, *rest = sys.argv[1:] or [""]
    if name == "help":  # as `personascan help study`
        name, rest = (rest[0], ["--help"]) if rest else ("--help", [])
    if name in ASKED:
        print(overview())
    elif name == "--version":
        from personascan import __version__

        print(f"personascan {__version__}")
    elif not name:
        print(overview(), file=sys.stderr)
        sys.exit(USAGE_ERROR)
    elif name not in COMMANDS:
        print(f"error: {one_line(unknown(name))}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    else:
        command = importlib.import_module(f"personascan.commands.{name}")
        command.start([f"personascan {name}", *rest])


def overview() -> str:
    """Returns the help of the program: its commands, a line for each."""
    width = max(map(len, COMMANDS)) + 3
    return "\n".join(
        [
            USAGE,
            "",
            "Find where and how a language model encodes a persona.",
            "",
            *(f"  {name:{width}s}{about}" for name, about in COMMANDS.items()),
            "",
            "personascan COMMAND --help names a command's flags; personascan --version.",
        ]
    )


def unknown(name: str) -> str:
    """Returns what to say of a name that is no command."""
    import difflib

    known = f"the commands are {', '.join(COMMANDS)}"
    if name.startswith("-"):
        return f"{name} stands where a command is named; {known}"
    close = difflib.get_close_matches(name, COMMANDS, 1)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"there is no command {name!r}; {meant}{known}"


if __name__ == "__main__":
    main()
