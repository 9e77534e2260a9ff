"""Directions and node sets as files: safetensors, and the control vectors of llama.cpp.

llama.cpp adds the tensor direction.N to what block N leaves in the residual stream, at every token,
for N from 1 to the last block (llama_adapter_cvec::apply in src/llama-adapter.cpp, build_cvec in
src/models). It reads no metadata, and refuses a file with any other tensor, or with one that is
not float32 (common_control_vector_load_one in common/common.cpp).
"""

import json
import os
import pathlib
import re
import sys

import jax.numpy as jnp
import numpy as np

from personascan.direction import (
    RECORD,
    SUFFIX,
    Direction,
    content_sha256,
    note_text,
    refuse_suffix,
)
from personascan.errors import InputError
from personascan.files import whole_file
from personascan.interventions.control_vectors import control_vectors
from personascan.interventions.direction_checks import refuse_misfit, refuse_unusable
from personascan.models.checkpoint import mapped_tensors
from personascan.models.config import DecoderConfig
from personascan.models.decoder import SITES
from personascan.models.gguf_file import read_gguf
from personascan.places import ONCE, STREAM, layer_number
from personascan.reading import is_file
from personascan.visible import visible

CONTROL_VECTOR = "controlvector"  # general.architecture
TENSOR = re.compile(r"(direction|nodes)\.(?:([a-z_]+)\.)?(0|[1-9][0-9]{0,8})")
PICKLED = (
    "opening it may run code that it holds; where you trust it, save what is in it with "
    'safetensors.torch.save_file({"direction.16": vector}, "x.safetensors") and give that'
)
ARRAYS = 'save it with safetensors.numpy.save_file({"direction.16": x}, "x.safetensors")'
OTHER_FILES = {
    **dict.fromkeys((".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle"), PICKLED),
    **dict.fromkeys((".npz", ".npy"), f"its arrays name no layers; {ARRAYS} and give that"),
}


def write_safetensors(path, direction: Direction, *, overwrite: bool = False) -> None:
    """Writes tensors direction.SITE.LAYER and nodes.SITE.LAYER; name and record are metadata.

    Raises InputError, and leaves no file, for a direction that cannot be used (no vector, one that
    is not finite or has another type, all of them 0), a record that is not plain JSON, another
    suffix, and as `whole_file`.
    """
    refuse_suffix(path, SUFFIX)
    refuse_unusable("the direction", direction)
    direction.save(path, overwrite=overwrite)


def write_gguf(
    path, direction: Direction, config: DecoderConfig, architecture: str, *, overwrite: bool = False
) -> None:
    """Writes a control vector for llama.cpp, whose --control-vector adds the shift at strength 1.

    The node set is left out, since the format has no room for it. Shifts elsewhere that have the
    same effect become resid_post (`control_vectors`).

    Args:
      architecture: the model's general.architecture in GGUF, such as "llama"; a hint to readers.

    Raises:
      InputError: as `write_safetensors`; and for a shift that llama.cpp could not add, or adds to
        no layer of this model.
    """
    from gguf import GGUFWriter

    refuse_suffix(path, ".gguf")
    if not (isinstance(architecture, str) and architecture.strip() and architecture.isprintable()):
        raise InputError(f"architecture = {architecture!r} is no name; give one such as 'llama'")
    refuse_unusable("the direction", direction)
    refuse_misfit("the direction", direction, config)
    vectors = control_vectors(direction, config)
    tensors = {f"direction.{layer}": x_D for (_, layer), x_D in sorted(vectors.shift.items())}
    note = note_text(vectors, tensors)
    with whole_file(path, overwrite=overwrite) as file:
        writer = GGUFWriter(file.name, CONTROL_VECTOR)
        try:
            writer.add_string(f"{CONTROL_VECTOR}.model_hint", architecture)
            writer.add_int32(f"{CONTROL_VECTOR}.layer_count", len(tensors))
            writer.add_string(RECORD, note)
            for name, x_D in tensors.items():
                writer.add_tensor(name, x_D)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()


def read_direction(
    path: str | os.PathLike[str],
    config: DecoderConfig | None = None,
    *,
    at: str = "",
    model_sha256: str = "",
) -> Direction:
    """Reads a direction from a .safetensors or .gguf file of any program.

    Tensors are named as `write_safetensors` does, or direction.N, which is resid_post of layer N.
    Floating types become float32. A foreign file has no record, and its name becomes the
    direction's. If a record names another model, a note is printed: a model of the same shape takes
    its vectors, and its nodes may mean something else.

    Args:
      config: of the model that it is for, `LanguageModel.config`; None: the vectors are not held
        against a model (`generate` does so).
      at: the place of a vector whose file names none, such as "resid_post 16".
      model_sha256: `LanguageModel.sha256` of this model; "": not known.

    Raises:
      InputError: a file that is missing, damaged, or of another kind; vectors that do not fit the
        model, are not finite, or all 0.
    """
    path = pathlib.Path(path)
    if not path.suffix and not path.exists():  # as `save` takes it
        path = path.with_suffix(SUFFIX)
    suffix = path.suffix.lower()
    if suffix in OTHER_FILES:
        raise InputError(f"{path} is not opened: {OTHER_FILES[suffix]}")
    if suffix not in (".safetensors", ".gguf"):
        raise InputError(
            f"{path} is no file of directions by its name; give a .safetensors or .gguf"
        )
    if not is_file(path):
        raise InputError(f"{path} does not exist, or is not a file")
    tensors, note = (gguf_content if suffix == ".gguf" else safetensors_content)(path)
    name, record = (path.stem, {}) if note is None else read_note(path, note, tensors)
    direction = Direction(name, {}, record=record)
    for tensor, (kind, *place) in named_places(path, tensors, config, at).items():
        if kind == "direction":
            direction.shift[tuple(place)] = as_float32(f"{path}: {tensor}", tensors[tensor])
        else:
            direction.nodes[tuple(place)] = np.array(tensors[tensor])
    refuse_unusable(path, direction)
    if config is not None:
        refuse_misfit(path, direction, config)
        say_other_model(path, record, model_sha256)
    return direction


def say_other_model(path, record: dict, model_sha256: str) -> None:
    """Prints a note if a direction's record names a model that is not, or may not be, this one."""
    named = record.get("model_sha256")
    if not named or named == model_sha256:
        return
    made_for = f"note: {visible(path)} was made for {visible(record.get('model', 'a model'))}"
    is_this = (
        "another model than this one (its hash differs), whose nodes may mean something else"
        if model_sha256
        else "and whether this is that model was not checked (give model_sha256)"
    )
    print(f"{made_for}, {is_this}", file=sys.stderr)


def safetensors_content(path: pathlib.Path) -> tuple[dict, str | None]:
    """Returns (tensors as they are stored, note or None) of a safetensors file."""
    from safetensors import safe_open

    views = mapped_tensors(path)
    with safe_open(path, framework="numpy") as file:
        note = (file.metadata() or {}).get(RECORD)
    return {name: view() for name, view in views.items()}, note


def gguf_content(path: pathlib.Path) -> tuple[dict, str | None]:
    """Returns (tensors, note or None) of a GGUF file; bfloat16 becomes float32."""
    from gguf import GGMLQuantizationType, dequantize

    fields, stored = read_gguf(path)
    kind = fields.get("general.architecture", CONTROL_VECTOR)
    if kind != CONTROL_VECTOR:
        raise InputError(f"{path} is no control vector (its architecture is {kind}); give one")
    if "direction.0" in stored:
        raise InputError(f"{path}: direction.0 is of no block that llama.cpp adds to; remove it")
    tensors = {}
    for name, tensor in stored.items():
        packed = tensor.data.dtype == np.uint8
        if packed and tensor.tensor_type != GGMLQuantizationType.BF16:
            raise InputError(
                f"{path}: {name} is quantised as {tensor.tensor_type.name}; give it as F32"
            )
        tensors[name] = dequantize(tensor.data, tensor.tensor_type) if packed else tensor.data
    return tensors, fields.get(RECORD)


def named_places(path, tensors: dict, config: DecoderConfig | None, at: str) -> dict[str, tuple]:
    """Returns {tensor: (direction or nodes, site, layer)}."""
    named = {name: TENSOR.fullmatch(name) for name in tensors}
    if len(named) == 1 and not all(named.values()):
        if not at:
            raise InputError(
                f'{path} does not say where its vector is added; say so: at="resid_post 16"'
            )
        return {name: ("direction", *place_at(at, config)) for name in named}
    others = [name for name, match in named.items() if not match]
    if others or not named:
        shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        raise InputError(
            f"{path} holds {shown or 'no tensor'}; give a file of tensors named direction.LAYER or "
            "direction.SITE.LAYER, and no others"
        )
    if at:
        raise InputError(f"{path} says where its vectors are added; leave at = {at!r} out")
    places = {name: (m[1], m[2] or STREAM, int(m[3])) for name, m in named.items()}
    if len(set(places.values())) < len(places):
        raise InputError(f"{path} has two vectors for one place; keep one of them")
    return places


def place_at(text: str, config: DecoderConfig | None) -> tuple[str, int]:
    """Returns (site, layer) of "resid_post 16", "resid_post 50%" or "final_norm"."""
    site, *layer = text.split() or [""]
    if site not in SITES or len(layer) != (site not in ONCE):
        raise InputError(
            f"at = {text!r} is no place; give a site and its layer, such as 'resid_post 16'; "
            f"sites are {', '.join(SITES)}"
        )
    if layer and config is None and not layer[0].isdecimal():
        raise InputError(
            f"at = {text!r} needs the model's depth; give its config, or a number such as "
            "'resid_post 16'"
        )
    layers = int(layer[0]) + 1 if layer and config is None else config.layers if config else 1
    return site, layer_number(layer[0], layers) if layer else 0


def as_float32(where: str, x_D) -> np.ndarray:
    if not jnp.issubdtype(x_D.dtype, jnp.floating):
        raise InputError(
            f"{where} is of type {x_D.dtype}, not of a floating type; save it as float32"
        )
    with np.errstate(over="ignore"):
        return np.array(x_D, np.float32)  # a value too large is infinite, and refused as such


def read_note(path, text, tensors: dict) -> tuple[str, dict]:
    """Returns (name, record) of a note. Raises InputError if their hash differs."""
    try:
        note = json.loads(text)
        sha256 = note.pop("sha256")
        name, record = note["name"], dict(note["record"])
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(f"{path} is damaged ({RECORD}: {error}); write it again") from error
    if sha256 != content_sha256(note, tensors):
        raise InputError(f"{path} is damaged: it is not what was written; write it again")
    return name, record
