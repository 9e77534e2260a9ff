"""Hashes of files and folders: stored folders are sealed with them and checked on reading."""

import contextlib
import hashlib
import json
import os
import pathlib
import time
from concurrent.futures import ThreadPoolExecutor

from personascan.errors import InputError
from personascan.reading import is_file, read_json

SEAL = "sha256.json"
RUN_AGAIN = "nothing of it was stored: run the same command again"  # after an input was changed
SETTLED_SECONDS = 2  # a file that changed more recently may change again within a clock tick


def cache_folder() -> pathlib.Path:
    """Returns PERSONASCAN_CACHE, or personascan in the user's cache folder."""
    if chosen := os.environ.get("PERSONASCAN_CACHE"):
        return pathlib.Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "personascan"


def file_sha256(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def folder_sha256(folder: pathlib.Path) -> dict[str, str]:
    """Returns {name: hash} of every file in a folder except its seal."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / SEAL)
    with ThreadPoolExecutor() as threads:
        hashes = list(threads.map(file_sha256, files))
    return {p.relative_to(folder).as_posix(): h for p, h in zip(files, hashes, strict=True)}


def seal(folder: pathlib.Path) -> None:
    """Writes the hashes of a folder's files into it."""
    write_seal(folder, folder_sha256(folder))


def write_seal(folder: pathlib.Path, files: dict[str, str]) -> None:
    """Writes the seal of these hashes, whole."""
    record = {"files": files, "sha256": text_sha256(json.dumps(files, sort_keys=True))}
    partial = folder / f".{SEAL}.new"
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, folder / SEAL)


def seal_again(folder: pathlib.Path, names: list[str]) -> None:
    """Seals the named files of a sealed folder as they are now; the others stay as sealed."""
    if not (folder / SEAL).exists():
        return
    write_seal(folder, sealed_files(folder) | {name: file_sha256(folder / name) for name in names})


def sealed_files(folder: pathlib.Path) -> dict[str, str]:
    """Returns {name: hash} of a folder's seal. Raises InputError if the seal is damaged."""
    record = read_json(folder / SEAL)
    files = record.get("files")
    whole = isinstance(files, dict) and record.get("sha256") == text_sha256(
        json.dumps(files, sort_keys=True)
    )
    if not whole or not all(map(is_inside, files)):
        raise InputError(f"{folder / SEAL} is damaged")
    return files


def is_inside(name: str) -> bool:
    """Tells whether a name read from a file stays inside its folder."""
    return not pathlib.PurePath(name).is_absolute() and ".." not in pathlib.PurePath(name).parts


def damaged_files(folder: pathlib.Path, files: dict[str, str] | None = None) -> list[str]:
    """Returns the files of a folder that are gone or differ.

    files: {name: hash} as they should be; None: as the folder is sealed. Raises InputError if the
    seal is damaged.
    """
    files = sealed_files(folder) if files is None else files

    def differs(name: str) -> bool:
        try:
            return file_sha256(folder / name) != files[name]
        except OSError:
            return True

    with ThreadPoolExecutor() as threads:
        wrong = list(threads.map(differs, files))
    return [name for name, is_wrong in zip(files, wrong, strict=True) if is_wrong]


def cached_sha256(path: pathlib.Path) -> tuple[str, bool]:
    """Returns the hash of a file, and whether it comes from the cache.

    It is computed again if the size, path, inode or a time of the file has changed. One time is
    that of its last change of any kind, which no program can set.
    """
    seen = path.resolve().stat()
    identity = (
        f"{path.resolve()}\n{seen.st_size}\n{seen.st_mtime_ns}\n{seen.st_ctime_ns}\n{seen.st_ino}"
    )
    note = cache_folder() / "hashes" / text_sha256(identity)[:32]
    with contextlib.suppress(OSError, ValueError):
        digest, check = note.read_text(encoding="ascii").split() if is_file(note) else ("", "")
        if check == text_sha256(f"{identity}\n{digest}"):
            return digest, True
    digest = file_sha256(path)
    if abs(time.time() - seen.st_ctime) > SETTLED_SECONDS:
        # Only a cache: without it the next start hashes again.
        check = text_sha256(f"{identity}\n{digest}")
        with contextlib.suppress(OSError):
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(f"{digest} {check}", encoding="ascii")
    return digest, False
