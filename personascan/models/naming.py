"""The tensors of a checkpoint under the names of a family's table.

A model is bare, prefixed, or nested in a vision-language model. Heads for other tasks, which no
hidden state needs, are left out; the unembedding may be missing, or the embedding.
"""

import dataclasses

import numpy as np

from personascan.errors import InputError
from personascan.models.checkpoint import Tensors, tensor_names
from personascan.models.config import DecoderConfig
from personascan.models.stacked import unstack

# Heads beside a bare model; under a prefix, tensors without it are left out.
HEADS = ("lm_head", "embed_out", "score", "classifier", "v_head", "qa_outputs", "value_head", "cls")
POOLER = "pooler"  # of an encoder, and under its prefix
# Norms in checkpoints of old versions.
OLD_NAMES = {".LayerNorm.gamma": ".LayerNorm.weight", ".LayerNorm.beta": ".LayerNorm.bias"}
TOWERS = ("vision", "visual", "audio")  # in the prefixes of other models beside the text's
ADAPTER = "lora_"
HEAD = "lm_head.weight"  # Transformers' name in memory, for every family


@dataclasses.dataclass(frozen=True)
class RenamedCheckpoint:
    """A checkpoint under the names of a table."""

    tensors: Tensors
    config: DecoderConfig  # with the unembedding that the checkpoint has
    notes: tuple[str, ...]  # for the user


def table_of(table, config: DecoderConfig) -> dict:
    """Returns a family's table of tensors for a configuration."""
    return table(config) if callable(table) else table


def rename_tensors(
    tensors: Tensors, table: dict, config: DecoderConfig, where: str
) -> RenamedCheckpoint:
    """Gives the tensors of a Hugging Face checkpoint the names of the table.

    Raises InputError for adapters that are not merged, or several models.
    """
    adapters = [name for name in tensors.names if ADAPTER in name]
    if adapters:
        raise InputError(
            f"{where} holds adapters that are not merged, such as {min(adapters)}; merge them "
            "first (peft: model.merge_and_unload().save_pretrained(folder))"
        )
    root = table["embedding"][0].split(".")[0] + "."
    prefix = model_prefix(tensors.names, table, config, root, where)
    head = table["lm_head"][0] if config.causal else None
    theirs = head_name(tensors.names, head)
    real, left_out = {}, []
    for name in tensors.names:
        rest = name.removeprefix(prefix)
        first = rest.split(".")[0]
        if head and (name == theirs or name.endswith((f".{theirs}", head_bias(theirs)))):
            real[head if name.endswith(theirs) else head_bias(head)] = name
        elif not name.startswith(prefix) or (not prefix and first in HEADS) or first == POOLER:
            left_out.append(name)
        else:
            real[f"{root}{current_name(rest)}"] = name
    renamed, notes = Tensors(set(real), lambda name: tensors.read(real[name])), []
    renamed = unstack(renamed, table, config, where)
    if config.causal:
        renamed, config, notes = with_head(renamed, table, config)
    if left_out:
        groups = sorted({name.split(".")[0] if "." in name else name for name in left_out})
        notes.append(
            f"left out, since no hidden state needs it: {', '.join(groups)} "
            f"({len(left_out)} tensors)"
        )
    return RenamedCheckpoint(renamed, config, tuple(notes))


def current_name(name: str) -> str:
    """Returns the name that current checkpoints have for a tensor."""
    for old, new in OLD_NAMES.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def head_name(names: set[str], head: str | None) -> str | None:
    """Returns the unembedding's name: the table's, or the one Transformers 5 may save it under."""
    there = any(name == head or name.endswith(f".{head}") for name in names)
    return HEAD if head and not there and HEAD in names else head


def head_bias(head: str) -> str:
    return head.removesuffix("weight") + "bias"


def model_prefix(names: set[str], table: dict, config: DecoderConfig, root: str, where: str) -> str:
    """Returns the prefix of the model's own modules, by the name of its first block.

    A resampler in the same checkpoint may have blocks of these names, but not all of them.
    """
    block = table["blocks/o"][0].replace("{layer}", "0").removeprefix(root)
    prefixes = sorted(
        name.removesuffix(block) for name in names if name == block or name.endswith(f".{block}")
    )
    towers = [p for p in prefixes if any(word in p for word in TOWERS)]
    prefixes = [p for p in prefixes if p not in towers]
    if len(prefixes) > 1:
        wanted = {name.removeprefix(root) for name in attention_names(table, config)}
        whole = [p for p in prefixes if wanted <= own_names(names, p)]
        prefixes = whole or prefixes
    if len(prefixes) > 1:
        raise InputError(
            f"{where} holds several models ({', '.join(repr(p) for p in prefixes)}); keep one"
        )
    return prefixes[0] if prefixes else root


def own_names(names: set[str], prefix: str) -> set[str]:
    """Returns the names after a prefix, as current checkpoints have them."""
    return {current_name(name.removeprefix(prefix)) for name in names if name.startswith(prefix)}


def attention_names(table: dict, config: DecoderConfig) -> set[str]:
    """Returns the checkpoint's names of all blocks' attention projections and norms."""
    paths = [f"blocks/{name}" for name in ("q", "k", "v", "o", *config.norms)]
    return {name for path in paths for name in tensor_names(table[path][0], path, config)}


def with_head(tensors: Tensors, table: dict, config: DecoderConfig):
    """Returns (tensors, config, notes) with the unembedding that Transformers would use."""
    head, embedding = table["lm_head"][0], table["embedding"][0]
    has_head, has_embedding = head in tensors.names, embedding in tensors.names
    if not has_head:
        bias = "lm_head" not in config.biases or head_bias(head) in tensors.names
        known = config.tie_embeddings and bias
        names = tensors.names if known else tensors.names - {head_bias(head)}
        return (
            Tensors(names, tensors.read),
            dataclasses.replace(config, has_head=known),
            [] if known else ["it has no lm_head: activations, but no logits"],
        )
    if not config.tie_embeddings:
        return tensors, config, []
    if not has_embedding:
        read = {embedding: head}
        names = tensors.names - {head} | {embedding}
        return Tensors(names, lambda n: tensors.read(read.get(n, n))), config, []
    if np.array_equal(tensors.read(head), tensors.read(embedding)):
        return Tensors(tensors.names - {head}, tensors.read), config, []
    note = "lm_head differs from the embedding that it should be tied to; each is used as it is"
    return tensors, dataclasses.replace(config, tie_embeddings=False), [note]
