"""Files and folders that appear whole, one writer at a time.

A file or folder is written under the name `.NAME.personascan-XXXXXXXX` next to its path, while
`.NAME.personascan-lock` is held. What a killed process leaves of either is removed by the next
writer in that folder, which also puts back a folder that was about to be replaced (`placing.py`).
"""

import contextlib
import errno
import os
import pathlib
import re
import sys
import tempfile
from collections.abc import Iterator

from personascan.errors import InputError
from personascan.hashes import seal
from personascan.placing import (
    EARLIER,
    MOVING,
    put_back,
    put_folder,
    remove,
    sibling,
    unfinished_files,
)

PARTIAL = re.compile(rf"\.(?P<name>.+)\.personascan-(?P<mark>[0-9a-f]{{8}}|{EARLIER})")
ELSEWHERE = "choose another path"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


@contextlib.contextmanager
def hold(path: pathlib.Path, wait: bool = False) -> Iterator[None]:
    """Holds the lock of a path, which ends with the process.

    Raises InputError if another process holds it, unless it is to wait.
    """
    from filelock import Timeout

    lock = lock_of(path)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout as error:
        raise InputError(
            f"{path} is being written by another process; wait for it or choose another path"
        ) from error
    except NotImplementedError:
        print(f"note: the disk of {path} knows no locks; let one process write it", file=sys.stderr)
    try:
        yield
    finally:
        if lock.lock_counter == 1:
            with contextlib.suppress(OSError):
                pathlib.Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def lock_of(path: pathlib.Path):
    """Returns the lock of a path: one for each thread, which may hold it several times."""
    from filelock import FileLock

    return FileLock(
        str(path.with_name(f".{path.name}.personascan-lock")), timeout=0, is_singleton=True
    )


def sweep(folder: pathlib.Path) -> None:
    """Removes what killed processes left in a folder, but nothing that is still being written."""
    for path in list(folder.iterdir()):
        match = PARTIAL.fullmatch(path.name)
        if not match or lock_of(folder / match["name"]).is_locked:  # this thread is writing it
            continue
        with contextlib.suppress(InputError, OSError), hold(folder / match["name"]):
            if match["mark"] == EARLIER:
                put_back(folder / match["name"])
            else:
                remove(path)


def restore(path: pathlib.Path) -> None:
    """Puts a folder back that a killed writer was about to replace, unless it is being written."""
    if not path.exists() and sibling(path, EARLIER).is_dir():
        with contextlib.suppress(InputError, OSError), hold(path):
            put_back(path)


@contextlib.contextmanager
def partial_of(
    path: pathlib.Path, *, folder: bool, wait: bool = False, advice: str = ELSEWHERE
) -> Iterator[pathlib.Path]:
    """Yields an empty file or folder next to `path` to write; it is gone when the block ends.

    The path is held. Raises InputError at once if it cannot be written, and if the disk fills up
    meanwhile.
    """
    new_parents = missing_parents(path)
    with contextlib.ExitStack() as stack:
        stack.callback(remove_empty, new_parents)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep(path.parent)
            stack.enter_context(hold(path, wait))
            partial = new_partial(path, folder)
        except (OSError, ValueError) as error:
            raise write_error(path, error, advice) from error
        stack.callback(remove, partial)
        try:
            yield partial
        except OSError as error:
            if error.errno in FULL:
                raise write_error(path, error, advice) from error
            raise


def write_error(path, error: Exception, advice: str = ELSEWHERE) -> InputError:
    """Returns the InputError for a path that cannot be written; an InputError is passed on."""
    if isinstance(error, InputError):
        return error
    reason = getattr(error, "strerror", None) or error
    return InputError(f"{path} cannot be written ({reason}); {advice}")


def new_partial(path: pathlib.Path, folder: bool) -> pathlib.Path:
    """Makes the partial file or folder, under a name of its own, with the user's permissions."""
    partial = sibling(path)
    if folder:
        partial.mkdir()
    else:
        partial.touch(exist_ok=False)
    if path.is_dir():
        with tempfile.TemporaryFile(dir=path):
            pass  # the folder can be written, whatever disk it is on
    return partial


def missing_parents(path: pathlib.Path) -> list[pathlib.Path]:
    """Returns the parents that do not exist yet, the innermost first."""
    with contextlib.suppress(OSError, ValueError):
        return [parent for parent in path.parents if not parent.exists()]
    return []


def real_path(path) -> pathlib.Path:
    """Returns a path with links followed. Raises InputError if it is no name of a file."""
    try:
        real = pathlib.Path(os.path.realpath(pathlib.Path(path).expanduser()))
        real.exists()
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path!r} is no path of a file ({error}); choose another") from error
    if not real.name:
        raise InputError(f"{path!r} is no path of a file; choose another")
    return real


def remove_empty(folders: list[pathlib.Path]) -> None:
    """Removes those of the folders that are empty."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def whole_file(path, *, overwrite: bool = False):
    """Yields a binary file to write, which is put at `path` only if the block ends well.

    Open it before the work whose result it takes: the path is tried and held from then on. Raises
    InputError if it cannot be written, is being written by another process, or, unless `overwrite`,
    exists already.
    """
    real = real_path(path)
    if real.exists() and not real.is_file():
        raise InputError(f"{path} cannot be written (it is not a file); choose another path")
    if real.exists() and not overwrite:
        raise InputError(
            f"{path} exists already; choose another path, or overwrite it (overwrite=True, "
            "--overwrite)"
        )
    with partial_of(real, folder=False) as partial:
        with partial.open("wb") as file:
            yield file
        os.replace(partial, real)


@contextlib.contextmanager
def whole_folder(out):
    """Yields a folder to fill, which is sealed and put at `out` if the block ends well.

    Raises InputError if `out` holds anything, cannot be written, or is being written by another
    process.
    """
    path = new_path(out)
    with partial_of(path, folder=True) as partial:
        yield partial
        seal(partial)
        put_folder(partial, path)


@contextlib.contextmanager
def hold_folder(out):
    """Tries and holds a path that `whole_folder` fills later in the block; errors as there."""
    with partial_of(new_path(out), folder=True) as trial:
        trial.rmdir()
        yield


def new_path(out) -> pathlib.Path:
    """Returns the path of a folder. Raises InputError if it holds anything."""
    path = real_path(out)
    if path.exists() and not is_free(path):
        raise InputError(f"{out} exists already; choose another path or delete it")
    return path


def is_free(path: pathlib.Path) -> bool:
    """Tells whether a path is a folder that holds nothing but the files of a killed writer."""
    if not path.is_dir():
        return False
    known = {MOVING, *(name.split("/")[0] for name in unfinished_files(path))}
    return all(p.name in known or PARTIAL.fullmatch(p.name) for p in path.iterdir())


def reserve(path: pathlib.Path) -> None:
    """Reserves room on the disk for all of a file that is written through memory.

    Without it a full disk would kill the writer. Raises OSError if there is no room.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
