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

# Beside a bare model; under a prefix, whatever has another one is left out.
HEADS = ("lm_head", "embed_out", "score", "classifier", "v_head", "qa_outputs", "value_head", "cls")
POOLER = "pooler"  # of an encoder, and under its prefix
# Of norms, in checkpoints of old versions.
OLD_NAMES = {".LayerNorm.gamma": ".LayerNorm.weight", ".LayerNorm.beta": ".LayerNorm.bias"}
SEEING = ("vision", "visual", "audio")
ADAPTER = "lora_"
HEAD = "lm_head.weight"  # of every family in the memory of Transformers


@dataclasses.dataclass(frozen=True)
class Named:
    """A checkpoint as a table names it."""

    tensors: Tensors
    config: DecoderConfig  # with the unembedding that is there
    notes: tuple[str, ...]  # what a user should know


def table_of(table, config: DecoderConfig) -> dict:
    """A family's table of tensors, for this configuration."""
    return table(config) if callable(table) else table


def by_table(tensors: Tensors, table: dict, config: DecoderConfig, where: str) -> Named:
    """Names of the table for the tensors of a Hugging Face checkpoint.

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
            real[f"{root}{of_today(rest)}"] = name
    found, notes = Tensors(set(real), lambda name: tensors.read(real[name])), []
    found = unstack(found, table, config, where)
    if config.causal:
        found, config, notes = with_head(found, table, config)
    if left_out:
        groups = sorted({name.split(".")[0] if "." in name else name for name in left_out})
        notes.append(
            f"left out, since no hidden state needs it: {', '.join(groups)} "
            f"({len(left_out)} tensors)"
        )
    return Named(found, config, tuple(notes))


def of_today(name: str) -> str:
    """The name that a tensor has today."""
    for old, new in OLD_NAMES.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def head_name(names: set[str], head: str | None) -> str | None:
    """What the unembedding is named: as the table has it, or as Transformers 5 may save it."""
    there = any(name == head or name.endswith(f".{head}") for name in names)
    return HEAD if head and not there and HEAD in names else head


def head_bias(head: str) -> str:
    return head.removesuffix("weight") + "bias"


def model_prefix(names: set[str], table: dict, config: DecoderConfig, root: str, where: str) -> str:
    """What stands before the names of the model's own modules: where its first block is.

    Beside it a resampler may have blocks of the same names, but not all of them.
    """
    block = table["blocks/o"][0].replace("{layer}", "0").removeprefix(root)
    found = sorted(
        name.removesuffix(block) for name in names if name == block or name.endswith(f".{block}")
    )
    seeing = [p for p in found if any(word in p for word in SEEING)]
    found = [p for p in found if p not in seeing]
    if len(found) > 1:
        wanted = {name.removeprefix(root) for name in attention_names(table, config)}
        whole = [p for p in found if wanted <= own_names(names, p)]
        found = whole or found
    if len(found) > 1:
        raise InputError(
            f"{where} holds several models ({', '.join(repr(p) for p in found)}); keep one"
        )
    return found[0] if found else root


def own_names(names: set[str], prefix: str) -> set[str]:
    """What stands behind a prefix, by the names of today."""
    return {of_today(name.removeprefix(prefix)) for name in names if name.startswith(prefix)}


def attention_names(table: dict, config: DecoderConfig) -> set[str]:
    """The checkpoint's names of the projections and norms of all blocks' attention."""
    paths = [f"blocks/{name}" for name in ("q", "k", "v", "o", *config.norms)]
    return {name for path in paths for name in tensor_names(table[path][0], path, config)}


def with_head(tensors: Tensors, table: dict, config: DecoderConfig):
    """(tensors, config, notes) with the unembedding that is there, as Transformers settles it."""
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
