"""The hashes of the files of a model, which identify it."""

import pathlib
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from personascan.errors import InputError
from personascan.hashes import cached_sha256, file_sha256, text_sha256
from personascan.models.folder import INDEX, weights_of
from personascan.models.gguf_file import gguf_shards


class FileHash(NamedTuple):
    """The hash of a file, and whether it is only remembered from an earlier start."""

    sha256: str
    from_cache: bool


def folder_hashes(folder: pathlib.Path, cache: bool) -> tuple[dict[pathlib.Path, FileHash], str]:
    """Returns the hashes of a folder's configuration and parameters, and one hash of them all."""
    weights = weights_of(folder)
    index = [] if weights.of_tensor is None else [folder / INDEX]
    hashes = hash_files([folder / "config.json", *index, *weights.files], cache)
    return hashes, text_sha256("".join(hashed.sha256 for hashed in hashes.values()))


def gguf_hashes(path: pathlib.Path, cache: bool) -> tuple[dict[pathlib.Path, FileHash], str]:
    """Returns the hashes of a GGUF file, or of its shards, and one hash of them all."""
    hashes = hash_files([shard for shard in gguf_shards(path) if shard.is_file()] or [path], cache)
    sha256, *more = sha256_by_name(hashes).values()
    return hashes, text_sha256("".join(sha256_by_name(hashes).values())) if more else sha256


def hash_files(files: list[pathlib.Path], cache: bool) -> dict[pathlib.Path, FileHash]:
    """Returns the hashes of files; without `cache` all are computed and none is remembered."""

    def work(file: pathlib.Path) -> FileHash:
        return FileHash(*cached_sha256(file)) if cache else FileHash(file_sha256(file), False)

    try:
        with ThreadPoolExecutor() as threads:
            return dict(zip(files, threads.map(work, files), strict=True))
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read ({error.strerror})") from error


def sha256_by_name(hashes: dict[pathlib.Path, FileHash]) -> dict[str, str]:
    return {file.name: hashed.sha256 for file, hashed in hashes.items()}


def refuse_changed(hashes: dict[pathlib.Path, FileHash]) -> None:
    """Raises InputError if a file's content differs from the hash that is remembered of it."""
    for file, hashed in hashes.items():
        if hashed.from_cache and file_sha256(file) != hashed.sha256:
            raise InputError(
                f"{file} has changed though none of its times has: its disk may be damaged; fetch "
                "the file again"
            )
