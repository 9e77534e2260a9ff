"""GGUF files: metadata fields and dequantised tensors, and their configuration as a config.json."""

import pathlib
import re

import numpy as np

from personascan.errors import InputError
from personascan.models.checkpoint import Tensors
from personascan.models.families.keys import config_class_keys
from personascan.models.gguf_keys import (
    FIXED,
    KEYS,
    MODEL_TYPES,
    OFF,
    ONLY,
    OTHERWISE_READ,
    OWN_KEYS,
    SAME,
    SCALES,
)
from personascan.reading import is_file

SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")
# Tensors from which the configuration is made.
ROPE_TENSORS = {"rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"}


def gguf_shards(path: pathlib.Path) -> list[pathlib.Path]:
    """Returns the files that a name of the form NAME-00001-of-00003.gguf means, in their order."""
    match = SHARD.fullmatch(path.name)
    if not match:
        return [path]
    count = int(match["count"])
    return [
        path.with_name(f"{match['stem']}-{i + 1:05d}-of-{count:05d}.gguf") for i in range(count)
    ]


def open_gguf(path: pathlib.Path) -> tuple[dict, Tensors]:
    """Returns the metadata fields and dequantised tensors of a GGUF file, or of all its shards.

    Raises InputError for a file that is missing, corrupt or truncated, or of a quantisation that
    the gguf package does not dequantise; for a split file it names the shards that are missing.
    """
    from gguf import dequantize

    fields, tensors = read_gguf(path)
    count = int(fields.get("split.count", 0) or 0)
    if count > 1:
        shards = gguf_shards(path)
        missing = [shard.name for shard in shards if not is_file(shard)]
        if missing or len(shards) != count:
            listed = ", ".join(missing) or f"NAME-00001-of-{count:05d}.gguf and so on"
            raise InputError(
                f"{path} is one of the {count} shards of a split file, and others are missing: "
                f"{listed}; put all shards into one folder"
            )
        fields, tensors = join_shards(shards)

    def read(name: str) -> np.ndarray:
        tensor = tensors[name]
        try:
            return dequantize(tensor.data, tensor.tensor_type)
        except NotImplementedError as error:
            raise InputError(
                f"{path}: {name} is quantised as {tensor.tensor_type.name}, which cannot be "
                "dequantised; use a file with another quantisation"
            ) from error

    return fields, Tensors(set(tensors), read)


def read_gguf(path: pathlib.Path) -> tuple[dict, dict]:
    """Returns (fields, tensors as they are stored) of one file."""
    from gguf import GGUFEndian, GGUFReader

    if not is_file(path):
        raise InputError(f"{path} does not exist")
    try:
        reader = GGUFReader(path)
        fields = {name: field.contents() for name, field in reader.fields.items()}
        tensors = {tensor.name: tensor for tensor in reader.tensors}
    except Exception as error:
        # On a bad file the reader raises whatever its arithmetic fails with first.
        raise InputError(f"{path} is corrupt or truncated ({error}); download it again") from error
    if reader.endianess == GGUFEndian.BIG:
        raise InputError(
            f"{path} is big-endian, and only little-endian files are read; convert a copy of it "
            "with gguf-convert-endian COPY little, a command of the gguf package"
        )
    return fields, tensors


def join_shards(shards: list[pathlib.Path]) -> tuple[dict, dict]:
    """Returns (fields of the first shard, tensors of all). Raises InputError for a mixed set."""
    read = [read_gguf(shard) for shard in shards]
    fields, joined = dict(read[0][0]), {}
    for number, (shard, (own, tensors)) in enumerate(zip(shards, read, strict=True)):
        if own.get("split.no") != number or own.get("split.count") != len(shards):
            raise InputError(
                f"{shard} is not shard {number + 1} of {len(shards)}; download it again"
            )
        if joined.keys() & tensors.keys():
            raise InputError(f"{shard} repeats tensors of another shard; download it again")
        joined |= tensors
    if fields.get("split.tensors.count", len(joined)) != len(joined):
        raise InputError(
            f"{shards[0]} and its shards hold {len(joined)} tensors, not the "
            f"{fields['split.tensors.count']} they should; download them again"
        )
    return fields, joined


def gguf_config(fields: dict, tensors: Tensors, where: str) -> dict:
    """Returns a GGUF file's fields as a config.json. Raises InputError for unsupported ones."""
    architecture = fields.get("general.architecture")
    if not isinstance(architecture, str) or architecture not in MODEL_TYPES:
        raise InputError(
            f"{where}: architecture {architecture!r} is not supported; supported: "
            f"{', '.join(MODEL_TYPES)}"
        )
    if (kind := fields.get("general.type", "model")) != "model":
        raise InputError(f"{where} holds no model: its general.type is {kind!r}")
    prefix = f"{architecture}."
    own = {k.removeprefix(prefix): v for k, v in fields.items() if k.startswith(prefix)}
    model_type = exact_type(architecture, own)
    raw = {"model_type": model_type} | FIXED.get(model_type, {})
    raw |= read_fields(own, model_type, where)
    raw.setdefault("vocab_size", len(fields.get("tokenizer.ggml.tokens", ())))
    raw["tie_word_embeddings"] = "output.weight" not in tensors.names
    raw |= biases(raw, tensors.names)
    try:
        raw |= special_cases(raw, own, tensors.names)
        scaling = rope_scaling(raw, own, tensors, where)
    except (KeyError, TypeError, ZeroDivisionError) as error:
        raise InputError(f"{where} has a field that is missing or no number ({error})") from error
    raw = with_layer_types(raw)
    return raw | ({"rope_scaling": scaling} if scaling else {})


def read_fields(own: dict, model_type: str, where: str) -> dict:
    """Returns the fields of an architecture under the keys of its config.json.

    Raises InputError for a field that is not handled, unless its value means that it is off.
    """
    keys = KEYS | OWN_KEYS.get(model_type, {})
    known, raw = config_class_keys(model_type), {}
    only = ONLY | {"expert_weights_norm": (FIXED.get(model_type, {}).get("norm_topk_prob", True),)}
    for key, value in own.items():
        if key in keys:
            ours = keys[key]
            if key in OFF and ours not in known:
                if value not in OFF[key]:
                    raise InputError(f"{where}: the key {key!r} (= {value!r}) is not handled")
                continue
            if key in SCALES and value == 0:
                value = 1.0
            if ours:
                raw[ours] = value.item() if isinstance(value, np.generic) else value
        elif key in SAME or key in only:
            wanted = (own.get(SAME[key], value),) if key in SAME else only[key]
            if value not in wanted:
                listed = " or ".join(repr(w) for w in wanted)
                raise InputError(f"{where}: {key} = {value!r} is not supported (only {listed})")
        elif key not in OTHERWISE_READ:
            raise InputError(f"{where}: the key {key!r} (= {value!r}) is not handled")
    return raw


def exact_type(architecture: str, own: dict) -> str:
    """Returns the model_type: Mixtral has the architecture llama, OLMo 3 olmo2."""
    if architecture == "llama" and own.get("expert_count"):
        return "mixtral"
    if architecture == "llama" and own.get("attention.sliding_window"):
        return "mistral"
    if architecture == "olmo2" and own.get("attention.sliding_window"):
        return "olmo3"
    return MODEL_TYPES[architecture]


def biases(raw: dict, names: set[str]) -> dict:
    """Returns the switches of biases and norms, by the tensors that the file has."""
    has = {name: f"blk.0.{name}" in names for name in (
        "attn_q.bias", "attn_qkv.bias", "ffn_down.bias", "attn_q_norm.weight", "ffn_norm.weight"
    )}  # fmt: skip
    attention = has["attn_q.bias"] or has["attn_qkv.bias"]
    switches = {
        "llama": {"attention_bias": attention, "mlp_bias": has["ffn_down.bias"]},
        "granite": {"attention_bias": attention, "mlp_bias": has["ffn_down.bias"]},
        "smollm3": {"attention_bias": attention, "mlp_bias": has["ffn_down.bias"]},
        "qwen3": {"attention_bias": attention},
        "qwen3_moe": {"attention_bias": attention},
        "glm4": {"attention_bias": attention},
        "cohere": {"attention_bias": attention, "use_qk_norm": has["attn_q_norm.weight"]},
        "gpt_neox": {"attention_bias": attention},
        "stablelm": {
            "use_qkv_bias": attention,
            "qk_layernorm": has["attn_q_norm.weight"],
            "use_parallel_residual": not has["ffn_norm.weight"],
        },
        "starcoder2": {"use_bias": attention},
        "falcon": {"bias": attention},
        "phi": {"qk_layernorm": has["attn_q_norm.weight"]},
    }
    return switches.get(raw["model_type"], {})


def special_cases(raw: dict, own: dict, names: set[str]) -> dict:
    """Returns the keys that an architecture implies, as llama.cpp writes and reads its files."""
    kind = raw["model_type"]
    heads, kv_heads = own.get("attention.head_count", 1), own.get("attention.head_count_kv", 1)
    if kind == "falcon":
        two = "blk.0.attn_norm_2.weight" in names
        grouped = two or 1 < kv_heads < heads
        return {
            "new_decoder_architecture": grouped,
            "num_ln_in_parallel_attn": 2 if two else 1,
            "multi_query": kv_heads == 1,
            "parallel_attn": "blk.0.ffn_norm.weight" not in names,
        }
    if kind in ("gemma2", "gemma3_text"):
        # Only the 27B models divide by width / heads instead of the size of a head.
        wide = raw.get("num_hidden_layers") == (46 if kind == "gemma2" else 62)
        head = own.get("attention.key_length", 256)
        return {"query_pre_attn_scalar": raw["hidden_size"] // heads if wide else head}
    if kind in ("granite", "granitemoe"):
        head = own.get("attention.key_length") or own["embedding_length"] // heads
        return {"attention_multiplier": own.get("attention.scale") or head**-0.5}
    if kind == "phi3":
        trained = own.get("rope.scaling.original_context_length", own.get("context_length"))
        window = own.get("attention.sliding_window")
        return {"sliding_window": window, "original_max_position_embeddings": trained}
    return {}


def with_layer_types(raw: dict) -> dict:
    """Returns the keys with layer_types, if each layer has its own, and without repetitions."""
    pattern = raw.get("sliding_window_pattern")
    if isinstance(pattern, list):
        kinds = ("full_attention", "sliding_attention")
        raw = raw | {"layer_types": [kinds[bool(sliding)] for sliding in pattern]}
        del raw["sliding_window_pattern"]
    if raw["model_type"] != "gemma3_text" and raw.get("rope_local_base_freq") == raw.get(
        "rope_theta"
    ):
        raw.pop("rope_local_base_freq", None)
    return raw


def rope_scaling(raw: dict, own: dict, tensors: Tensors, where: str) -> dict:
    """Returns the scaling of rotations, from fields and from tensors of divisors."""
    heads = max(1, own.get("attention.head_count", 1))
    head = own.get("attention.key_length") or own.get("embedding_length", 0) // heads
    partial = own.get("rope.dimension_count", head) / max(1, head)
    scaling = {"partial_rotary_factor": partial} if partial != 1 else {}
    kind = own.get("rope.scaling.type", "none")
    trained = own.get("rope.scaling.original_context_length")
    if "rope_freqs.weight" in tensors.names:
        divisors = tensors.read("rope_freqs.weight").tolist()
        return scaling | dict(
            rope_type="longrope", short_factor=divisors, long_factor=divisors,
            attention_factor=1.0, original_max_position_embeddings=raw["max_position_embeddings"],
        )  # fmt: skip
    if "rope_factors_short.weight" in tensors.names:
        return scaling | dict(
            rope_type="longrope",
            short_factor=tensors.read("rope_factors_short.weight").tolist(),
            long_factor=tensors.read("rope_factors_long.weight").tolist(),
            attention_factor=own.get("rope.scaling.attn_factor"),
            original_max_position_embeddings=trained,
        )
    if kind == "linear":
        return scaling | dict(rope_type="linear", factor=own.get("rope.scaling.factor"))
    if kind == "yarn":
        if own.get("rope.scaling.attn_factor", 1.0) != 1.0:
            raise InputError(f"{where}: rope.scaling.attn_factor is not supported with yarn")
        return scaling | dict(
            rope_type="yarn", factor=own.get("rope.scaling.factor"),
            original_max_position_embeddings=trained,
            beta_fast=own.get("rope.scaling.yarn_beta_fast"),
            beta_slow=own.get("rope.scaling.yarn_beta_slow"),
        )  # fmt: skip
    if kind not in ("none", "longrope"):
        raise InputError(f"{where}: rope.scaling.type = {kind!r} is not supported")
    if own.get("rope.scaling.factor", 1.0) not in (0.0, 1.0):
        raise InputError(f"{where}: rope.scaling.factor is given without a rope.scaling.type")
    return scaling
