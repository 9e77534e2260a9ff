"""Files of activations that another program wrote: safetensors, one for each row.

Two forms, told apart by nothing but the names of their tensors:

vLLM's `extract_hidden_states` (docs.vllm.ai, v0.22.0; examples of v0.20.2 do the same) writes a
file {request id}.safetensors for each request into `shared_storage_path` and gives its path as
`kv_transfer_params["hidden_states_path"]`:
  hidden_states [num_tokens, num_extracted_layers, hidden_size], of the model's type;
  token_ids [num_tokens] int64: the prompt's, and where the request has `include_output_tokens`
  also what was written, but for the last token, which the model never read.
Layers are those of `eagle_aux_hidden_state_layer_ids`: id k is the stream before block k, our
resid_post k - 1; id 0 is the embedding, and the number of layers is the last block's output, not
normalised. A file `*.lock` beside each is empty, and stays behind.

Any other program: one tensor [tokens, layers, width] of any name, and perhaps token_ids.
"""

import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.hashes import is_inside
from personascan.models.checkpoint import mapped_tensors
from personascan.reading import is_file
from personascan.visible import visible

SUFFIX = ".safetensors"
HIDDEN_STATES, TOKEN_IDS = "hidden_states", "token_ids"


class ActivationFile(NamedTuple):
    """What a file holds; the activations are mapped, and read where they are used."""

    path: pathlib.Path
    hidden_TLD: np.ndarray
    token_ids: list[int] | None


def row_files(given, ids: Sequence[str] | None) -> dict[str, pathlib.Path]:
    """Returns the file of each row, {id: path}, in the order of `ids`; None: of all files, by name.

    given: a folder whose files have the names of rows, or {id: file}. Raises InputError for a row
    without a file; says which files belong to no row.
    """
    files = named_files(given)
    if ids is None:
        return files
    if len(set(ids)) < len(ids):
        raise InputError("two rows have one id; give each an id of its own")
    missing = [id_ for id_ in ids if id_ not in files]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(ids)} rows have no file, the first is {missing[0]!r}; files "
            f"are named by rows, as {shown_name(missing[0])}, or given as {{id: file}}"
        )
    extra = sorted(files.keys() - set(ids))
    if extra:
        print(
            f"note: {len(extra)} files belong to no row and are not read; the first is "
            f"{visible(str(files[extra[0]]))}",
            file=sys.stderr,
        )
    return {id_: files[id_] for id_ in ids}


def shown_name(id_: str) -> str:
    return visible(f"{id_}{SUFFIX}")


def named_files(given) -> dict[str, pathlib.Path]:
    """Returns {id: path} of a folder or a mapping. Raises InputError if there is no file."""
    if isinstance(given, Mapping):
        files = {str(id_): pathlib.Path(os.fspath(path)) for id_, path in given.items()}
        lost = [path for path in files.values() if not is_file(path)]
        if lost:
            raise InputError(f"{lost[0]} does not exist, or is not a file")
    else:
        folder = pathlib.Path(given)
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder; give one of {SUFFIX} files, or {{id: file}}")
        paths = sorted(path for path in folder.rglob(f"*{SUFFIX}") if is_file(path))
        # An id may hold "/": its file lies in a folder below.
        names = {path: path.relative_to(folder).as_posix() for path in paths}
        files = {name.removesuffix(SUFFIX): path for path, name in names.items() if is_inside(name)}
    if not files:
        packed = "" if isinstance(given, Mapping) else packed_advice(pathlib.Path(given))
        raise InputError(f"{given} holds no {SUFFIX} file{packed}")
    return files


def packed_advice(folder: pathlib.Path) -> str:
    return "; unpack its .zst files first" if any(folder.rglob(f"*{SUFFIX}.zst")) else ""


def open_file(path: pathlib.Path) -> ActivationFile:
    """Opens a file of activations. Raises InputError unless it holds those of a row."""
    views = mapped_tensors(path)
    others = [name for name in views if name != TOKEN_IDS]
    name = HIDDEN_STATES if HIDDEN_STATES in views else others[0] if len(others) == 1 else None
    if name is None:
        shown = ", ".join(map(visible, others[:3])) or "none but token_ids"
        raise InputError(
            f"{path} must hold one tensor of activations, or one named {HIDDEN_STATES}; it has "
            f"{shown}"
        )
    hidden_TLD = views[name]()
    if hidden_TLD.ndim != 3 or not hidden_TLD.size:
        raise InputError(
            f"{path}: {name} must be [tokens, layers, width], got {list(hidden_TLD.shape)}"
        )
    if not jnp.issubdtype(hidden_TLD.dtype, jnp.floating):
        raise InputError(f"{path}: {name} is {hidden_TLD.dtype}; activations are of a float type")
    if TOKEN_IDS not in views:
        return ActivationFile(path, hidden_TLD, None)
    ids_T = views[TOKEN_IDS]()
    if ids_T.dtype.kind not in "iu" or ids_T.shape != hidden_TLD.shape[:1]:
        raise InputError(
            f"{path}: token_ids is {ids_T.dtype} {list(ids_T.shape)} for {name} "
            f"{list(hidden_TLD.shape)}; give an integer for each of its tokens, which come first"
        )
    return ActivationFile(path, hidden_TLD, ids_T.tolist())


def layer_numbers(given: Sequence[int | None] | None, number: int) -> list[int | None]:
    """Returns the model's layer of each of a file's; None: one that is not kept.

    Raises InputError for another number of them, one named twice, and none that is kept.
    """
    if given is None:
        last = number - 1
        print(
            f"note: the {number} layers of the files are taken for resid_post 0 to {last}; give "
            "layers if they are others",
            file=sys.stderr,
        )
        return list(range(number))
    layers = list(given)
    kept = [layer for layer in layers if layer is not None]
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in kept)
    if not whole or min(kept, default=-1) < 0:
        raise InputError(
            f"layers = {layers}; give the numbers of the model's layers from 0, and None for one "
            "that is not to be read, such as the embedding"
        )
    if len(set(kept)) < len(kept):
        raise InputError(f"layers names one twice: {layers}")
    if len(layers) != number:
        raise InputError(f"layers names {len(layers)} layers, and the files hold {number}")
    return [None if layer is None else int(layer) for layer in layers]
