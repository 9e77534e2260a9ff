"""Running a script: an error in the input is one clear line and a non-zero exit."""

import sys

from absl import app, flags, logging

from personascan.errors import InputError

USAGE_ERROR = 2


def run(main) -> None:
    """absl's app.run for `main(argv)`, with InputError as one line on standard error."""

    def guarded(argv) -> None:
        if len(argv) > 1:
            raise InputError(f"unexpected argument {argv[1]!r}; flags are written --name=value")
        if not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)
        main(argv)

    try:
        app.run(guarded, flags_parser=parse)
    except InputError as error:
        sys.exit(f"error: {error}")


def parse(argv):
    """Parse flags; what a configuration file or an override raises becomes one line too."""
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        fail(error)
    except (AttributeError, KeyError, TypeError, ValueError, OSError, SyntaxError) as error:
        fail(error)


def fail(error: Exception) -> None:
    message = " ".join(str(error).split())
    print(f"error: {message}; see --help", file=sys.stderr)
    sys.exit(USAGE_ERROR)
