"""Checkpoint files -> stacked parameters: safetensors and GGUF, strict both ways.

Nothing is unpickled: these two formats hold arrays and metadata only.
"""

import json
import pathlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.models.config import DecoderConfig
from personascan.models.decoder import Decoder

# Derived from the configuration, in checkpoints of old versions.
DERIVED = (".rotary_emb.inv_freq",)


class Tensors(NamedTuple):
    """The tensors of a checkpoint: their names, and how to read one as a NumPy array."""

    names: set[str]
    read: Callable[[str], np.ndarray]


def open_safetensors(folder: pathlib.Path) -> tuple[Tensors, list[pathlib.Path]]:
    """The tensors of one or many safetensors files, and those files.

    Raises InputError for a missing, corrupt or truncated file.
    """
    from safetensors import SafetensorError, safe_open

    files = safetensors_files(folder)
    handles, owner = [], {}
    for file in files:
        try:
            # flax as framework: NumPy has no bfloat16 of its own.
            handle = safe_open(file, framework="flax")
        except (SafetensorError, OSError) as error:
            raise InputError(
                f"{file} is corrupt or truncated ({error}); download it again"
            ) from error
        handles.append(handle)
        owner.update(dict.fromkeys(handle.keys(), handle))
    return Tensors(set(owner), lambda name: np.asarray(owner[name].get_tensor(name))), files


def safetensors_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files an index names, or the single file."""
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        single = folder / "model.safetensors"
        if not single.exists():
            raise InputError(
                f"{folder} has no model.safetensors and no model.safetensors.index.json; "
                "only safetensors and GGUF checkpoints are read"
            )
        return [single]
    of_tensor = read_json(index).get("weight_map")
    if not isinstance(of_tensor, dict) or not all(isinstance(n, str) for n in of_tensor.values()):
        raise InputError(f"{index} has no weight_map of file names; download it again")
    names = sorted(set(of_tensor.values()))
    for name in names:
        if pathlib.Path(name).name != name:
            raise InputError(f"{index} names {name!r}, which is not a file beside it")
        if not (folder / name).exists():
            raise InputError(f"{index} names {name}, which is missing; download it again")
    return [folder / name for name in names]


def read_json(path: pathlib.Path) -> dict:
    """A JSON object from a file, or an InputError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); download it again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is not a JSON object")
    return content


def open_gguf(path: pathlib.Path) -> tuple[dict, Tensors]:
    """The metadata fields and the dequantised tensors of a GGUF file.

    Raises InputError for a file that is missing, corrupt or truncated.
    """
    from gguf import GGUFReader, dequantize

    if not path.is_file():
        raise InputError(f"{path} does not exist")
    try:
        reader = GGUFReader(path)
        fields = {name: field.contents() for name, field in reader.fields.items()}
        tensors = {tensor.name: tensor for tensor in reader.tensors}
    except Exception as error:
        # The reader meets a bad file with whatever its arithmetic raises first.
        raise InputError(f"{path} is corrupt or truncated ({error}); download it again") from error
    return fields, Tensors(
        set(tensors), lambda name: dequantize(tensors[name].data, tensors[name].tensor_type)
    )


def stack_params(tensors: Tensors, table: dict, config: DecoderConfig, dtype, where: str) -> dict:
    """Parameters of the Decoder, each block's tensors stacked over layers.

    Raises InputError that lists missing (-) and unexpected (+) tensors, or names a wrong shape.
    """
    if config.layers > len(tensors.names):
        raise InputError(f"{where}: {config.layers} layers, but only {len(tensors.names)} tensors")
    tokens = jax.ShapeDtypeStruct((1, 1), jnp.int32)
    shapes = jax.eval_shape(
        Decoder(config, jnp.dtype(dtype)).init, jax.random.key(0), tokens, tokens
    )["params"]
    paths, structure = jax.tree.flatten_with_path(shapes)
    wanted = {jax.tree_util.keystr(p, simple=True, separator="/"): s for p, s in paths}
    names = {path: layer_names(table[path][0], config.layers) for path in wanted}
    expected = {name for of_path in names.values() for name in of_path}
    spare = {name for name in tensors.names - expected if name.endswith(DERIVED)}
    if config.tie_embeddings:
        spare |= {table["lm_head"][0]} & tensors.names
    refuse_mismatch(expected - tensors.names, tensors.names - expected - spare, where)
    if table["lm_head"][0] in spare and not np.array_equal(
        tensors.read(table["lm_head"][0]), tensors.read(table["embedding"][0])
    ):
        raise InputError(f"{where}: lm_head differs from the embedding it should be tied to")

    def load(path: str, shape) -> jax.Array:
        transform = table[path][1]
        one = shape.shape[1:] if path.startswith("blocks/") else shape.shape
        try:
            stacked = np.empty((len(names[path]), *one), np.float32)
        except (MemoryError, ValueError) as error:
            raise InputError(f"{where}: {path} {shape.shape} is larger than memory") from error
        for layer, name in enumerate(names[path]):
            read = np.asarray(tensors.read(name), np.float32)
            try:
                arranged = transform(read, config)
            except ValueError:
                arranged = read
            if arranged.shape != one:
                raise InputError(
                    f"{where}: {name} has shape {read.shape}, which does not make {path} {one}"
                )
            stacked[layer] = arranged
        return jnp.asarray(stacked.reshape(shape.shape), dtype)

    return structure.unflatten([load(path, shape) for path, shape in wanted.items()])


def layer_names(template: str, layers: int) -> list[str]:
    """The checkpoint's names of one parameter: one for each layer, or one alone."""
    if "{layer}" not in template:
        return [template]
    return [template.format(layer=layer) for layer in range(layers)]


def refuse_mismatch(missing: Iterable[str], extra: Iterable[str], where: str) -> None:
    """An InputError that lists what is missing (-) and what is unexpected (+)."""
    listed = [f"-{name}" for name in sorted(missing)] + [f"+{name}" for name in sorted(extra)]
    if listed:
        raise InputError(
            f"{where}: the tensors do not match the configuration "
            f"(- missing, + unexpected): {' '.join(listed)}"
        )
