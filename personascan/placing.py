"""A finished folder put into its place, so that a process can be killed at any moment of it.

A new place is filled by one rename. Into a folder that is there, files are moved one by one, the
seal last; meanwhile `MOVING` in it names them, so that the next writer knows whose they are. A
folder that is replaced as a whole stands beside its place until the new one is there, as
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


def beside(place: pathlib.Path, mark: str = "") -> pathlib.Path:
    """A name beside a place for what is not in it yet, which nothing else has."""
    return place.with_name(f".{place.name}.personascan-{mark or secrets.token_hex(4)}")


def move(source: pathlib.Path, target: pathlib.Path) -> None:
    """Put a file in the place of another, from another disk as well."""
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


def put_folder(partial: pathlib.Path, place: pathlib.Path, replace: bool = False) -> None:
    """Rename a new folder to its place, or move the files that it holds into a folder there.

    replace: in place of a folder that holds something, all of it; others may still be reading that.
    """
    if not place.exists():
        os.replace(partial, place)
        return
    if replace and any(place.iterdir()):
        replace_folder(partial, place)
        return
    names, left = files_in(partial), unfinished(place)
    with moving(partial, place, {name: [] for name in names} | left) as staged:
        for name in sorted(names, key=SEAL.__eq__):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            move(staged / name, place / name)
        for name in left.keys() - names:
            (place / name).unlink(missing_ok=True)


def replace_folder(partial: pathlib.Path, place: pathlib.Path) -> None:
    """Put a new folder in the place of an earlier one.

    Where the place cannot be renamed, as a mount point, the files are replaced one by one.
    """
    earlier = beside(place, EARLIER)
    remove(earlier)
    try:
        os.replace(place, earlier)
    except OSError:
        old = files_in(place)
        put_folder(partial, place)
        for name in set(old) - set(files_in(place)) - {MOVING}:
            (place / name).unlink(missing_ok=True)
        return
    try:
        os.replace(partial, place)
    except BaseException:
        put_back(place)
        raise
    remove(earlier)


def put_back(place: pathlib.Path) -> None:
    """Put an earlier folder back whose successor never came; the place is held."""
    earlier = beside(place, EARLIER)
    if place.exists():
        remove(earlier)
    elif earlier.is_dir():
        os.replace(earlier, place)


@contextlib.contextmanager
def moving(
    partial: pathlib.Path, place: pathlib.Path, known: dict[str, list[str]]
) -> Iterator[pathlib.Path]:
    """What `partial` holds, on the disk of `place`, to be moved from there inside the block.

    known: {file: hashes that it may have}, of all that is moved or replaced. It stands in the place
    until the block has ended well. Room on the disk is taken before anything is replaced.
    """
    staged = partial
    if not on_one_disk(partial, place):
        staged = place / beside(place).name
    try:
        if staged != partial:
            for name in files_in(partial):
                (staged / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(partial / name, staged / name)
        note = staged / MOVING
        note.write_text(json.dumps(known), encoding="utf-8")
        os.replace(note, place / MOVING) if staged != partial else move(note, place / MOVING)
        yield staged
        (place / MOVING).unlink()
    finally:
        if staged != partial:
            remove(staged)


def on_one_disk(a: pathlib.Path, b: pathlib.Path) -> bool:
    return a.stat().st_dev == b.stat().st_dev


def merge(a: dict[str, list[str]], b: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: [*a.get(name, ()), *b.get(name, ())] for name in a.keys() | b.keys()}


def unfinished(place: pathlib.Path) -> dict[str, list[str]]:
    """{file: hashes that it may have} of what a writer that was ended was putting there."""
    try:
        found = read_json(place / MOVING)
    except InputError:
        return {}
    return {name: h for name, h in found.items() if isinstance(h, list) and is_inside(name)}


def files_in(folder: pathlib.Path) -> list[str]:
    """The names of all files of a folder, as POSIX paths from there."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
