"""The files of a Hugging Face folder that are the model: as Transformers reads them, or refused."""

import pathlib
import re
import sys
from typing import NamedTuple

from personascan.errors import InputError
from personascan.hub import INDEX, SINGLE
from personascan.models.tokenizer import is_tokenizer_file
from personascan.reading import is_file, read_json
from personascan.visible import visible

CONFIG, GENERATION = "config.json", "generation_config.json"
PICKLED_SINGLE, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
# Another precision or an older name: `model.fp16.safetensors`, shards without an index.
OTHER_WEIGHTS = re.compile(r".*\.safetensors(\.index\.json)?")
PICKLED = re.compile(r".*\.(bin|pt|pth|ckpt)")


class Weights(NamedTuple):
    """The files that hold a checkpoint's tensors."""

    files: list[pathlib.Path]
    of_tensor: dict[str, str] | None  # {tensor: name of its file} of an index


def is_description_file(name: str) -> bool:
    """Returns whether a file, by its path in a folder, is read besides the weights."""
    return name in (CONFIG, GENERATION) or is_tokenizer_file(name)


def read_folder_config(folder: pathlib.Path) -> dict:
    """Returns config.json of a folder. Raises InputError, with advice for an adapter."""
    if not is_file(folder / "config.json") and is_file(folder / "adapter_config.json"):
        raise InputError(
            f"{folder} holds an adapter (LoRA), not a model; merge it into its base first: "
            'python -c "from peft import AutoPeftModelForCausalLM as M; '
            f"M.from_pretrained('{folder}').merge_and_unload().save_pretrained('merged')\""
        )
    if is_file(folder / "adapter_config.json"):
        print(
            f"note: {visible(folder)} holds an adapter (LoRA) beside the model, which is read "
            "without it",
            file=sys.stderr,
        )
    return read_json(folder / "config.json")


def weights_of(folder: pathlib.Path) -> Weights:
    """Returns the single file if there is one, else the files of the index, as Transformers does.

    Raises InputError for a folder with neither, with advice by what it holds.
    """
    if is_file(folder / SINGLE):
        return Weights([folder / SINGLE], None)
    index = folder / INDEX
    if not index.exists():
        raise InputError(f"{folder} has no {SINGLE} and no {INDEX} ({advice_for(folder)})")
    of_tensor = read_json(index).get("weight_map")
    names = file_names(of_tensor, index)
    for name in names:
        if pathlib.PurePath(name).name != name:
            raise InputError(f"{index} names {name!r}, which is not a file beside it")
        if not is_file(folder / name):
            raise InputError(f"{index} names {name[:80]!r}, which is missing; download it again")
    return Weights([folder / name for name in names], of_tensor)


def file_names(of_tensor, index) -> list[str]:
    """Returns the distinct files of an index's weight_map."""
    if not isinstance(of_tensor, dict) or not all(isinstance(n, str) for n in of_tensor.values()):
        raise InputError(f"{index} has no weight_map of file names; download it again")
    return sorted(set(of_tensor.values()))


def advice_for(folder: pathlib.Path) -> str:
    """Returns what to do with a folder that has other weights, or none."""
    names = sorted(p.name for p in folder.iterdir())
    others = [n for n in names if OTHER_WEIGHTS.fullmatch(n)]
    pickled = [n for n in names if PICKLED.fullmatch(n)]
    gguf = [n for n in names if n.endswith(".gguf")]
    if others:
        return (
            f"it has {', '.join(others[:4])}, which Transformers would not load by itself either: "
            f"rename a single file to {SINGLE}, or add the index of the shards"
        )
    if gguf:
        return f"name the file itself: {folder / gguf[0]}"
    if pickled:
        return (
            f"only safetensors and GGUF checkpoints are read, not {', '.join(pickled[:4])}, which "
            f"can run code; convert once: personascan convert --model={folder} "
            f"--out={folder}-safetensors"
        )
    return "only safetensors and GGUF checkpoints are read"
