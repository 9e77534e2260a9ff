"""How a finished folder is put at its path, safely if the process is killed at any moment.

If nothing is at the path, the folder is renamed to it. If a folder is there, files are moved into
it one by one, the seal last; meanwhile its file `MOVING` lists them, so that the next writer knows
whose they are. A folder that is replaced as a whole is kept as `.NAME.personascan-earlier` until
the new one is there, and is put back if that never comes.
"""

import contextlib
import errno
import json
import os
import pathlib
import secrets
import shutil
from collections.abc import Iterator

from personascan.errors import InputError
from personascan.hashes import SEAL, is_inside
from personascan.reading import read_json

MOVING = ".personascan-moving"
EARLIER = "earlier"


def remove(path: pathlib.Path) -> None:
    """Removes a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sibling(path: pathlib.Path, mark: str = "") -> pathlib.Path:
    """Returns an unused path next to `path`, for content that is not in it yet."""
    return path.with_name(f".{path.name}.personascan-{mark or secrets.token_hex(4)}")


def move(source: pathlib.Path, target: pathlib.Path) -> None:
    """Replaces a file by another, also from another disk."""
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy = sibling(target)
        try:
            shutil.copyfile(source, copy)
            os.replace(copy, target)
        finally:
            remove(copy)
        remove(source)


def put_folder(partial: pathlib.Path, path: pathlib.Path, replace: bool = False) -> None:
    """Renames a new folder to its path, or moves its files into a folder there.

    replace: replace a folder that holds anything as a whole; others may still be reading it.
    """
    if not path.exists():
        os.replace(partial, path)
        return
    if replace and any(path.iterdir()):
        replace_folder(partial, path)
        return
    names, left = files_in(partial), unfinished_files(path)
    with stage_files(partial, path, {name: [] for name in names} | left) as staged:
        for name in sorted(names, key=SEAL.__eq__):
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            move(staged / name, path / name)
        for name in left.keys() - names:
            (path / name).unlink(missing_ok=True)


def replace_folder(partial: pathlib.Path, path: pathlib.Path) -> None:
    """Replaces an earlier folder by a new one.

    If the path cannot be renamed, such as a mount point, the files are replaced one by one.
    """
    earlier = sibling(path, EARLIER)
    remove(earlier)
    try:
        os.replace(path, earlier)
    except OSError:
        old = files_in(path)
        put_folder(partial, path)
        for name in set(old) - set(files_in(path)) - {MOVING}:
            (path / name).unlink(missing_ok=True)
        return
    try:
        os.replace(partial, path)
    except BaseException:
        put_back(path)
        raise
    remove(earlier)


def put_back(path: pathlib.Path) -> None:
    """Puts an earlier folder back whose successor never came; the caller holds the path."""
    earlier = sibling(path, EARLIER)
    if path.exists():
        remove(earlier)
    elif earlier.is_dir():
        os.replace(earlier, path)


@contextlib.contextmanager
def stage_files(
    partial: pathlib.Path, path: pathlib.Path, known: dict[str, list[str]]
) -> Iterator[pathlib.Path]:
    """Yields the folder, on the disk of `path`, from which the block moves the files of `partial`.

    known: {file: hashes that it may have} of all files that are moved or replaced; a file in `path`
    holds it until the block ends well. Room on the disk is taken before anything is replaced.
    """
    staged = partial
    if not on_one_disk(partial, path):
        staged = path / sibling(path).name
    try:
        if staged != partial:
            for name in files_in(partial):
                (staged / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(partial / name, staged / name)
        note = staged / MOVING
        note.write_text(json.dumps(known), encoding="utf-8")
        os.replace(note, path / MOVING) if staged != partial else move(note, path / MOVING)
        yield staged
        (path / MOVING).unlink()
    finally:
        if staged != partial:
            remove(staged)


def on_one_disk(a: pathlib.Path, b: pathlib.Path) -> bool:
    """Tells whether two paths are on one disk."""
    return a.stat().st_dev == b.stat().st_dev


def merge(a: dict[str, list[str]], b: dict[str, list[str]]) -> dict[str, list[str]]:
    """Returns the hashes of each file of either."""
    return {name: [*a.get(name, ()), *b.get(name, ())] for name in a.keys() | b.keys()}


def unfinished_files(path: pathlib.Path) -> dict[str, list[str]]:
    """Returns {file: hashes that it may have} of the files that a killed writer was moving."""
    try:
        known = read_json(path / MOVING)
    except InputError:
        return {}
    return {name: h for name, h in known.items() if isinstance(h, list) and is_inside(name)}


def files_in(folder: pathlib.Path) -> list[str]:
    """Returns the names of all files of a folder, as POSIX paths from there."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
