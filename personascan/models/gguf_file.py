"""GGUF files: metadata fields and dequantised tensors, and their configuration as a config.json."""

import pathlib
import re

import numpy as np

from personascan.errors import InputError
from personascan.models.checkpoint import Tensors
from personascan.reading import is_file

PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")

# general.architecture -> model_type.
MODEL_TYPES = {
    "llama": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "qwen3moe": "qwen3_moe",
    "granite": "granite",
    "granitemoe": "granitemoe",
    "gemma": "gemma",
    "gemma2": "gemma2",
    "gemma3": "gemma3_text",
    "phi2": "phi",
    "phi3": "phi3",
    "olmo2": "olmo2",
    "olmoe": "olmoe",
    "smollm3": "smollm3",
    "gpt2": "gpt2",
    "gptneox": "gpt_neox",
    "command-r": "cohere",
    "cohere2": "cohere2",
    "glm4": "glm4",
    "stablelm": "stablelm",
    "starcoder2": "starcoder2",
    "falcon": "falcon",
}
KEYS = {
    "vocab_size": "vocab_size",
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "context_length": "max_position_embeddings",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "attention.layer_norm_epsilon": "layer_norm_eps",
    "attention.sliding_window": "sliding_window",
    "attention.scale": "attention_multiplier",
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
    "embedding_scale": "embedding_multiplier",
    "residual_scale": "residual_multiplier",
    "logit_scale": "logit_scale",
    "rope.freq_base": "rope_theta",
    "expert_count": "num_local_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
    "use_parallel_residual": "use_parallel_residual",
    "rope.freq_base_swa": "rope_local_base_freq",
    "attention.sliding_window_pattern": "sliding_window_pattern",
}
# What an architecture calls differently.
OWN_KEYS = {
    "gpt2": {
        "embedding_length": "n_embd", "block_count": "n_layer", "attention.head_count": "n_head",
        "context_length": "n_positions", "feed_forward_length": "n_inner",
        "attention.layer_norm_epsilon": "layer_norm_epsilon", "attention.head_count_kv": None,
    },
    "gpt_neox": {"attention.head_count_kv": None, "rope.freq_base": "rotary_emb_base"},
    "falcon": {
        "attention.head_count_kv": "num_kv_heads", "feed_forward_length": "ffn_hidden_size",
        "attention.layer_norm_epsilon": "layer_norm_epsilon",
    },
    "starcoder2": {"attention.layer_norm_epsilon": "norm_epsilon"},
    "granite": {"logit_scale": "logits_scaling"},
    "granitemoe": {"logit_scale": "logits_scaling"},
    "olmoe": {"expert_count": "num_experts"},
    "qwen3_moe": {"expert_count": "num_experts"},
}  # fmt: skip
# Fields that `rope_scaling` reads, or that no forward pass does.
OTHERWISE_READ = {
    "rope.dimension_count", "rope.scaling.type", "rope.scaling.factor",
    "rope.scaling.original_context_length", "rope.scaling.attn_factor", "rope.scaling.finetuned",
    "rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow", "tensor_data_layout",
}  # fmt: skip
# Fields that must say the same as another one, or have one value.
SAME = {
    "attention.value_length": "attention.key_length",
    "attention.key_length_swa": "attention.key_length",
    "attention.value_length_swa": "attention.key_length",
    "rope.dimension_count_swa": "rope.dimension_count",
}
ONLY = {
    "attention.causal": True, "rope.scaling.yarn_ext_factor": 1.0,
    "rope.scaling.yarn_attn_factor": 1.0,
}  # fmt: skip
# What the files do not say and the architecture fixes.
FIXED = {
    "gemma": {"hidden_act": "gelu_pytorch_tanh"},
    "phi": {"hidden_act": "gelu_new"},
    "qwen3_moe": {"norm_topk_prob": True},
    "olmoe": {"norm_topk_prob": False},
    "gpt_neox": {"hidden_act": "gelu"},
}


def gguf_parts(path: pathlib.Path) -> list[pathlib.Path]:
    """The files that a name of the form NAME-00001-of-00003.gguf stands for, in their order."""
    named = PART.fullmatch(path.name)
    if not named:
        return [path]
    count = int(named["count"])
    return [
        path.with_name(f"{named['stem']}-{i + 1:05d}-of-{count:05d}.gguf") for i in range(count)
    ]


def open_gguf(path: pathlib.Path) -> tuple[dict, Tensors]:
    """The metadata fields and dequantised tensors of a GGUF file, or of all parts of a split one.

    Raises InputError for a file that is missing, corrupt or truncated, or of a quantisation that
    the gguf package does not dequantise; for a split file names the parts that are missing.
    """
    from gguf import dequantize

    fields, tensors = read_gguf(path)
    count = int(fields.get("split.count", 0) or 0)
    if count > 1:
        parts = gguf_parts(path)
        missing = [part.name for part in parts if not is_file(part)]
        if missing or len(parts) != count:
            listed = ", ".join(missing) or f"NAME-00001-of-{count:05d}.gguf and so on"
            raise InputError(
                f"{path} is one of the {count} parts of a split file, and others are missing: "
                f"{listed}; put all parts into one folder"
            )
        fields, tensors = joined(parts)

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
    """(fields, tensors as they are stored) of one file."""
    from gguf import GGUFReader

    if not is_file(path):
        raise InputError(f"{path} does not exist")
    try:
        reader = GGUFReader(path)
        fields = {name: field.contents() for name, field in reader.fields.items()}
        return fields, {tensor.name: tensor for tensor in reader.tensors}
    except Exception as error:
        # The reader meets a bad file with whatever its arithmetic raises first.
        raise InputError(f"{path} is corrupt or truncated ({error}); download it again") from error


def joined(parts: list[pathlib.Path]) -> tuple[dict, dict]:
    """(fields, tensors) of all parts; the first has the fields. Raises InputError for a mixture."""
    read = [read_gguf(part) for part in parts]
    fields, found = dict(read[0][0]), {}
    for number, (part, (own, tensors)) in enumerate(zip(parts, read, strict=True)):
        if own.get("split.no") != number or own.get("split.count") != len(parts):
            raise InputError(f"{part} is not part {number + 1} of {len(parts)}; download it again")
        if found.keys() & tensors.keys():
            raise InputError(f"{part} repeats tensors of another part; download it again")
        found |= tensors
    if fields.get("split.tensors.count", len(found)) != len(found):
        raise InputError(
            f"{parts[0]} and its parts hold {len(found)} tensors, not the "
            f"{fields['split.tensors.count']} they should; download them again"
        )
    return fields, found


def gguf_config(fields: dict, tensors: Tensors, where: str) -> dict:
    """The fields of a GGUF file as a config.json would say them. Raises InputError by name."""
    architecture = fields.get("general.architecture")
    if not isinstance(architecture, str) or architecture not in MODEL_TYPES:
        raise InputError(
            f"{where}: architecture {architecture!r} is not supported; supported: "
            f"{', '.join(MODEL_TYPES)}"
        )
    prefix = f"{architecture}."
    own = {k.removeprefix(prefix): v for k, v in fields.items() if k.startswith(prefix)}
    model_type = exact_type(architecture, own)
    keys = KEYS | OWN_KEYS.get(model_type, {})
    raw = {"model_type": model_type} | FIXED.get(model_type, {})
    for key, value in own.items():
        if key in keys:
            if keys[key]:
                raw[keys[key]] = value.item() if isinstance(value, np.generic) else value
        elif key in SAME or key in ONLY:
            wanted = own.get(SAME[key], value) if key in SAME else ONLY[key]
            if value != wanted:
                raise InputError(f"{where}: {key} = {value!r} is not supported (only {wanted!r})")
        elif key not in OTHERWISE_READ:
            raise InputError(f"{where}: the key {key!r} (= {value!r}) is not handled")
    if not raw.get("num_local_experts", 1):
        raw = {
            k: v for k, v in raw.items() if k not in ("num_local_experts", "num_experts_per_tok")
        }
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


def exact_type(architecture: str, own: dict) -> str:
    """Mixtral calls itself llama, OLMo 3 olmo2."""
    if architecture == "llama" and own.get("expert_count"):
        return "mixtral"
    if architecture == "llama" and own.get("attention.sliding_window"):
        return "mistral"
    if architecture == "olmo2" and own.get("attention.sliding_window"):
        return "olmo3"
    return MODEL_TYPES[architecture]


def biases(raw: dict, names: set[str]) -> dict:
    """The switches of biases and norms, by the tensors that are there."""
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
    """What the architecture implies, as the programs that write and read these files have it."""
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
        # The 27B models alone divide by width / heads instead of the size of a head.
        wide = raw.get("num_hidden_layers") == (46 if kind == "gemma2" else 62)
        head = own.get("attention.key_length", 256)
        return {"query_pre_attn_scalar": raw["hidden_size"] // heads if wide else head}
    if kind == "phi3":
        trained = own.get("rope.scaling.original_context_length", own.get("context_length"))
        window = own.get("attention.sliding_window")
        return {"sliding_window": window, "original_max_position_embeddings": trained}
    return {}


def with_layer_types(raw: dict) -> dict:
    """The kinds of layers, where a file has them one by one, or says twice what is the same."""
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
    """The scaling of rotations, from fields and from tensors of divisors."""
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


# Tensors that the configuration was made of.
ROPE_TENSORS = {"rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"}
