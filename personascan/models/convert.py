"""Pickled torch checkpoints -> a safetensors file, without running what a pickle may hold."""

import pathlib
import shutil

import torch
from safetensors.torch import save_file

from personascan.errors import InputError
from personascan.files import whole_folder
from personascan.models.folder import SINGLE, file_names
from personascan.models.tokenizer import NAMED_TEMPLATES, tokenizer_files
from personascan.reading import is_file, read_json

PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
MORE = ("config.json", "generation_config.json")


def convert_folder(source, out) -> tuple[int, int]:
    """Write `out`: the tensors of a folder's .bin files as safetensors, configuration, tokenizer.

    Returns:
      How many tensors, and their bytes.

    Raises:
      InputError: no .bin files, or one that is damaged or holds more than tensors.
    """
    source = pathlib.Path(source).expanduser()
    files = pickled_files(source)
    with whole_folder(out) as partial:
        tensors = {}
        for file in files:
            tensors |= read_pickled(file)
        tensors = without_copies(tensors)
        save_file(tensors, partial / SINGLE, metadata={"format": "pt"})
        for file in [*(source / name for name in MORE), *tokenizer_files(source)]:
            if is_file(file):
                folder = partial / (NAMED_TEMPLATES if file.parent != source else "")
                folder.mkdir(exist_ok=True)
                shutil.copyfile(file, folder / file.name)
    return len(tensors), sum(t.numel() * t.element_size() for t in tensors.values())


def pickled_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The single .bin file, or those that the index names."""
    if is_file(folder / PICKLED):
        return [folder / PICKLED]
    index = folder / PICKLED_INDEX
    if not is_file(index):
        raise InputError(f"{folder} has no {PICKLED} and no {PICKLED_INDEX}; nothing to convert")
    names = file_names(read_json(index).get("weight_map"), index)
    missing = [n for n in names if pathlib.PurePath(n).name != n or not is_file(folder / n)]
    if missing:
        raise InputError(f"{index} names {missing[0]!r}, which is missing; download it again")
    return [folder / name for name in names]


def read_pickled(file: pathlib.Path) -> dict:
    """{name: tensor} of one file. Raises InputError for anything but tensors in it."""
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        # Unpickling fails in many ways; a refusal of foreign objects is one of them.
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{file} is damaged or holds more than tensors ({reason}); it is not read further"
        ) from error
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(torch.is_tensor(t) for t in found.values()):
        raise InputError(f"{file} does not hold tensors by name; it is no checkpoint")
    return found


def without_copies(tensors: dict) -> dict:
    """Whole tensors of their own; of tied ones, which share their memory, the first name."""
    found, seen = {}, set()
    for name, tensor in tensors.items():
        place = (tensor.untyped_storage().data_ptr(), tensor.storage_offset(), tensor.shape)
        if tensor.numel() and place in seen:
            continue
        seen.add(place)
        found[name] = tensor.clone().contiguous()
    return found
