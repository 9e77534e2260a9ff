"""Work in several processes, which end with their parent; a lost one raises one clear error."""

import contextlib
import functools
import os
import signal
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker

import joblib

from personascan import bars
from personascan.bars import Bar
from personascan.errors import InputError, silence_interrupts_in_callbacks

TRACKERS = ("multiprocessing.resource_tracker", "joblib.externals.loky.backend.resource_tracker")
WORKER_BYTES = 450 * 2**20  # of the modules and compilations of a worker


def in_processes(
    function, calls: list[tuple], processes: int, title: str, unit: str, kinds: list[str] = ()
) -> list:
    """Returns `function(*arguments)` of every call, in order, with a bar of finished ones.

    0 processes: those of the joblib backend that is set, such as a Dask cluster's workers. kinds:
    what takes a like time, for each call; (): all of them. Raises InputError if a worker was ended
    from outside.
    """
    compiled = None
    with contextlib.suppress(ImportError):
        import jax

        compiled = jax.config.jax_compilation_cache_dir
    parent = os.getpid() if processes else 0
    work = (
        joblib.delayed(call_in_worker)(number, parent, compiled, function, *call)
        for number, call in enumerate(calls)
    )
    with quiet_trackers(), ignore_interrupts() if processes else contextlib.nullcontext():
        # Results come as calls end, so that one that fails ends the rest at once.
        done = joblib.Parallel(processes or -1, return_as="generator_unordered")(work)
    kinds, results = kinds or [title] * len(calls), {}
    try:
        with Bar(title, unit, kinds, processes or joblib.effective_n_jobs(-1)) as bar:
            for number, seconds, results[number] in done:
                bar.finish(kinds[number], seconds)
        return [results[number] for number in range(len(calls))]
    except BrokenProcessPool as error:
        raise InputError(
            f"one of the {processes} worker processes of {title} was ended from outside, most "
            "often because memory ran out; free some, use fewer jobs, or fewer statements (limit)"
        ) from error


@contextlib.contextmanager
def quiet_trackers():
    """Lets trackers of shared resources that are started inside clean up without a warning.

    They outlive an interrupted run, and would print after its line.
    """
    known = os.environ.get("PYTHONWARNINGS")
    quiet = ",".join(f"ignore::UserWarning:{module}" for module in TRACKERS)
    os.environ["PYTHONWARNINGS"] = f"{known},{quiet}" if known else quiet
    try:
        yield
    finally:
        del os.environ["PYTHONWARNINGS"]
        if known:
            os.environ["PYTHONWARNINGS"] = known


@contextlib.contextmanager
def ignore_interrupts():
    """Processes that are started inside never see an interrupt: a terminal sends it to all.

    Their parent alone answers it, and they end with that. Here it waits until the block ends.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    with quiet_trackers():
        resource_tracker.ensure_running()  # its start would let interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def call_in_worker(number: int, parent: int, compiled: str | None, function, *arguments) -> tuple:
    """Returns (number, seconds, result of the call); its process ends with its parent."""
    if parent and os.getpid() != parent:
        end_with(parent)
        silence_interrupts_in_callbacks()
        limit_to_one_core(compiled)
    began = time.perf_counter()
    result = function(*arguments)
    return number, time.perf_counter() - began, result


@functools.cache
def end_with(parent: int) -> None:
    """Ends this worker once its parent has ended in any way."""

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@functools.cache
def limit_to_one_core(compiled: str | None) -> None:
    """Limits a worker to one device and one thread of XLA, and shares its parent's compilations."""
    bars.shown = False
    os.environ["NPROC"] = "1"  # XLA's name for the number of its threads
    with contextlib.suppress(ImportError, RuntimeError):  # a backend that has started stays
        import jax

        jax.config.update("jax_num_cpu_devices", 1)
        if compiled:
            from personascan.compilations import keep_in

            keep_in(compiled)
    with contextlib.suppress(ImportError):
        from joblib.externals.loky import process_executor

        # Compilations grow a process past what loky takes for a leak, for which it replaces it.
        process_executor._MAX_MEMORY_LEAK_SIZE = float("inf")
