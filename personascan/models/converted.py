"""Converted parameters, kept with Orbax: the second start of a model neither reads nor converts it.

An entry is a folder named after everything that decides its content, and appears when it is whole.
"""

import json
import math
import os
import pathlib
import shutil
import sys

import jax

from personascan.errors import InputError
from personascan.files import partial_of, remove
from personascan.hashes import cache_folder, damaged_files, seal, text_sha256
from personascan.models.checkpoint import by_path, parameter_shapes
from personascan.models.config import DecoderConfig
from personascan.sharding import parameter_sharding

RECORD = "config.json"
LAYOUT = 3  # raised when a stored parameter, configuration or tokenizer would be made otherwise


def entry_folder(sha256: str, dtype: str) -> pathlib.Path:
    """Where the conversion of a source is kept."""
    key = text_sha256(f"{sha256}/{dtype}/{LAYOUT}")
    return cache_folder() / "converted" / key[:32]


def whole_entry(folder: pathlib.Path) -> bool:
    """Whether an entry is there, every file with its hash; a damaged one is named and removed."""
    try:
        if not folder.is_dir():
            return False
        damaged = damaged_files(folder)
    except (InputError, OSError) as error:
        damaged = [str(error)]
    if damaged:
        note_damage(folder, damaged[0])
    return not damaged


def note_damage(folder: pathlib.Path, what: str) -> None:
    """Whatever is wrong with a copy, the source is still there."""
    print(f"note: the converted copy {folder} is damaged ({what}); made anew", file=sys.stderr)
    remove(folder)


def restore_params(folder: pathlib.Path, config: DecoderConfig, dtype: str, mesh) -> dict | None:
    """The parameters of a whole entry, each device reading its own part; None if damaged."""
    import orbax.checkpoint as ocp

    shapes = parameter_shapes(config, dtype)
    paths, structure = by_path(shapes)
    wanted = structure.unflatten(
        [
            jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=parameter_sharding(p, s.shape, mesh))
            for p, s in paths.items()
        ]
    )
    try:
        with one_at_a_time(wanted) as checkpointer:
            asked = ocp.args.StandardRestore(wanted)
            return jax.block_until_ready(checkpointer.restore(folder / "params", args=asked))
    except Exception as error:
        note_damage(folder, " ".join(str(error).split())[:120])
        return None


def one_at_a_time(params: dict):
    """A checkpointer that has no more on the host than the largest parameter."""
    import orbax.checkpoint as ocp

    sizes = [math.prod(p.shape) * p.dtype.itemsize for p in jax.tree.leaves(params)]
    most = 1.01 * max(sizes) / 1e9
    handler = ocp.StandardCheckpointHandler(save_concurrent_gb=most, restore_concurrent_gb=most)
    return ocp.Checkpointer(handler)


def keep_params(folder: pathlib.Path, params: dict, record: dict, tokenizer=None) -> None:
    """Write an entry. Where that is not possible the model is used without."""
    import orbax.checkpoint as ocp

    size = sum(p.nbytes for p in jax.tree.leaves(params))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder.parent).free < 1.5 * size:
            raise OSError(f"less than {1.5 * size / 1e9:.1f} GB are free")
        with partial_of(folder, folder=True) as partial:
            with one_at_a_time(params) as checkpointer:
                checkpointer.save(partial / "params", args=ocp.args.StandardSave(params))
            (partial / RECORD).write_text(json.dumps(record), encoding="utf-8")
            if tokenizer is not None:
                tokenizer.save_pretrained(partial / "tokenizer")
            seal(partial)
            os.replace(partial, folder)
    except (OSError, ValueError) as error:
        if not folder.is_dir():  # else another process was first
            print(
                f"note: converted parameters are not kept ({error}); set PERSONASCAN_CACHE to a "
                "folder with more room",
                file=sys.stderr,
            )
