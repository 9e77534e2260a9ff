"""Files and folders that appear whole, one writer at a time.

What is being written lies beside its path as `.NAME.personascan-XXXXXXXX`, and meanwhile
`.NAME.personascan-lock` is held; what a killed process leaves of either is removed by the next
writer in that folder, which also puts back what was about to be replaced (`placing`).
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
from personascan.placing import EARLIER, MOVING, beside, put_back, put_folder, remove, unfinished

PARTIAL = re.compile(rf"\.(?P<name>.+)\.personascan-(?P<mark>[0-9a-f]{{8}}|{EARLIER})")
ELSEWHERE = "choose another path"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


@contextlib.contextmanager
def held(path: pathlib.Path, wait: bool = False) -> Iterator[None]:
    """The lock of a path, which ends with its holder. Raises InputError where another has it."""
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
    """The lock of a path: one for each thread, which may hold it several times."""
    from filelock import FileLock

    return FileLock(
        str(path.with_name(f".{path.name}.personascan-lock")), timeout=0, is_singleton=True
    )


def sweep(folder: pathlib.Path) -> None:
    """Remove what killed processes left in a folder; what somebody still writes is let be."""
    for found in list(folder.iterdir()):
        named = PARTIAL.fullmatch(found.name)
        if not named or lock_of(folder / named["name"]).is_locked:  # this thread is writing it
            continue
        with contextlib.suppress(InputError, OSError), held(folder / named["name"]):
            if named["mark"] == EARLIER:
                put_back(folder / named["name"])
            else:
                remove(found)


def restore(path: pathlib.Path) -> None:
    """Put a folder back that a killed writer was about to replace, if nobody writes it now."""
    if not path.exists() and beside(path, EARLIER).is_dir():
        with contextlib.suppress(InputError, OSError), held(path):
            put_back(path)


@contextlib.contextmanager
def partial_of(
    path: pathlib.Path, *, folder: bool, wait: bool = False, advice: str = ELSEWHERE
) -> Iterator[pathlib.Path]:
    """An empty file or folder beside `path` to write, held, and gone when the block ends.

    Raises InputError before anything is done where the path cannot be written, and for a disk that
    fills up meanwhile.
    """
    made = missing_parents(path)
    with contextlib.ExitStack() as stack:
        stack.callback(remove_empty, made)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep(path.parent)
            stack.enter_context(held(path, wait))
            partial = new_partial(path, folder)
        except (OSError, ValueError) as error:
            raise unwritable(path, error, advice) from error
        stack.callback(remove, partial)
        try:
            yield partial
        except OSError as error:
            if error.errno in FULL:
                raise unwritable(path, error, advice) from error
            raise


def unwritable(path, error: Exception, advice: str = ELSEWHERE) -> InputError:
    """Returns the InputError for a path that cannot be written; an InputError is passed on."""
    if isinstance(error, InputError):
        return error
    reason = getattr(error, "strerror", None) or error
    return InputError(f"{path} cannot be written ({reason}); {advice}")


def new_partial(path: pathlib.Path, folder: bool) -> pathlib.Path:
    """Makes the partial file or folder, under a name of its own, with the user's permissions."""
    partial = beside(path)
    if folder:
        partial.mkdir()
    else:
        partial.touch(exist_ok=False)
    if path.is_dir():
        with tempfile.TemporaryFile(dir=path):
            pass  # it can be written, on whatever disk it is
    return partial


def missing_parents(path: pathlib.Path) -> list[pathlib.Path]:
    """Returns the parents that do not exist yet, the innermost first."""
    with contextlib.suppress(OSError, ValueError):
        return [parent for parent in path.parents if not parent.exists()]
    return []


def real_path(path) -> pathlib.Path:
    """Where a path leads, links followed. Raises InputError for what is no name of a file."""
    try:
        real = pathlib.Path(os.path.realpath(pathlib.Path(path).expanduser()))
        real.exists()
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path!r} is no path of a file ({error}); choose another") from error
    if not real.name:
        raise InputError(f"{path!r} is no path of a file; choose another")
    return real


def remove_empty(folders: list[pathlib.Path]) -> None:
    """Folders that were made for something that then was not written."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def whole_file(path, *, overwrite: bool = False):
    """A binary file to write, put at `path` only once the block has ended well.

    Open it before the work whose result it takes: the path is tried and held from then on. Raises
    InputError where it cannot be written, is being written by another process, or, unless
    `overwrite`, where a file is there already.
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
    """A folder to fill, put at `out` once the block has ended well, sealed with its hashes.

    Raises InputError where `out` holds anything, or cannot be written, or another writes it.
    """
    path = new_path(out)
    with partial_of(path, folder=True) as partial:
        yield partial
        seal(partial)
        put_folder(partial, path)


@contextlib.contextmanager
def hold_folder(out):
    """Try and hold a path that `whole_folder` will fill later in the block; errors as there."""
    with partial_of(new_path(out), folder=True) as trial:
        trial.rmdir()
        yield


def new_path(out) -> pathlib.Path:
    """A path for a folder that is not there yet, or empty."""
    path = real_path(out)
    if path.exists() and not is_free(path):
        raise InputError(f"{out} exists already; choose another path or delete it")
    return path


def is_free(path: pathlib.Path) -> bool:
    """Whether a path is a folder that holds nothing but what a writer that was ended put there."""
    if not path.is_dir():
        return False
    known = {MOVING, *(name.split("/")[0] for name in unfinished(path))}
    return all(p.name in known or PARTIAL.fullmatch(p.name) for p in path.iterdir())


def reserve(path: pathlib.Path) -> None:
    """Room on the disk for all of a file that is written through memory.

    Else a disk that is full kills the process that writes. Raises OSError where there is none.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
