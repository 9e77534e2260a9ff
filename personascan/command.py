"""How a script is run: a fault of the input or an interrupt ends it with one clear line.

Scripts import this before anything else: from then on a signal ends them in one line, with nothing
left behind. So everything that takes long to import is imported inside functions here.
"""

import contextlib
import importlib
import logging
import os
import pathlib
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from personascan.command_help import asks_for_help, command_help
from personascan.errors import InputError, silence_interrupts_in_callbacks
from personascan.visible import visible

USAGE_ERROR = 2
# Transformers would head what commands print with the advice to install torch.
os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
ENDED = "interrupted: nothing was written"
GIVE_UP_SECONDS = 30  # after which a run that does not unwind is ended as it is
AGAIN_SECONDS = 2  # an interrupt that some library swallows is raised again after so long
# Modules that a run needs, imported while a signal can still end the process at once.
HEAVY = ("jax", "personascan.studies", "transformers")


STUDY_LOG = logging.getLogger("personascan.study")
ending: list[threading.Timer] = []  # once a signal has come
last_words = [ENDED]


class Interrupted(KeyboardInterrupt):
    """A signal that ends the program; holds its number."""


def end_at_once(number, _frame) -> None:
    """Ends the process during imports: some swallow exceptions, and nothing needs cleaning up."""
    os.write(2, f"{ENDED}\n".encode())
    os._exit(128 + number)


def unwind(number, _frame) -> None:
    """Raises Interrupted while a script works, so that everything can clean up."""
    if not ending:
        timer = threading.Timer(GIVE_UP_SECONDS, give_up, (number,))
        timer.daemon = True
        ending.append(timer)
        timer.start()
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, lambda *_: unwind(number, None))
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
    raise Interrupted(number)


def give_up(number: int) -> None:
    """Ends a run that is stuck in a library; what is finished is on disk, whole."""
    note = threading.Thread(target=STUDY_LOG.info, args=("ended: interrupted, and stuck",))
    note.daemon = True
    note.start()
    note.join(2)  # the library may hold the log
    os.write(2, f"{last_words[0]}\n".encode())
    os._exit(128 + number)


def on_signals(handler) -> None:
    """Sets the handler of every signal of SIGNALS that is not ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, handler)


def invocation() -> str:
    """Returns the command that started this program, as a shell takes it."""
    program = pathlib.Path(sys.argv[0])
    if program.name == "__main__.py":
        words = [sys.executable, "-m", "personascan"]
    elif program.suffix == ".py":
        words = [sys.executable, sys.argv[0]]
    else:  # the name alone where a shell finds this very program by it
        found = shutil.which(program.name)
        same = found is not None and pathlib.Path(found).resolve() == program.resolve()
        words = [program.name if same else sys.argv[0]]
    return shlex.join([*words, *sys.argv[1:]])


def run(
    main,
    argv: list[str] | None = None,
    interrupted: str = ENDED,
    heavy=HEAVY,
    arguments: bool = False,
    first: Callable[[], Any] | None = None,
) -> None:
    """Runs `main(argv)` by absl's app.run, with InputError as one line on standard error.

    argv: the program's name and the arguments; None: those of the process. interrupted: the line
    for an interrupt once the work has begun. heavy: modules that a run needs. arguments: whether
    there may be arguments that are no flags. first: called before the heavy modules are imported,
    for what can be refused at once.
    """
    from absl import app, flags, logging

    def guarded(argv) -> None:
        if len(argv) > 1 and not arguments:
            raise InputError(f"unexpected argument {argv[1]!r}; flags are written --name=value")
        if not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)
        if first is not None:
            first()
        prepare(heavy)
        last_words[0] = interrupted
        on_signals(unwind)
        silence_interrupts_in_callbacks()
        with several_processes(flags.FLAGS):
            main(argv)

    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows its code.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")
    argv = list(sys.argv if argv is None else argv)
    try:
        if main.__module__ != "__main__" and asks_for_help(argv):
            about = sys.modules[main.__module__].__doc__
            print(command_help(main.__module__, about, argv[0]), flush=True)
            return
        app.run(guarded, argv=argv, flags_parser=parse)
    except KeyboardInterrupt as error:
        on_signals(signal.SIG_IGN)
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        number = error.args[0] if isinstance(error, Interrupted) else signal.SIGINT
        print(interrupted, file=sys.stderr)
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        # Everything is cleaned up; a normal exit would crash while a device is still computing.
        os._exit(128 + number)
    except BrokenPipeError:
        # The reader of the output has gone, so that nobody would read an error.
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


LEAST_ADDRESSES = 3 * 2**30  # bytes that JAX reserves, most of them unused
LESS = "use smaller batch_tokens for a model, or fewer runs, starts or rows for a scan"


def is_exhausted(error: Exception) -> bool:
    """Tells whether XLA, or the system for another thread, had no memory left."""
    return "RESOURCE_EXHAUSTED" in str(error) or "can't start new thread" in str(error)


def refuse_narrow() -> None:
    """Raises InputError for a limit of addresses at which threads and compilations would crash."""
    with contextlib.suppress(ImportError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY and limit < LEAST_ADDRESSES:
            raise InputError(
                f"this process may use {limit / 2**30:.1f} GiB of addresses (ulimit -v), and needs "
                f"at least {LEAST_ADDRESSES / 2**30:.0f} GiB; raise the limit"
            )


def prepare(heavy) -> None:
    """Imports the heavy modules, sets one device a core, and turns on the cache of compilations."""
    refuse_narrow()
    for module in heavy:
        importlib.import_module(module)
    import jax

    from personascan import bars
    from personascan.compilations import keep_compilations

    # So that scans are spread over the cores of a machine without accelerator.
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        jax.config.update("jax_num_cpu_devices", os.cpu_count())
    keep_compilations()
    bars.shown = False  # scripts have bars of their own


def define_processes() -> None:
    """Defines the flags of a script that several processes may run together; `run` joins them."""
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
def several_processes(values):
    """Joins other processes if the flags of `define_processes` say so, and ends with them."""
    if "distributed" not in values:
        yield
        return
    numbers = values.coordinator, values.processes, values.process
    if not values.distributed and not any((numbers[0], *(n is not None for n in numbers[1:]))):
        yield
        return
    from personascan.processes import end_all_on_error, join

    join(*numbers, timeout=values.join_seconds, heartbeat=values.heartbeat_seconds)
    with end_all_on_error(values.heartbeat_seconds):
        yield


@contextlib.contextmanager
def needs_extra(extra: str):
    """Wraps an import: raises InputError, which names the extra, if a package is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed; pip install 'personascan[{extra}]'"
        ) from error


def parse(argv):
    """Parses flags; an error of a configuration file or an override becomes one line too."""
    from absl import flags

    from personascan.reading import refuse_special

    try:
        for argument in argv:
            if argument.startswith("--config="):
                refuse_special(pathlib.Path(argument.removeprefix("--config=")))
        return flags.FLAGS(argv)
    except SystemExit:
        sys.exit(0)  # help was asked for and printed
    except BrokenPipeError:
        raise
    except flags.UnrecognizedFlagError as error:
        fail(field_advice(error.flagname) or error)
    except flags.Error as error:
        fail(error)
    except (
        AttributeError, KeyError, TypeError, ValueError, OSError, SyntaxError, RecursionError,
    ) as error:  # fmt: skip
        fail(error)


def field_advice(flag: str) -> str:
    """Returns how an unknown flag is written that is a field of the recipe; "" for any other."""
    import dataclasses

    from absl import flags

    if "config" not in flags.FLAGS:
        return ""
    from personascan.study.config import StudyConfig

    fields = {field.name for field in dataclasses.fields(StudyConfig)}
    if flag.partition(".")[0] not in fields:
        return ""
    return f"the flag --{flag} is unknown; it is a field of the recipe: --config.{flag}=..."


def fail(error: Exception | str) -> None:
    """Ends the process with an error of usage."""
    text = one_line(error)
    field = text.strip("\"'")
    if isinstance(error, AttributeError | KeyError) and field.isidentifier():  # of a ConfigDict
        text = (
            f"the recipe has no {field!r}; --config.x=... changes only fields that it has "
            "(personascan.recipe gives a recipe every field)"
        )
    print(f"error: {text}; see --help", file=sys.stderr)
    sys.exit(USAGE_ERROR)


def one_line(error: Exception | str) -> str:
    """Returns the message of an error as one visible line."""
    return visible(" ".join(str(error).split()))


on_signals(end_at_once)
