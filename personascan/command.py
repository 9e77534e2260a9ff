"""Running a script: an error in the input is one clear line and a non-zero exit."""

import contextlib
import os
import sys

import jax
from absl import app, flags, logging

from personascan.errors import InputError
from personascan.models.embedded import cache_folder

USAGE_ERROR = 2


def run(main) -> None:
    """absl's app.run for `main(argv)`, with InputError as one line on standard error."""

    def guarded(argv) -> None:
        if len(argv) > 1:
            raise InputError(f"unexpected argument {argv[1]!r}; flags are written --name=value")
        if not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)
        main(argv)

    # One device a core, so that scans are spread over the cores of a machine without accelerator.
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        jax.config.update("jax_num_cpu_devices", os.cpu_count())
    keep_compilations()
    try:
        app.run(guarded, flags_parser=parse)
    except KeyboardInterrupt:
        sys.exit("interrupted: nothing was written")
    except (InputError, OSError) as error:  # a recipe that cannot be read is an OSError
        sys.exit(f"error: {one_line(error)}")


@contextlib.contextmanager
def needs_extra(extra: str):
    """Around an import: a package that is not there is one line that names the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed; pip install -e '.[{extra}]'") from error


def keep_compilations() -> None:
    """What XLA compiles is kept between runs; JAX_COMPILATION_CACHE_DIR names another place."""
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "compiled"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def parse(argv):
    """Parse flags; what a configuration file or an override raises becomes one line too."""
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        fail(error)
    except (AttributeError, KeyError, TypeError, ValueError, OSError, SyntaxError) as error:
        fail(error)


def fail(error: Exception) -> None:
    print(f"error: {one_line(error)}; see --help", file=sys.stderr)
    sys.exit(USAGE_ERROR)


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())
