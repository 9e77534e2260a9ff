"""Parameters cached with Orbax: a conversion or training is done once and read at later starts.

An entry is a folder named after everything that decides its content, and appears when it is whole.
"""

import json
import math
import pathlib
from collections.abc import Callable

import jax
import numpy as np

from personascan.copies import discard, is_whole, keep_copy
from personascan.errors import InputError
from personascan.hashes import cache_folder, text_sha256
from personascan.models.checkpoint import leaves_by_path, parameter_shapes
from personascan.models.config import DecoderConfig
from personascan.reading import read_json
from personascan.sharding import parameter_sharding

PARAMS, RECORD, TOKENIZER = "params", "config.json", "tokenizer"
LAYOUT = 3  # to be increased when stored parameters, records or tokenizers change


def uses_cache(cache: bool = True) -> bool:
    """Returns whether copies are cached, which several processes do not do.

    Their copy would have to be on a disk that all of them share, which cannot be known.
    """
    return cache and not jax.distributed.is_initialized()


def entry_folder(sha256: str, dtype: str) -> pathlib.Path:
    """Returns the folder in which the conversion of a source is cached."""
    key = text_sha256(f"{sha256}/{dtype}/{LAYOUT}")
    return cache_folder() / "converted" / key[:32]


def restore_params(folder: pathlib.Path, config: DecoderConfig, dtype: str, mesh) -> dict | None:
    """Returns the parameters of an entry, each device reading its own part; None if damaged."""
    shapes = parameter_shapes(config, dtype)
    paths, structure = leaves_by_path(shapes)
    wanted = structure.unflatten(
        [
            jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=parameter_sharding(p, s.shape, mesh))
            for p, s in paths.items()
        ]
    )
    return restore(folder, wanted)


def restore(folder: pathlib.Path, wanted: dict) -> dict | None:
    """Returns the arrays of an entry, sharded or of NumPy as in `wanted`; None if damaged."""
    import orbax.checkpoint as ocp

    try:
        with one_at_a_time(wanted) as checkpointer:
            asked = ocp.args.StandardRestore(wanted)
            return jax.block_until_ready(checkpointer.restore(folder / PARAMS, args=asked))
    except Exception as error:
        discard(folder, str(error))
        return None


def one_at_a_time(params: dict):
    """Returns a checkpointer that holds no more on the host than the largest parameter."""
    import orbax.checkpoint as ocp

    sizes = [math.prod(p.shape) * p.dtype.itemsize for p in jax.tree.leaves(params)]
    most = 1.01 * max(sizes) / 1e9
    handler = ocp.StandardCheckpointHandler(save_concurrent_gb=most, restore_concurrent_gb=most)
    return ocp.Checkpointer(handler)


def keep_params(
    folder: pathlib.Path, params: dict, record: dict, tokenizer=None, what: str = "converted"
) -> None:
    """Writes an entry, or prints a notice if that is not possible."""
    import orbax.checkpoint as ocp

    def fill(partial: pathlib.Path) -> None:
        with one_at_a_time(params) as checkpointer:
            checkpointer.save(partial / PARAMS, args=ocp.args.StandardSave(params))
        (partial / RECORD).write_text(json.dumps(record), encoding="utf-8")
        if tokenizer is not None:
            tokenizer.save_pretrained(partial / TOKENIZER)

    keep_copy(folder, fill, f"{what} parameters", sum(p.nbytes for p in jax.tree.leaves(params)))


def cached_arrays(key: dict, make: Callable[[], dict]) -> dict:
    """Returns arrays {layer: {name: array}}: those cached under `key`, or `make()`, then cached.

    key: everything that decides them, as JSON holds it: hashes of the data, options, seed, network.
      The version of jax is added here. A damaged copy is made anew, with a notice; if nothing can
      be cached, the arrays are returned all the same.
    """
    key = key | {"jax": jax.__version__}
    text = json.dumps(key, sort_keys=True, separators=(",", ":"))
    folder = cache_folder() / "networks" / text_sha256(text)[:32]
    params = read_cached(folder) if uses_cache() else None
    if params is None:
        params = jax.tree.map(np.asarray, make())
        if uses_cache():
            arrays = jax.tree.map(lambda array: [array.dtype.name, *array.shape], params)
            record = {"key": key, "arrays": arrays}
            keep_params(folder, jax.tree.map(with_entries, params), record, what="trained")
    return params


def read_cached(folder: pathlib.Path) -> dict | None:
    """Returns the arrays of an entry, on the host; None if there is none, or it is damaged."""
    if not is_whole(folder):
        return None
    try:
        arrays = read_json(folder / RECORD)["arrays"]
        wanted = {
            layer: {name: np.empty(shape, dtype) for name, (dtype, *shape) in named.items()}
            for layer, named in arrays.items()
        }
    except (InputError, KeyError) as error:
        discard(folder, f"{RECORD}: {error}")
        return None
    restored = restore(folder, jax.tree.map(with_entries, wanted))
    return restored and jax.tree.map(lambda w, f: f if w.size else w, wanted, restored)


def with_entries(array: np.ndarray) -> np.ndarray:
    """Returns the array, or a single zero for an array without entries, which Orbax refuses."""
    return array if array.size else np.zeros(1, array.dtype)
