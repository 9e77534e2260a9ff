"""Converted parameters, kept with Orbax: the second start of a model neither reads nor converts it.

An entry is a folder named after everything that decides its content, and appears when it is whole.
"""

import hashlib
import json
import math
import os
import pathlib
import shutil
import sys
import tempfile

import jax

from personascan.models.checkpoint import by_path, parameter_shapes
from personascan.models.config import DecoderConfig
from personascan.models.embedded import cache_folder, file_sha256
from personascan.sharding import parameter_sharding

LAYOUT = 1  # raised when a stored parameter or configuration would be made otherwise


def entry_folder(sha256: str, dtype: str) -> pathlib.Path:
    """Where the conversion of a source is kept."""
    key = hashlib.sha256(f"{sha256}/{dtype}/{LAYOUT}".encode()).hexdigest()
    return cache_folder() / "converted" / key[:32]


def restore_params(folder: pathlib.Path, config: DecoderConfig, dtype: str, mesh) -> dict | None:
    """The parameters of an entry, each device reading its own part; None without a whole one."""
    if not (folder / "params").is_dir():
        return None
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
        # Whatever is wrong with the copy, the source is still there.
        first = " ".join(str(error).split())[:120]
        print(f"note: the converted copy {folder} is damaged ({first}); made anew", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        return None


def one_at_a_time(params: dict):
    """A checkpointer that has no more on the host than the largest parameter."""
    import orbax.checkpoint as ocp

    sizes = [math.prod(p.shape) * p.dtype.itemsize for p in jax.tree.leaves(params)]
    most = 1.01 * max(sizes) / 1e9
    handler = ocp.StandardCheckpointHandler(save_concurrent_gb=most, restore_concurrent_gb=most)
    return ocp.Checkpointer(handler)


def keep_params(folder: pathlib.Path, params: dict, raw: dict, tokenizer=None) -> None:
    """Write an entry. Where that is not possible the model is used without."""
    import orbax.checkpoint as ocp

    size = sum(p.nbytes for p in jax.tree.leaves(params))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder.parent).free < 1.5 * size:
            raise OSError(f"less than {1.5 * size / 1e9:.1f} GB are free")
        partial = pathlib.Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
        try:
            with one_at_a_time(params) as checkpointer:
                checkpointer.save(partial / "params", args=ocp.args.StandardSave(params))
            (partial / "config.json").write_text(json.dumps(raw), encoding="utf-8")
            if tokenizer is not None:
                tokenizer.save_pretrained(partial / "tokenizer")
            os.replace(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except (OSError, ValueError) as error:
        if not folder.is_dir():  # else another process was first
            print(
                f"note: converted parameters are not kept ({error}); set PERSONASCAN_CACHE to a "
                "folder with more room",
                file=sys.stderr,
            )


def remembered_sha256(path: pathlib.Path) -> str:
    """The hash of a file, worked out anew only when its size or time has changed."""
    seen = path.resolve().stat()
    identity = f"{path.resolve()}\n{seen.st_size}\n{seen.st_mtime_ns}\n{seen.st_ino}"
    note = cache_folder() / "hashes" / hashlib.sha256(identity.encode()).hexdigest()[:32]
    try:
        known = note.read_text(encoding="ascii")
        if len(known) == 64:
            return known
    except (OSError, ValueError):
        pass  # not known yet
    digest = file_sha256(path)
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(digest, encoding="ascii")
    except OSError:
        pass  # only a memory: without it the next start hashes again
    return digest
