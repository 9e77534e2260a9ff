"""A source string -> LanguageModel: loading of folders and GGUF files."""

import dataclasses
import os
import pathlib
import sys
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from personascan.compilations import keep_by_default
from personascan.copies import is_whole
from personascan.errors import InputError
from personascan.memory import refuse_too_much
from personascan.models.checkpoint import (
    Tensors,
    leaves_by_path,
    open_safetensors,
    parameter_shapes,
    stack_params,
)
from personascan.models.config import DecoderConfig
from personascan.models.decoder import Decoder
from personascan.models.dtypes import DTYPES, FAST, parameter_dtype
from personascan.models.families import family_of, read_config, text_config
from personascan.models.file_hashes import (
    folder_hashes,
    gguf_hashes,
    hash_files,
    refuse_changed,
    sha256_by_name,
)
from personascan.models.folder import read_folder_config, weights_of
from personascan.models.gguf_file import ROPE_TENSORS, gguf_config, open_gguf
from personascan.models.gguf_tokenizer import gguf_tokenizer, stop_ids
from personascan.models.identity import resolve
from personascan.models.naming import rename_tensors, table_of
from personascan.models.parameter_cache import (
    RECORD,
    TOKENIZER,
    entry_folder,
    keep_params,
    restore_params,
    uses_cache,
)
from personascan.models.tokenizer import folder_tokenizer, tokenizer_files
from personascan.reading import read_json
from personascan.sharding import own_share
from personascan.visible import visible


@dataclass(frozen=True)
class LanguageModel:
    """A decoder or encoder with its parameters and tokenizer."""

    source: str  # as given to load_model
    path: pathlib.Path  # the folder or GGUF file that was read
    config: DecoderConfig
    params: dict[str, Any]  # nested, block parameters stacked [L, ...]
    tokenizer: Any  # a transformers tokenizer
    sha256: str  # of the configuration and parameters
    dtype: str
    mesh: Mesh | None = None  # where params are spread, or None
    revision: str = ""  # of a hub source: the commit that was read
    # {name: sha256} of all that was read
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    stops: tuple[int, ...] = ()  # of a GGUF file: the tokens that end a text or a turn

    def __repr__(self) -> str:
        c = self.config
        return (
            f"LanguageModel({self.source}: {c.layers} blocks x {c.width}, {self.dtype}"
            f"{f', revision {self.revision}' if self.revision else ''})"
        )

    def decoder(self, unroll: int = 1) -> Decoder:
        """Returns the Linen module that takes `params`."""
        dtype = jnp.dtype(parameter_dtype(self.dtype))
        return Decoder(self.config, dtype, unroll, exact=not self.dtype.endswith(FAST))


def load_model(
    source: str | os.PathLike[str],
    *,
    dtype: str = "float32",
    mesh: Mesh | None = None,
    cache: bool = True,
) -> LanguageModel:
    """Returns the model that `load_model` of `sources.language.model` does."""
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r} is unknown; use one of {', '.join(DTYPES)}")
    keep_by_default()
    path, revision = resolve(source)
    load = load_gguf if path.suffix == ".gguf" else load_folder
    return dataclasses.replace(
        load(path, parameter_dtype(dtype), mesh, cache),
        source=str(source), dtype=dtype, revision=revision,
    )  # fmt: skip


def load_folder(folder: pathlib.Path, dtype: str, mesh, cache: bool) -> LanguageModel:
    """Loads a model from a local Hugging Face folder."""
    where = str(folder / "config.json")
    raw = text_config(read_folder_config(folder), where)
    config = read_config(raw, where)
    weights = weights_of(folder)
    hashes, sha256 = folder_hashes(folder, cache)
    tokenizer = folder_tokenizer(folder)
    files = sha256_by_name(hashes | hash_files(tokenizer_files(folder), cache))
    entry = entry_folder(sha256, dtype)
    loaded = cached_model(entry, config, dtype, mesh) if uses_cache(cache) else None
    if loaded is None:
        refuse_changed(hashes)
        table = table_of(family_of(raw["model_type"], where).HF_TENSORS, config)
        refuse_too_large(config, dtype, mesh)
        named = rename_tensors(open_safetensors(*weights), table, config, str(folder))
        params = stack_params(named.tensors, table, named.config, dtype, str(folder), mesh)
        loaded = Parameters(named.config, params, named.notes)
        if uses_cache(cache):
            keep_params(entry, params, loaded.record(config))
    for note in loaded.notes:
        print(f"note: {visible(folder)}: {visible(note)}", file=sys.stderr)
    return LanguageModel(
        "", folder, loaded.config, loaded.params, tokenizer, sha256, dtype, mesh, files=files
    )


def refuse_too_large(config: DecoderConfig, dtype: str, mesh) -> None:
    """Raises InputError for parameters on the CPU that its memory cannot hold."""
    if jax.default_backend() != "cpu":
        return
    shapes, _ = leaves_by_path(parameter_shapes(config, dtype))
    needed = sum(own_share(p, s.shape, mesh) * s.dtype.itemsize for p, s in shapes.items())
    refuse_too_much("the model", needed, 'use dtype="bfloat16", or a smaller model')


class Parameters(NamedTuple):
    """Parameters, with the configuration and notes that their checkpoint led to."""

    config: DecoderConfig
    params: dict
    notes: tuple[str, ...]

    def record(self, read: DecoderConfig) -> dict:
        """Returns the record of a cached copy: how the configuration differs from `read`."""
        own, other = (dataclasses.asdict(c) for c in (self.config, read))
        settled = {k: v for k, v in own.items() if v != other[k]}
        return {"settled": settled, "notes": list(self.notes)}


def cached_model(entry: pathlib.Path, config: DecoderConfig, dtype: str, mesh) -> Parameters | None:
    """Returns the parameters of an earlier conversion if they are whole, else None."""
    if not is_whole(entry):
        return None
    record = read_json(entry / RECORD)
    config = dataclasses.replace(config, **record["settled"])
    params = restore_params(entry, config, dtype, mesh)
    return None if params is None else Parameters(config, params, tuple(record["notes"]))


def load_gguf(path: pathlib.Path, dtype: str, mesh, cache: bool) -> LanguageModel:
    """Loads a model from a GGUF file."""
    where = str(path)
    hashes, sha256 = gguf_hashes(path, cache)
    files = sha256_by_name(hashes)
    entry = entry_folder(sha256, dtype)
    if uses_cache(cache) and is_whole(entry):
        # Reading the file's metadata alone takes longer than restoring the parameters.
        raw = read_json(entry / RECORD)
        config = read_config(raw, where)
        params = restore_params(entry, config, dtype, mesh)
        if params is not None:
            tokenizer = folder_tokenizer(entry / TOKENIZER)
            return LanguageModel(
                "", path, config, params, tokenizer, sha256, dtype, mesh, files=files,
                stops=tuple(raw["eos_token_id"]),
            )  # fmt: skip
    refuse_changed(hashes)
    fields, tensors = open_gguf(path)
    raw = gguf_config(fields, tensors, where)
    config = read_config(raw, where)
    tokenizer = gguf_tokenizer(fields, where)
    raw["eos_token_id"] = stop_ids(fields, where)  # for the cached entry
    refuse_too_large(config, dtype, mesh)
    table = table_of(family_of(raw["model_type"], where).GGUF_TENSORS, config)
    tensors = Tensors(tensors.names - ROPE_TENSORS, tensors.read)
    params = stack_params(tensors, table, config, dtype, where, mesh)
    if uses_cache(cache):
        keep_params(entry, params, raw, tokenizer)
    return LanguageModel(
        "", path, config, params, tokenizer, sha256, dtype, mesh, files=files,
        stops=tuple(raw["eos_token_id"]),
    )  # fmt: skip
