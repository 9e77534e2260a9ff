"""The cache of compilations between runs, with a hash of each entry, which JAX's own lacks."""

import atexit
import contextlib
import functools
import gc
import pathlib
import sys
import tempfile
import threading
from collections.abc import Iterator

from personascan import bars
from personascan.hashes import cache_folder, file_sha256

ENTRIES = "*-cache"
LOCK = "in-use.lock"
MAPS = pathlib.Path("/proc/self/maps")
MAPS_LIMIT = pathlib.Path("/proc/sys/vm/max_map_count")
NOTICE_SECONDS = 3
compiled_keys: set = set()
MAPS_SHARE = 0.25  # of the limit; one unit of work adds far less than the rest


def keep_compilations() -> None:
    """Turns on the cache of compilations, unless JAX_COMPILATION_CACHE_DIR names another path.

    Entries that are damaged, or whose process was killed before it could note their hashes, are
    removed and so compiled again. If the folder cannot be used, there is no cache.
    """
    import jax

    if jax.config.jax_compilation_cache_dir is not None:
        return
    folder, hashes = cache_folder() / "compiled", cache_folder() / "compiled-hashes"
    try:
        for path in (folder, hashes):
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                pass
        alone = join_users(hashes)
        damaged = remove_damaged(folder, hashes, alone)
    except OSError:
        return
    if damaged:
        print(f"note: {damaged} damaged compilations are made anew", file=sys.stderr)
    keep_in(str(folder))
    atexit.register(note_hashes, folder, hashes)


def keep_in(folder: str) -> None:
    """Uses a folder of compilations whose hashes another process notes."""
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    compilation_cache.reset_cache()  # a program that was compiled before has settled on none


@functools.cache
def keep_by_default() -> None:
    """Turns on the cache of compilations, once: before a process compiles its first program."""
    keep_compilations()


@contextlib.contextmanager
def notice(key, what: str) -> Iterator[None]:
    """Says after three seconds that something is compiled for the first time.

    Nothing is said of a key that was there before, nor by scripts, which have bars.
    """
    if not bars.shown or key in compiled_keys:
        yield
        return
    compiled_keys.add(key)
    text = f"note: {what} is compiled for the first time; later ones of its size start at once"
    timer = threading.Timer(NOTICE_SECONDS, lambda: print(text, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def join_users(hashes: pathlib.Path) -> bool:
    """Joins the users' shared lock until the process ends; returns whether it is the only one."""
    try:
        import fcntl
    except ImportError:
        return False
    file = (hashes / LOCK).open("w")
    atexit.register(file.close)
    alone = True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        alone = False
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return alone


def remove_damaged(folder: pathlib.Path, hashes: pathlib.Path, alone: bool) -> int:
    """Removes entries that differ from their hashes, and returns their number.

    Entries without a hash are removed only if no other process is running, which may just have
    written them.
    """
    damaged = 0
    for entry in folder.glob(ENTRIES):
        note = hashes / entry.name
        known = note.read_text(encoding="ascii", errors="replace") if note.exists() else None
        if known is None and not alone:
            continue
        if known is None or known != file_sha256(entry):
            damaged += known is not None
            entry.unlink(missing_ok=True)
            note.unlink(missing_ok=True)
    return damaged


def note_hashes(folder: pathlib.Path, hashes: pathlib.Path) -> None:
    """Notes the hashes of entries that have none."""
    with contextlib.suppress(OSError):
        for entry in folder.glob(ENTRIES):
            if not (hashes / entry.name).exists():
                (hashes / entry.name).write_text(file_sha256(entry), encoding="ascii")


def make_room() -> bool:
    """Frees compilations once they hold many of the memory maps that a process may have.

    XLA ends a process that reaches the system's limit (Linux: 65,530) with a segmentation fault,
    after some thousands of compilations. Returns whether they were freed; those on disk stay.
    """
    import jax

    try:
        with MAPS.open("rb") as lines:
            maps = sum(1 for _ in lines)
        limit = int(MAPS_LIMIT.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return False  # another system, without this limit
    if maps < MAPS_SHARE * limit:
        return False
    jax.clear_caches()
    gc.collect()
    return True
