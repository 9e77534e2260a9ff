"""The hashes of the files of a model, which identify it."""

import pathlib
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from personascan.errors import InputError
from personascan.hashes import cached_sha256, file_sha256, text_sha256
from personascan.models.folder import INDEX, weights_of
from personascan.models.gguf_file import gguf_shards


class Hashed(NamedTuple):
    """The hash of a file, and whether it is only remembered from an earlier start."""

    sha256: str
    remembered: bool


def folder_hashes(folder: pathlib.Path, cache: bool) -> tuple[dict[pathlib.Path, Hashed], str]:
    """The hashes of the configuration and parameters of a folder, and the one of them all."""
    weights = weights_of(folder)
    index = [] if weights.of_tensor is None else [folder / INDEX]
    hashes = hash_files([folder / "config.json", *index, *weights.files], cache)
    return hashes, text_sha256("".join(found.sha256 for found in hashes.values()))


def gguf_hashes(path: pathlib.Path, cache: bool) -> tuple[dict[pathlib.Path, Hashed], str]:
    """The hashes of a GGUF file, or its shards, and the one of them all."""
    hashes = hash_files([shard for shard in gguf_shards(path) if shard.is_file()] or [path], cache)
    sha256, *more = by_name(hashes).values()
    return hashes, text_sha256("".join(by_name(hashes).values())) if more else sha256


def hash_files(files: list[pathlib.Path], cache: bool) -> dict[pathlib.Path, Hashed]:
    """The hashes of files; without cache nothing is remembered."""

    def work(file: pathlib.Path) -> Hashed:
        return Hashed(*cached_sha256(file)) if cache else Hashed(file_sha256(file), False)

    try:
        with ThreadPoolExecutor() as threads:
            return dict(zip(files, threads.map(work, files), strict=True))
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read ({error.strerror})") from error


def by_name(hashes: dict[pathlib.Path, Hashed]) -> dict[str, str]:
    return {file.name: found.sha256 for file, found in hashes.items()}


def refuse_changed(hashes: dict[pathlib.Path, Hashed]) -> None:
    """Where files are read anew, what is only remembered of them is checked."""
    for file, found in hashes.items():
        if found.remembered and file_sha256(file) != found.sha256:
            raise InputError(
                f"{file} has changed though none of its times has: its disk may be damaged; fetch "
                "the file again"
            )
