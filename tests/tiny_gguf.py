"""Saved Transformers models as GGUF files, written as the converters of that format write them.

Names come from the gguf package; what it means by them (which projections are reordered, split or
stacked) is written down here, apart from the reader's tables.
"""

import json
import pathlib

import gguf
import numpy as np
from safetensors.numpy import load_file
from tiny_models import CHAT, byte_vocabulary

ARCHITECTURES = {
    "llama": "llama", "mistral": "llama", "mixtral": "llama", "qwen2": "qwen2", "qwen3": "qwen3",
    "qwen3_moe": "qwen3moe", "granite": "granite", "granitemoe": "granitemoe", "gemma": "gemma",
    "gemma2": "gemma2", "gemma3_text": "gemma3", "phi": "phi2", "phi3": "phi3", "olmo2": "olmo2",
    "olmo3": "olmo2", "olmoe": "olmoe", "smollm3": "smollm3", "gpt2": "gpt2",
    "gpt_neox": "gptneox", "cohere": "command-r", "cohere2": "cohere2", "glm4": "glm4",
    "stablelm": "stablelm", "starcoder2": "starcoder2", "falcon": "falcon",
}  # fmt: skip
ROTATED_PAIRWISE = ("llama", "mistral", "mixtral", "granite", "granitemoe", "smollm3")
# Names that the package has for no tensor of these, or not as saved.
OWN_NAMES = {
    "gpt2": {"transformer.wpe": "position_embd"},
    "falcon": {"ln_attn": "attn_norm_2", "ln_mlp": "attn_norm"},
}


def pairwise(w, heads):
    """Halves of each head interleaved: (i, i + E/2) -> (2i, 2i + 1)."""
    return w.reshape(heads, 2, -1, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def ungrouped(w, heads, kv_heads):
    """[group, (queries, key, value)] -> all queries, all keys, all values."""
    group, size = heads // kv_heads, len(w) // (heads + 2 * kv_heads)
    rows = w.reshape(kv_heads, group + 2, size, *w.shape[1:])
    parts = (rows[:, :group], rows[:, group : group + 1], rows[:, group + 1 :])
    return np.concatenate([p.reshape(-1, *w.shape[1:]) for p in parts])


def converted(kind, config, tensors) -> dict[str, np.ndarray]:
    """{name in the GGUF file: array}."""
    c = lambda *keys: next(config[k] for k in keys if config.get(k) is not None)  # noqa: E731
    heads = c("num_attention_heads", "n_head")
    kv_heads = config.get("num_key_value_heads") or config.get("num_kv_heads") or heads
    if kind == "falcon" and not config["new_decoder_architecture"]:
        kv_heads = 1 if config["multi_query"] else heads
    layers = c("num_hidden_layers", "n_layer")
    architecture = next(
        a for a, name in gguf.MODEL_ARCH_NAMES.items() if name == ARCHITECTURES[kind]
    )
    names = gguf.get_tensor_name_map(architecture, layers)
    found, stacks = {}, {}
    for name, w in tensors.items():
        if name == "lm_head.weight" and config["tie_word_embeddings"]:
            continue
        if kind in ROTATED_PAIRWISE and ("q_proj" in name or "k_proj" in name):
            w = pairwise(w, heads if "q_proj" in name else kv_heads)
        if kind.startswith("gemma") and "norm" in name:
            w = w + 1
        if "query_key_value" in name:
            w = ungrouped(w, heads, kv_heads)
        if kind == "gpt2" and "weight" in name and ".c_" in name:
            w = w.T
        if kind == "granitemoe" and "input_linear" in name:
            layer = name.split(".")[2]
            half = w.shape[1] // 2
            found[f"blk.{layer}.ffn_gate_exps.weight"] = w[:, :half]
            found[f"blk.{layer}.ffn_up_exps.weight"] = w[:, half:]
            continue
        parts = name.split(".")
        for many in ("experts", "norms"):
            if many in parts:
                at = parts.index(many)
                number = int(parts.pop(at + 1))
                stacks.setdefault(".".join(parts), {})[number] = w
                break
        else:
            found[gguf_name(kind, names, name)] = w
    for name, numbered in stacks.items():
        stacked = np.stack([numbered[i] for i in range(len(numbered))])
        found[gguf_name(kind, names, name)] = stacked
    return found


def gguf_name(kind, names, name) -> str:
    suffix = "." + name.rsplit(".", 1)[1]
    for theirs, ours in OWN_NAMES.get(kind, {}).items():
        if theirs in name:
            layer = "".join(p + "." for p in name.split(".") if p.isdecimal())
            return (f"blk.{layer}" if layer else "") + ours + suffix
    found = names.get_name(name, try_suffixes=(".weight", ".bias"))
    found = found or names.get_name(name.replace(".norms", ""), try_suffixes=(".weight", ".bias"))
    assert found, name
    return found


def fields(kind, config) -> dict:
    """The metadata fields of an architecture, without its prefix."""
    c = lambda *keys: next((config[k] for k in keys if config.get(k) is not None), None)  # noqa: E731
    width, heads = c("hidden_size", "n_embd"), c("num_attention_heads", "n_head")
    rope = config.get("rope_parameters") or {}
    rope = rope.get("full_attention", rope)
    head = c("head_dim") or width // heads
    kv = config.get("num_key_value_heads") or config.get("num_kv_heads") or heads
    if kind == "falcon" and not config["new_decoder_architecture"]:
        kv = 1 if config["multi_query"] else heads
    found = {
        "context_length": c("max_position_embeddings", "n_positions"),
        "embedding_length": width,
        "block_count": c("num_hidden_layers", "n_layer"),
        "feed_forward_length": c("ffn_hidden_size", "intermediate_size", "n_inner") or 4 * width,
        "attention.head_count": heads,
        "attention.head_count_kv": kv,
        "vocab_size": config["vocab_size"],
        "attention.layer_norm_rms_epsilon": c("rms_norm_eps"),
        "attention.layer_norm_epsilon": c("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"),
        "rope.freq_base": rope.get("rope_theta"),
        "attention.key_length": c("head_dim"),
        "attention.sliding_window": c("sliding_window") if kind != "qwen2" else None,
        "attn_logit_softcapping": c("attn_logit_softcapping"),
        "final_logit_softcapping": c("final_logit_softcapping"),
        "expert_count": c("num_local_experts", "num_experts"),
        "expert_used_count": c("num_experts_per_tok"),
        "expert_feed_forward_length": c("moe_intermediate_size"),
        "logit_scale": c("logits_scaling", "logit_scale"),
        "embedding_scale": c("embedding_multiplier"),
        "residual_scale": c("residual_multiplier"),
        "attention.scale": c("attention_multiplier"),
    }
    if kind in ("gpt_neox", "stablelm"):
        found["use_parallel_residual"] = config["use_parallel_residual"]
    if kind not in ("gpt2", "opt"):
        found["rope.dimension_count"] = int(head * rope.get("partial_rotary_factor", 1.0))
    if rope.get("rope_type") in ("linear", "yarn"):
        found["rope.scaling.type"] = rope["rope_type"]
        found["rope.scaling.factor"] = float(rope["factor"])
    if rope.get("rope_type") in ("yarn", "longrope"):
        found["rope.scaling.original_context_length"] = rope["original_max_position_embeddings"]
    if rope.get("rope_type") == "longrope":
        factor = config["max_position_embeddings"] / rope["original_max_position_embeddings"]
        trained = rope["original_max_position_embeddings"]
        found["rope.scaling.attn_factor"] = float(np.sqrt(1 + np.log(factor) / np.log(trained)))
    return {key: value for key, value in found.items() if value is not None}


def write_gguf(folder: pathlib.Path, path: pathlib.Path, extra=None, types=None) -> None:
    """The model that Transformers saved in `folder` as a GGUF file.

    extra: more tensors, of rotations; types: {part of a name: quantisation} for some of them.
    """
    config = json.loads((folder / "config.json").read_text())
    kind = config["model_type"]
    architecture = ARCHITECTURES[kind]
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in fields(kind, config).items():
        add = {bool: writer.add_bool, str: writer.add_string, float: writer.add_float32}
        add.get(type(value), writer.add_uint32)(f"{architecture}.{key}", value)
    tokens = byte_vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * 256)
    writer.add_token_merges([])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(CHAT)
    tensors = converted(kind, config, load_file(folder / "model.safetensors"))
    for name, w in (tensors | (extra or {})).items():
        w = np.ascontiguousarray(w, np.float32)
        type_ = next((t for part, t in (types or {}).items() if part in name), None)
        if type_ is None:
            writer.add_tensor(name, w)
        else:
            writer.add_tensor(name, gguf.quants.quantize(w, type_), raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
