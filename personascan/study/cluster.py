"""A Dask cluster whose workers do the units; they must have the versions of this process."""

import contextlib
import sys

import joblib

from personascan.errors import InputError
from personascan.versions import in_same_versions, installed_versions, refuse_other_versions
from personascan.visible import visible
from personascan.workers import in_processes

CONNECT_SECONDS = 10


@contextlib.contextmanager
def cluster(scheduler: str):
    """Connects to a Dask cluster for the block inside, if one is named.

    Raises InputError if none answers, or if a worker has other versions.
    """
    if not scheduler:
        yield
        return
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is not installed, which a scheduler needs; pip install "
            "'personascan[cluster]'"
        ) from error
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"no Dask scheduler answers at {scheduler} ({error}); start one, or leave scheduler out"
        ) from error
    with client:
        check_workers(client.run(installed_versions, on_error="return"))
        yield


def check_workers(installed: dict) -> None:
    """Raises InputError for workers of other versions; names those with other files of the package.

    installed: {address: its `Installed`, or the exception in its place}. A worker that joins later
    is asked with each of its units.
    """
    own = installed_versions()
    for address, theirs in installed.items():
        who = f"the worker at {visible(address)}"
        if isinstance(theirs, BaseException):
            raise InputError(
                f"{who} runs another version of personascan ({type(theirs).__name__}: {theirs}); "
                "install the same version everywhere"
            )
        refuse_other_versions(who, theirs.versions, own.versions)
        if theirs.code != own.code:
            print(
                f"note: {who} has the same version of personascan and other files of it; its "
                "results may differ from those made here",
                file=sys.stderr,
            )


def by_cluster(function, calls: list[tuple], what: str, unit: str, kinds=()) -> None:
    """Does `function(*call)` of every call by the workers of the connected cluster."""
    wanted = installed_versions().versions
    with joblib.parallel_config(backend=workers_backend()):
        asked = [(wanted, function, *call) for call in calls]
        in_processes(in_same_versions, asked, 0, what, unit, kinds)


def workers_backend():
    """Returns joblib's backend of a cluster, for which a single thread is a worker as well.

    With one thread in all, joblib would do everything in this process instead.
    """
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):
        def effective_n_jobs(self, n_jobs):
            return max(2, super().effective_n_jobs(n_jobs))

    return Backend()
