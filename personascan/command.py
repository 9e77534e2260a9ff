"""Running a script: what is wrong with the input is one clear line, and so is an interrupt.

Scripts import this before anything else: from then on a signal ends them in one line, with nothing
left behind. That is why everything heavy is imported inside functions here.
"""

import contextlib
import importlib
import os
import pathlib
import signal
import sys

from personascan.errors import InputError, silence_interrupts_in_callbacks
from personascan.reading import refuse_special
from personascan.visible import visible

USAGE_ERROR = 2
SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
ENDED = "interrupted: nothing was written"
AGAIN_SECONDS = 2  # an interrupt that some library swallows is raised again after this long
# What a run will need, imported while a signal can still end the process at once.
HEAVY = ("jax", "personascan.studies", "transformers")


class Interrupted(KeyboardInterrupt):
    """A signal that ends the program; holds its number."""


def end_at_once(number, _frame) -> None:
    """While modules are imported: some swallow an exception, and nothing is there to clean up."""
    os.write(2, f"{ENDED}\n".encode())
    os._exit(128 + number)


def unwind(number, _frame) -> None:
    """While a script works: up through everything that has something to clean up."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, lambda *_: unwind(number, None))
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    raise Interrupted(number)


def on_signals(handler) -> None:
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, handler)


def run(main, interrupted: str = ENDED, heavy=HEAVY, arguments: bool = False) -> None:
    """absl's app.run for `main(argv)`, with InputError as one line on standard error.

    interrupted: what an interrupt says once the work has begun; heavy: the modules that a run will
    need; arguments: whether there may be others than flags.
    """
    from absl import app, flags, logging

    def guarded(argv) -> None:
        if len(argv) > 1 and not arguments:
            raise InputError(f"unexpected argument {argv[1]!r}; flags are written --name=value")
        if not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)
        prepare(heavy)
        on_signals(unwind)
        silence_interrupts_in_callbacks()
        with several_processes(flags.FLAGS):
            main(argv)

    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows its code.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")
    try:
        app.run(guarded, flags_parser=parse)
    except KeyboardInterrupt as error:
        on_signals(signal.SIG_IGN)
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        number = error.args[0] if isinstance(error, Interrupted) else signal.SIGINT
        print(interrupted, file=sys.stderr)
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        # Everything is cleaned up; the usual end would crash where a device is still computing.
        os._exit(128 + number)
    except BrokenPipeError:
        # Whoever read the output has gone: nothing is left to be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (InputError, OSError) as error:  # a recipe that cannot be read is an OSError
        sys.exit(f"error: {one_line(error)}")
    except MemoryError as error:
        sys.exit(f"error: memory ran out ({one_line(error) or 'no more is free'}); {LESS}")
    except Exception as error:
        if not is_exhausted(error):
            raise
        sys.exit(f"error: memory ran out ({one_line(error)[:160]}); {LESS}")


LEAST_ADDRESSES = 3 * 2**30  # what jax reserves, with little that it uses
LESS = "use smaller batch_tokens for a model, or fewer runs, starts or rows for a scan"


def is_exhausted(error: Exception) -> bool:
    """Whether XLA, or the system for another thread, found no memory."""
    return "RESOURCE_EXHAUSTED" in str(error) or "can't start new thread" in str(error)


def refuse_narrow() -> None:
    """Refuse a limit of addresses under which threads and compilations crash instead of failing."""
    with contextlib.suppress(ImportError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY and limit < LEAST_ADDRESSES:
            raise InputError(
                f"this process may use {limit / 2**30:.1f} GiB of addresses (ulimit -v), and needs "
                f"at least {LEAST_ADDRESSES / 2**30:.0f} GiB; raise the limit"
            )


def prepare(heavy) -> None:
    """Import what takes long, one device a core, and keep what is compiled."""
    refuse_narrow()
    for module in heavy:
        importlib.import_module(module)
    import jax

    from personascan.compilations import keep_compilations

    # So that scans are spread over the cores of a machine without accelerator.
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        jax.config.update("jax_num_cpu_devices", os.cpu_count())
    keep_compilations()


def define_processes() -> None:
    """Flags of a script that several processes may run together; `run` joins them."""
    from absl import flags

    flags.DEFINE_bool("distributed", False, "Join the processes of the cluster that JAX detects.")
    flags.DEFINE_string("coordinator", "", "HOST:PORT of process 0, without such a cluster.")
    flags.DEFINE_integer("processes", None, "How many processes there are.", lower_bound=1)
    flags.DEFINE_integer("process", None, "The number of this one, from 0.", lower_bound=0)
    flags.DEFINE_integer("join_seconds", 300, "In which all have to join.", lower_bound=1)
    flags.DEFINE_integer(
        "heartbeat_seconds", 60, "Without a sign of life a process is lost.", lower_bound=1
    )


@contextlib.contextmanager
def several_processes(given):
    """Join others where the flags of `define_processes` ask for it, and end with them."""
    if "distributed" not in given:
        yield
        return
    numbers = given.coordinator, given.processes, given.process
    if not given.distributed and not any((numbers[0], *(n is not None for n in numbers[1:]))):
        yield
        return
    from personascan.processes import end_all_on_error, join

    join(*numbers, timeout=given.join_seconds, heartbeat=given.heartbeat_seconds)
    with end_all_on_error(given.heartbeat_seconds):
        yield


@contextlib.contextmanager
def needs_extra(extra: str):
    """Wraps an import: a package that is missing becomes one line that names the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed; pip install -e '.[{extra}]'") from error


def parse(argv):
    """Parse flags; what a configuration file or an override raises becomes one line too."""
    from absl import flags

    try:
        for argument in argv:
            if argument.startswith("--config="):
                refuse_special(pathlib.Path(argument.removeprefix("--config=")))
        return flags.FLAGS(argv)
    except SystemExit:
        sys.exit(0)  # help was asked for, and given
    except BrokenPipeError:
        raise
    except flags.Error as error:
        fail(error)
    except (
        AttributeError, KeyError, TypeError, ValueError, OSError, SyntaxError, RecursionError,
    ) as error:  # fmt: skip
        fail(error)


def fail(error: Exception) -> None:
    print(f"error: {one_line(error)}; see --help", file=sys.stderr)
    sys.exit(USAGE_ERROR)


def one_line(error: Exception) -> str:
    return visible(" ".join(str(error).split()))


on_signals(end_at_once)
