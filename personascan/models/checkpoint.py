"""Tensors of a checkpoint -> stacked parameters on their devices, with no missing or extra names.

Nothing is unpickled: safetensors and GGUF files hold arrays and metadata only.
"""

import functools
import itertools
import json
import math
import mmap
import pathlib
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.models.config import DecoderConfig
from personascan.models.decoder import Decoder
from personascan.models.tap import Kept
from personascan.reading import refuse_special
from personascan.sharding import free_host_arrays, parameter_sharding, put, put_parts

# Tensors derived from the configuration, in checkpoints of old versions.
DERIVED = (
    ".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias", ".attention.bias",
    ".attention.masked_bias", ".embeddings.position_ids", ".embeddings.token_type_ids",
)  # fmt: skip
NUMPY_DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": jnp.bfloat16,
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8, "U8": np.uint8,
    "BOOL": np.bool_,
}  # fmt: skip


class Tensors(NamedTuple):
    """The tensors of a checkpoint: their names, and how to read one as a NumPy array."""

    names: set[str]
    read: Callable[[str], np.ndarray]


def open_safetensors(files: list[pathlib.Path], of_tensor: dict[str, str] | None = None) -> Tensors:
    """Opens the tensors of safetensors files, memory-mapped.

    of_tensor: {tensor: name of its file}, from an index. Raises InputError for a corrupt or
    truncated file, and for a tensor that is in two files, or not in the one the index names.
    """
    views, file_of = {}, {}
    for file in files:
        mapped = mapped_tensors(file)
        twice = sorted(views.keys() & mapped.keys())
        if twice:
            raise InputError(
                f"{twice[0]} is in {file_of[twice[0]]} and in {file.name}: shards of two "
                "checkpoints are mixed; keep those of one"
            )
        views |= mapped
        file_of |= dict.fromkeys(mapped, file.name)
    for name, file in (of_tensor or {}).items():
        if file_of.get(name) != file:
            where = f"in {file_of[name]}" if name in file_of else "in none of its files"
            raise InputError(
                f"the index names {file} for {name}, which is {where}: index and shards are of two "
                "checkpoints; keep those of one"
            )
    return Tensors(set(views), lambda name: views[name]())


def mapped_tensors(file: pathlib.Path) -> dict[str, Callable[[], np.ndarray]]:
    """Returns {name: a function that views the tensor}; no byte is read before a view is used."""
    from safetensors import SafetensorError, safe_open

    refuse_special(file)
    try:
        with safe_open(file, framework="numpy"):
            pass  # this checks the header, types and extents
        with file.open("rb") as raw:
            mapped = mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{file} is corrupt or truncated ({error}); download it again") from error
    header = int.from_bytes(mapped[:8], "little")
    entries = json.loads(mapped[8 : 8 + header])
    entries.pop("__metadata__", None)

    def view(entry: dict, name: str):
        if entry["dtype"] not in NUMPY_DTYPES:
            raise InputError(f"{file}: {name} is of type {entry['dtype']}, which is not supported")
        first, shape = 8 + header + entry["data_offsets"][0], entry["shape"]
        flat = np.frombuffer(mapped, NUMPY_DTYPES[entry["dtype"]], math.prod(shape), first)
        return flat.reshape(shape)

    return {n: lambda n=n, entry=entry: view(entry, n) for n, entry in entries.items()}


def parameter_shapes(config: DecoderConfig, dtype) -> dict:
    """Returns every parameter of the Decoder as a ShapeDtypeStruct; nothing is computed."""
    tokens = jax.ShapeDtypeStruct((1, 1), jnp.int32)
    decoder = Decoder(config, jnp.dtype(dtype))
    return jax.eval_shape(decoder.init, jax.random.key(0), tokens, Kept(tokens))["params"]


def leaves_by_path(tree) -> tuple[dict, jax.tree_util.PyTreeDef]:
    """Returns {"blocks/q": leaf} of a tree, and its structure."""
    leaves, structure = jax.tree.flatten_with_path(tree)
    return {jax.tree_util.keystr(p, simple=True, separator="/"): x for p, x in leaves}, structure


def stack_params(
    tensors: Tensors, table, config: DecoderConfig, dtype, where: str, mesh=None
) -> dict:
    """Returns the Decoder's parameters, each block's tensors stacked over layers, in their dtype.

    The host holds one stacked parameter at a time. Raises InputError that lists missing (-) and
    unexpected (+) tensors, names a wrong shape, or a value that the dtype cannot hold.
    """
    if config.layers > len(tensors.names) and not config.shared_blocks:
        raise InputError(f"{where}: {config.layers} layers, but only {len(tensors.names)} tensors")
    wanted, structure = leaves_by_path(parameter_shapes(config, dtype))
    names = all_tensor_names(tensors, table, config, where)

    def stack_part(path: str, shape, part: tuple[slice, ...]) -> np.ndarray:
        """Returns a parameter, or the part of it that a device needs."""
        transform = table[path][1]
        counts = stack_counts(table[path][0], path, config)
        one, of_one = shape.shape[len(counts) :], part[len(counts) :]
        numbers = np.arange(len(names[path])).reshape(counts)[part[: len(counts)]]
        sizes = [len(range(n)[s]) for n, s in zip(one, of_one, strict=True)]
        try:
            array = np.empty((numbers.size, *sizes), shape.dtype)
        except (MemoryError, ValueError) as error:
            raise InputError(f"{where}: {path} {shape.shape} is larger than memory") from error
        for row, number in zip(array, numbers.ravel(), strict=True):
            name = names[path][number]
            read = tensors.read(name)
            try:
                arranged = transform(read, config)
            except (ValueError, IndexError):
                arranged = read
            if arranged.shape != one:
                raise InputError(
                    f"{where}: {name} has shape {read.shape}, which does not make {path} {one}"
                )
            with np.errstate(over="ignore"):
                row[...] = arranged[of_one]
            refuse_overflow(row, arranged[of_one], where, name)
        return array.reshape(*numbers.shape, *sizes)

    def load(path: str, shape) -> jax.Array:
        sharding = parameter_sharding(path, shape.shape, mesh)
        if sharding.is_fully_addressable:
            array = put(stack_part(path, shape, (slice(None),) * len(shape.shape)), sharding)
        else:  # of a model larger than this host
            array = put_parts(shape.shape, sharding, functools.partial(stack_part, path, shape))
        free_host_arrays()
        return array

    return structure.unflatten([load(path, shape) for path, shape in wanted.items()])


def all_tensor_names(tensors: Tensors, table, config: DecoderConfig, where: str) -> dict:
    """Returns {parameter: the checkpoint's names of its tensors}.

    Raises InputError that lists missing (-) and unexpected (+) tensors.
    """
    wanted, _ = leaves_by_path(parameter_shapes(config, "float32"))
    names = {path: tensor_names(table[path][0], path, config) for path in wanted}
    expected = {name for of_path in names.values() for name in of_path}
    spare = {name for name in tensors.names - expected if name.endswith(DERIVED)}
    refuse_mismatch(expected - tensors.names, tensors.names - expected - spare, where)
    return names


def stack_counts(template: str, path: str, config: DecoderConfig) -> list[int]:
    """Returns how many tensors are stacked along each leading axis of a parameter."""
    of_name = {
        "layer": config.layers,
        "expert": config.experts,
        "head": config.heads if path.startswith("blocks/q") else config.kv_heads,
    }
    return [of_name[field] for field in re.findall(r"\{(\w+)\}", template)]


def tensor_names(template: str, path: str, config: DecoderConfig) -> list[str]:
    """Returns the checkpoint's names of one parameter's tensors, in the order of stacking."""
    fields = re.findall(r"\{(\w+)\}", template)
    ranges = [range(n) for n in stack_counts(template, path, config)]
    return [
        template.format(**dict(zip(fields, numbers, strict=True)))
        for numbers in itertools.product(*ranges)
    ]


def refuse_overflow(cast: np.ndarray, original: np.ndarray, where: str, name: str) -> None:
    """Raises InputError for whole numbers, and for finite values that became infinite."""
    if not jnp.issubdtype(original.dtype, jnp.floating):
        raise InputError(f"{where}: {name} is of type {original.dtype}, not of a floating type")
    if jnp.finfo(cast.dtype).max >= jnp.finfo(original.dtype).max:
        return
    for extreme in (original.max(), original.min()):  # without a copy of the tensor
        with np.errstate(over="ignore"):
            lost = np.isfinite(extreme) and not np.isfinite(extreme.astype(cast.dtype))
        if lost:
            raise InputError(
                f"{where}: {name} holds {extreme}, which {cast.dtype} cannot hold; "
                "use dtype float32"
            )


def refuse_mismatch(missing: Iterable[str], extra: Iterable[str], where: str) -> None:
    """Raises InputError that lists the missing (-) and the unexpected (+) names."""
    listed = [f"-{name}" for name in sorted(missing)] + [f"+{name}" for name in sorted(extra)]
    if listed:
        raise InputError(
            f"{where}: the tensors do not match the configuration "
            f"(- missing, + unexpected): {' '.join(listed)}"
        )
