"""Processes that join through jax.distributed and act as one, for a model larger than a host."""

import atexit
import contextlib
import os
import re
import signal
import sys
import time

import jax

from personascan import fatal_reports
from personascan.errors import InputError

JOIN_SECONDS = 300
HEARTBEAT_SECONDS = 60
REPORT_SECONDS = 30  # from a missed heartbeat to the report of it, at most
FINISH_SECONDS = 7 * 24 * 3600  # finished processes wait for one that still writes
LOOPBACK = ("localhost", "127.")
STATUS = re.compile(r"(?!RESOURCE_EXHAUSTED)[A-Z_]+: ")  # how XLA's errors begin


def join(
    coordinator: str = "",
    processes: int | None = None,
    process: int | None = None,
    *,
    timeout: int = JOIN_SECONDS,
    heartbeat: int = HEARTBEAT_SECONDS,
) -> None:
    """Makes this process one of several, whose devices `jax.devices()` then lists together.

    Call it before anything else uses JAX, but after setting jax.config. From then on a lost process
    ends the others with one line on standard error and a status other than 0. The output of native
    code then goes through a second process, which writes that line.

    Args:
      coordinator: HOST:PORT of process 0, the same in all; "": JAX detects the cluster (SLURM,
        Open MPI, Cloud TPU, GKE), and neither number is needed. Anyone who reaches that port can
        take part, so the network must be trusted.
      processes: the number of processes.
      process: the number of this one, from 0.
      timeout: seconds in which all have to join.
      heartbeat: seconds without a sign of life after which a process counts as lost.

    Raises:
      InputError: numbers that do not fit, no cluster that JAX knows, JAX in use already. If not all
        processes join in time, JAX ends them, with one line.
    """
    check(coordinator, processes, process, timeout, heartbeat)
    if jax.distributed.is_initialized():
        raise InputError("this process has joined others already; join once, at the start")
    divert_native_output(coordinator or "the coordinator", timeout)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    with contextlib.suppress(AttributeError):  # its handler would replace ours for SIGTERM
        jax.config.update("jax_enable_preemption_service", False)
    explicit = dict(
        coordinator_address=coordinator, num_processes=processes, process_id=process,
        cluster_detection_method="deactivate",
    )  # fmt: skip
    if coordinator.startswith(LOOPBACK):
        explicit["coordinator_bind_address"] = coordinator
    try:
        jax.distributed.initialize(
            **explicit if coordinator else {},
            initialization_timeout=timeout,
            heartbeat_timeout_seconds=heartbeat,
            shutdown_timeout_seconds=FINISH_SECONDS,
        )
    except ValueError as error:
        raise InputError(
            "JAX detects no cluster (SLURM, Open MPI, Cloud TPU, GKE) here; give coordinator, "
            "processes and process"
        ) from error
    except RuntimeError as error:
        raise InputError(
            f"the processes cannot be joined ({error}); join before JAX is used, and give a port "
            "of process 0 that is free"
        ) from error
    os.write(2, f"{fatal_reports.JOINED} {jax.process_count()}\n".encode())


def check(coordinator: str, processes, process, timeout, heartbeat) -> None:
    """Raises InputError for arguments that JAX would refuse later, or never."""
    present = [bool(coordinator), processes is not None, process is not None]
    if any(present) and not all(present):
        raise InputError(
            "coordinator (HOST:PORT), processes and process belong together; give all, or none "
            "for JAX to detect the cluster"
        )
    if coordinator and not re.fullmatch(r".+:\d+", coordinator):
        raise InputError(f"coordinator {coordinator!r} is not of the form HOST:PORT")
    if coordinator and not 0 <= process < processes:
        raise InputError(
            f"process {process} of {processes}: they are numbered from 0 to processes - 1"
        )
    for name, seconds in (("timeout", timeout), ("heartbeat", heartbeat)):
        if seconds < 1:
            raise InputError(f"{name} = {seconds}; use at least 1 second")


def divert_native_output(coordinator: str, timeout: int) -> None:
    """Sends the output of native code to a `fatal_reports` process; that of Python stays."""
    with contextlib.suppress(ImportError):
        import resource

        # JAX aborts a process to end it, which must not dump the memory of a large model.
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    outlet, inlet = os.pipe()
    code = os.path.abspath(fatal_reports.__file__)
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", code, coordinator, str(timeout)],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, outlet, 0), (os.POSIX_SPAWN_CLOSE, inlet)],
        setsigmask=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
    )
    os.close(outlet)
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        stream.flush()
        copy = open(  # noqa: SIM115
            os.dup(number), "w", encoding=stream.encoding, errors=stream.errors,
            buffering=1, closefd=False,
        )  # fmt: skip
        setattr(sys, name, copy)
        os.dup2(inlet, number)
    os.close(inlet)


def is_first() -> bool:
    """Tells whether this process is the one that writes: process 0, or the only one."""
    return not jax.distributed.is_initialized() or jax.process_index() == 0


@contextlib.contextmanager
def end_all_on_error(heartbeat: int = HEARTBEAT_SECONDS):
    """Wraps the work of a process that has joined others: an error here ends them as well.

    Without it the process would wait at its end for others that wait for it. If a connection breaks
    it waits for JAX's report, which names the lost process. Raises InputError if none comes.
    """
    if not jax.distributed.is_initialized():
        yield
        return
    try:
        yield
    except BaseException as error:
        atexit.register(end_at_once)
        if isinstance(error, InputError) or not STATUS.match(str(error)):
            raise
        time.sleep(heartbeat + REPORT_SECONDS)
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"the connection to another process broke ({reason}); {fatal_reports.AGAIN}"
        ) from error


def end_at_once() -> None:
    """Ends the process without the end of jax.distributed, which would wait for the others."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
