"""A finished folder put where it belongs, so that a process can be killed at any moment of it.

A path where nothing is takes the folder by one rename. Into a folder that is there, files are moved
one by one, the seal last; meanwhile `MOVING` in it names them, so that the next writer knows whose
they are. A folder that is replaced as a whole stands beside its path until the new one is there, as
`.NAME.personascan-earlier`, and is put back if it never came.
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
    """A file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def beside(path: pathlib.Path, mark: str = "") -> pathlib.Path:
    """A name beside a path for what is not in it yet, which nothing else has."""
    return path.with_name(f".{path.name}.personascan-{mark or secrets.token_hex(4)}")


def move(source: pathlib.Path, target: pathlib.Path) -> None:
    """Put a file instead of another, from another disk as well."""
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy = beside(target)
        try:
            shutil.copyfile(source, copy)
            os.replace(copy, target)
        finally:
            remove(copy)
        remove(source)


def put_folder(partial: pathlib.Path, path: pathlib.Path, replace: bool = False) -> None:
    """Rename a new folder to its path, or move the files that it holds into a folder there.

    replace: instead of a folder that holds something, all of it; others may still be reading that.
    """
    if not path.exists():
        os.replace(partial, path)
        return
    if replace and any(path.iterdir()):
        replace_folder(partial, path)
        return
    names, left = files_in(partial), unfinished(path)
    with moving(partial, path, {name: [] for name in names} | left) as staged:
        for name in sorted(names, key=SEAL.__eq__):
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            move(staged / name, path / name)
        for name in left.keys() - names:
            (path / name).unlink(missing_ok=True)


def replace_folder(partial: pathlib.Path, path: pathlib.Path) -> None:
    """Put a new folder instead of an earlier one.

    Where the path cannot be renamed, as a mount point, the files are replaced one by one.
    """
    earlier = beside(path, EARLIER)
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
    """Put an earlier folder back whose successor never came; the path is held."""
    earlier = beside(path, EARLIER)
    if path.exists():
        remove(earlier)
    elif earlier.is_dir():
        os.replace(earlier, path)


@contextlib.contextmanager
def moving(
    partial: pathlib.Path, path: pathlib.Path, known: dict[str, list[str]]
) -> Iterator[pathlib.Path]:
    """What `partial` holds, on the disk of `path`, to be moved from there inside the block.

    known: {file: hashes that it may have}, of all that is moved or replaced. It is a file in `path`
    until the block has ended well. Room on the disk is taken before anything is replaced.
    """
    staged = partial
    if not on_one_disk(partial, path):
        staged = path / beside(path).name
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
    return a.stat().st_dev == b.stat().st_dev


def merge(a: dict[str, list[str]], b: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: [*a.get(name, ()), *b.get(name, ())] for name in a.keys() | b.keys()}


def unfinished(path: pathlib.Path) -> dict[str, list[str]]:
    """{file: hashes that it may have} of what a writer that was ended was putting there."""
    try:
        found = read_json(path / MOVING)
    except InputError:
        return {}
    return {name: h for name, h in found.items() if isinstance(h, list) and is_inside(name)}


def files_in(folder: pathlib.Path) -> list[str]:
    """The names of all files of a folder, as POSIX paths from there."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
