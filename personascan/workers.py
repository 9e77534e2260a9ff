"""Work in several processes, which end with their parent; one that is ended is one clear line."""

import functools
import os
import sys
import threading
import time
from concurrent.futures.process import BrokenProcessPool

import joblib
from tqdm import tqdm

from personascan.errors import InputError

WORKER_BYTES = 450 * 2**20  # what a worker imports and compiles


def in_processes(function, calls: list[tuple], processes: int, what: str, unit: str) -> list:
    """`function(*arguments)` for each of the calls, in their order, with a bar.

    Raises InputError where a worker was ended from outside.
    """
    work = [joblib.delayed(called)(os.getpid(), function, *arguments) for arguments in calls]
    done = joblib.Parallel(processes, return_as="generator")(work)
    try:
        return list(tqdm(done, desc=what, total=len(calls), unit=f" {unit}"))
    except BrokenProcessPool as error:
        raise InputError(
            f"one of the {processes} worker processes of {what} was ended from outside, most often "
            "since memory ran out; free some, or use fewer statements (limit)"
        ) from error


def called(parent: int, function, *arguments):
    """The call, in a process that ends with its parent."""
    if os.getpid() != parent:
        end_with(parent)
        use_one_thread()
    return function(*arguments)


@functools.cache
def end_with(parent: int) -> None:
    """End this worker once its parent is gone, however that ended."""

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@functools.cache
def use_one_thread() -> None:
    """XLA's share of this worker: the CPU, and one thread, since there is a worker for each core.

    Accelerators are the parent's: their memory would be taken by the first worker.
    """
    os.environ["NPROC"] = "1"  # XLA's name for it
    os.environ["JAX_PLATFORMS"] = "cpu"
    if "jax" in sys.modules:  # which has read its environment by now
        sys.modules["jax"].config.update("jax_platforms", "cpu")
