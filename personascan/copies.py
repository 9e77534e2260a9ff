"""Copies that can be made again: folders that are whole, or are made anew with a note.

A copy is named after everything that decides its content, and appears at its path at once. A
damaged copy is reported, removed and made anew by the first process that needs it; others wait.
"""

import os
import pathlib
import shutil
import sys
from collections.abc import Callable

from personascan.errors import InputError
from personascan.files import ELSEWHERE, partial_of, remove
from personascan.hashes import damaged_files, seal
from personascan.visible import visible

ANEW = "made anew"
ROOM = 1.5  # free bytes for each byte that a copy takes, where its size is known


def is_whole(folder: pathlib.Path, hashes: dict[str, str] | None = None, anew: str = ANEW) -> bool:
    """Tells whether a copy is there and each file has its hash; removes a damaged one with a note.

    Args:
      folder: its path.
      hashes: {name: sha256} of its files; None: those that it was sealed with.
      anew: words of the note on how a damaged copy is replaced.
    """
    try:
        if not folder.is_dir():
            return False
        damaged = damaged_files(folder, hashes)
    except (InputError, OSError) as error:
        damaged = [str(error)]
    if damaged:
        discard(folder, damaged[0], anew)
    return not damaged


def discard(path: pathlib.Path, why: str, anew: str = ANEW) -> None:
    """Removes a damaged file or folder, with a note; its source is still there."""
    note = f"note: {path} is damaged ({' '.join(why.split())[:160]}); {anew}"
    print(visible(note), file=sys.stderr)
    remove(path)


def make_copy(
    folder: pathlib.Path,
    fill: Callable[[pathlib.Path], None],
    *,
    hashes: dict[str, str] | None = None,
    anew: str = ANEW,
    advice: str = ELSEWHERE,
) -> pathlib.Path:
    """Returns `folder`, filled by `fill(partial)` unless it is there whole.

    hashes, anew: as in `is_whole`; without hashes the copy is sealed with its own. Raises OSError,
    or InputError that ends with `advice`, if it cannot be written.
    """
    if is_whole(folder, hashes, anew):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with partial_of(folder, folder=True, wait=True, advice=advice) as partial:
        if not is_whole(folder, hashes, anew):  # another process may have made it meanwhile
            fill(partial)
            if hashes is None:
                seal(partial)
            os.replace(partial, folder)
    return folder


def keep_copy(
    folder: pathlib.Path, fill: Callable[[pathlib.Path], None], content: str, size: int = 0
) -> None:
    """Makes a copy of data that the caller has anyway: if it cannot be kept, a note says why.

    content: the plural noun of the note; size: bytes that the copy takes.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder.parent).free < ROOM * size:
            raise OSError(f"less than {ROOM * size / 1e9:.1f} GB are free")
        make_copy(folder, fill)
    except (OSError, ValueError) as error:
        print(
            f"note: {content} are not kept ({error}); set PERSONASCAN_CACHE to a folder with more "
            "room",
            file=sys.stderr,
        )
