"""Files and folders that appear whole, one writer at a time.

What is being written stands beside its place as `.NAME.personascan-XXXXXXXX`, and meanwhile
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
ELSEWHERE = "choose another place"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


@contextlib.contextmanager
def held(place: pathlib.Path, wait: bool = False) -> Iterator[None]:
    """The lock of a place, which ends with its holder. Raises InputError where another has it."""
    from filelock import Timeout

    lock = lock_of(place)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout as error:
        raise InputError(
            f"{place} is being written by another process; wait for it or choose another place"
        ) from error
    except NotImplementedError:
        print(
            f"note: the disk of {place} knows no locks; let one process write it", file=sys.stderr
        )
    try:
        yield
    finally:
        if lock.lock_counter == 1:
            with contextlib.suppress(OSError):
                pathlib.Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def lock_of(place: pathlib.Path):
    """The lock of a place: one for each thread, which may hold it several times."""
    from filelock import FileLock

    return FileLock(
        str(place.with_name(f".{place.name}.personascan-lock")), timeout=0, is_singleton=True
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


def restore(place: pathlib.Path) -> None:
    """Put a folder back that a killed writer was about to replace, if nobody writes it now."""
    if not place.exists() and beside(place, EARLIER).is_dir():
        with contextlib.suppress(InputError, OSError), held(place):
            put_back(place)


@contextlib.contextmanager
def partial_of(
    place: pathlib.Path, *, folder: bool, wait: bool = False, advice: str = ELSEWHERE
) -> Iterator[pathlib.Path]:
    """An empty file or folder beside `place` to write, held, and gone when the block ends.

    Raises InputError before anything is done where the place cannot be written, and for a disk that
    fills up meanwhile.
    """
    made = missing_parents(place)
    with contextlib.ExitStack() as stack:
        stack.callback(remove_empty, made)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            sweep(place.parent)
            stack.enter_context(held(place, wait))
            partial = new_partial(place, folder)
        except (OSError, ValueError) as error:
            raise unwritable(place, error, advice) from error
        stack.callback(remove, partial)
        try:
            yield partial
        except OSError as error:
            if error.errno in FULL:
                raise unwritable(place, error, advice) from error
            raise


def unwritable(place, error: Exception, advice: str = ELSEWHERE) -> InputError:
    """What is said of a place that cannot be written; an InputError is passed on as it is."""
    if isinstance(error, InputError):
        return error
    reason = getattr(error, "strerror", None) or error
    return InputError(f"{place} cannot be written ({reason}); {advice}")


def new_partial(place: pathlib.Path, folder: bool) -> pathlib.Path:
    """Under a name that nothing else has, with the permissions that the user's mask gives."""
    partial = beside(place)
    if folder:
        partial.mkdir()
    else:
        partial.touch(exist_ok=False)
    if place.is_dir():
        with tempfile.TemporaryFile(dir=place):
            pass  # it can be written, on whatever disk it is
    return partial


def missing_parents(place: pathlib.Path) -> list[pathlib.Path]:
    """The parents that are not there yet, the innermost first."""
    with contextlib.suppress(OSError, ValueError):
        return [parent for parent in place.parents if not parent.exists()]
    return []


def real_place(path) -> pathlib.Path:
    """Where a path leads, links followed. Raises InputError for what is no name of a file."""
    try:
        place = pathlib.Path(os.path.realpath(pathlib.Path(path).expanduser()))
        place.exists()
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path!r} is no place for a file ({error}); choose another") from error
    if not place.name:
        raise InputError(f"{path!r} is no place for a file; choose another")
    return place


def remove_empty(folders: list[pathlib.Path]) -> None:
    """Folders that were made for something that then was not written."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def whole_file(path, *, overwrite: bool = False):
    """A binary file to write, put at `path` only once the block has ended well.

    Open it before the work whose result it takes: the place is tried and held from then on. Raises
    InputError where it cannot be written, is being written by another process, or, unless
    `overwrite`, where a file is there already.
    """
    place = real_place(path)
    if place.exists() and not place.is_file():
        raise InputError(f"{path} cannot be written (it is not a file); choose another place")
    if place.exists() and not overwrite:
        raise InputError(
            f"{path} exists already; choose another place, or overwrite it (overwrite=True, "
            "--overwrite)"
        )
    with partial_of(place, folder=False) as partial:
        with partial.open("wb") as file:
            yield file
        os.replace(partial, place)


@contextlib.contextmanager
def whole_folder(out):
    """A folder to fill, put at `out` once the block has ended well, sealed with its hashes.

    Raises InputError where `out` holds anything, or cannot be written, or another writes it.
    """
    place = new_place(out)
    with partial_of(place, folder=True) as partial:
        yield partial
        seal(partial)
        put_folder(partial, place)


@contextlib.contextmanager
def hold_folder(out):
    """Try and hold a place that `whole_folder` will fill later in the block; errors as there."""
    with partial_of(new_place(out), folder=True) as trial:
        trial.rmdir()
        yield


def new_place(out) -> pathlib.Path:
    """A place for a folder that is not there yet, or empty."""
    place = real_place(out)
    if place.exists() and not is_free(place):
        raise InputError(f"{out} exists already; choose another place or delete it")
    return place


def is_free(place: pathlib.Path) -> bool:
    """Whether a place is a folder that holds nothing but what a writer that was ended put there."""
    if not place.is_dir():
        return False
    known = {MOVING, *(name.split("/")[0] for name in unfinished(place))}
    return all(p.name in known or PARTIAL.fullmatch(p.name) for p in place.iterdir())


def reserve(path: pathlib.Path) -> None:
    """Room on the disk for all of a file that is written through memory.

    Else a disk that is full kills the process that writes. Raises OSError where there is none.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
