"""Llama: RMS norms, rotary positions, grouped-query attention, SwiGLU, no biases."""

import dataclasses

from personascan.errors import InputError
from personascan.models.config import DecoderConfig
from personascan.models.families.keys import HF_NEUTRAL, refuse_unhandled, require, size

HF_USED = {
    "head_dim",
    "hidden_size",
    "intermediate_size",
    "is_llama_config",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "rope_parameters",
    "rope_theta",
    "tie_word_embeddings",
    "vocab_size",
}
HF_FIXED = {
    "attention_bias": (False,),
    "hidden_act": ("silu",),
    "mlp_bias": (False,),
    "pretraining_tp": (1,),
    "rope_interleaved": (False,),
    "rope_scaling": ({"rope_type": "default"}, {"type": "default"}),
}
GGUF_USED = {
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "vocab_size",
}
GGUF_FIXED = {"rope.scaling.type": ("none",), "expert_count": (0,), "expert_used_count": (0,)}


def config_from_hf(raw: dict, where: str) -> DecoderConfig:
    """The DecoderConfig of a parsed config.json, in the old and the new spelling of rope."""
    refuse_unhandled(raw, HF_USED | HF_NEUTRAL, HF_FIXED, where)
    rope = raw.get("rope_parameters") or {}
    if not isinstance(rope, dict):
        raise InputError(f"{where}: rope_parameters = {rope!r} is not an object")
    refuse_unhandled(rope, {"rope_theta"}, {"rope_type": ("default",)}, f"{where}, rope_parameters")
    width = size(raw, "hidden_size", where)
    heads = size(raw, "num_attention_heads", where)
    return checked(
        DecoderConfig(
            vocab_size=require(raw, "vocab_size", where),
            layers=require(raw, "num_hidden_layers", where),
            width=width,
            heads=heads,
            kv_heads=raw.get("num_key_value_heads") or heads,
            head_dim=raw.get("head_dim") or width // heads,
            mlp_width=require(raw, "intermediate_size", where),
            norm_eps=raw.get("rms_norm_eps", 1e-6),
            rope_theta=rope.get("rope_theta") or raw.get("rope_theta") or 10000.0,
            max_positions=raw.get("max_position_embeddings", 2048),
            tie_embeddings=bool(raw.get("tie_word_embeddings", False)),
        ),
        where,
    )


def config_from_gguf(fields: dict, tensor_names: set, where: str) -> DecoderConfig:
    """The DecoderConfig of a GGUF file's `llama.*` fields, given without that prefix."""
    refuse_unhandled(fields, GGUF_USED, GGUF_FIXED, where)
    width = size(fields, "embedding_length", where)
    heads = size(fields, "attention.head_count", where)
    head_dim = fields.get("attention.key_length") or width // heads
    for key in ("attention.value_length", "rope.dimension_count"):
        if fields.get(key, head_dim) != head_dim:
            raise InputError(
                f"{where}: {key} = {fields[key]} differs from the head size {head_dim}, "
                "which is not supported"
            )
    return checked(
        DecoderConfig(
            vocab_size=require(fields, "vocab_size", where),
            layers=require(fields, "block_count", where),
            width=width,
            heads=heads,
            kv_heads=fields.get("attention.head_count_kv") or heads,
            head_dim=head_dim,
            mlp_width=require(fields, "feed_forward_length", where),
            norm_eps=require(fields, "attention.layer_norm_rms_epsilon", where),
            rope_theta=fields.get("rope.freq_base", 10000.0),
            max_positions=require(fields, "context_length", where),
            tie_embeddings="output.weight" not in tensor_names,
        ),
        where,
    )


def checked(config: DecoderConfig, where: str) -> DecoderConfig:
    for name, value in dataclasses.asdict(config).items():
        number = isinstance(value, int | float) and 0 < value < 2**31
        whole = name in ("norm_eps", "rope_theta") or isinstance(value, int)
        if name != "tie_embeddings" and not (number and whole and not isinstance(value, bool)):
            raise InputError(f"{where}: {name} = {value!r} is not a number above 0 and below 2**31")
    if config.heads % config.kv_heads or config.head_dim % 2:
        raise InputError(
            f"{where}: {config.heads} heads, {config.kv_heads} key/value heads and head size "
            f"{config.head_dim} do not fit together"
        )
    return config


def as_is(w, config):
    return w


def transposed(w_OI, config):
    """Checkpoints keep [out, in]; ours are [in, out]."""
    return w_OI.T


def heads_out(w_OI, config):
    """A projection into heads: [H*E, D] -> [D, H, E]."""
    return w_OI.T.reshape(config.width, -1, config.head_dim)


def heads_in(w_OI, config):
    """The projection out of heads: [D, H*E] -> [H, E, D]."""
    return w_OI.T.reshape(config.heads, config.head_dim, config.width)


def interleaved_heads_out(w_OI, config):
    """GGUF stores the halves of a rotary pair side by side, (i, i + E/2) as (2i, 2i + 1)."""
    out, width = w_OI.shape
    pairs = w_OI.reshape(out // config.head_dim, config.head_dim // 2, 2, width)
    return heads_out(pairs.swapaxes(1, 2).reshape(out, width), config)


HF_TENSORS = {
    "embedding": ("model.embed_tokens.weight", as_is),
    "final_norm": ("model.norm.weight", as_is),
    "lm_head": ("lm_head.weight", transposed),
    "blocks/attn_norm": ("model.layers.{layer}.input_layernorm.weight", as_is),
    "blocks/q": ("model.layers.{layer}.self_attn.q_proj.weight", heads_out),
    "blocks/k": ("model.layers.{layer}.self_attn.k_proj.weight", heads_out),
    "blocks/v": ("model.layers.{layer}.self_attn.v_proj.weight", heads_out),
    "blocks/o": ("model.layers.{layer}.self_attn.o_proj.weight", heads_in),
    "blocks/mlp_norm": ("model.layers.{layer}.post_attention_layernorm.weight", as_is),
    "blocks/gate": ("model.layers.{layer}.mlp.gate_proj.weight", transposed),
    "blocks/up": ("model.layers.{layer}.mlp.up_proj.weight", transposed),
    "blocks/down": ("model.layers.{layer}.mlp.down_proj.weight", transposed),
}
GGUF_TENSORS = {
    "embedding": ("token_embd.weight", as_is),
    "final_norm": ("output_norm.weight", as_is),
    "lm_head": ("output.weight", transposed),
    "blocks/attn_norm": ("blk.{layer}.attn_norm.weight", as_is),
    "blocks/q": ("blk.{layer}.attn_q.weight", interleaved_heads_out),
    "blocks/k": ("blk.{layer}.attn_k.weight", interleaved_heads_out),
    "blocks/v": ("blk.{layer}.attn_v.weight", heads_out),
    "blocks/o": ("blk.{layer}.attn_output.weight", heads_in),
    "blocks/mlp_norm": ("blk.{layer}.ffn_norm.weight", as_is),
    "blocks/gate": ("blk.{layer}.ffn_gate.weight", transposed),
    "blocks/up": ("blk.{layer}.ffn_up.weight", transposed),
    "blocks/down": ("blk.{layer}.ffn_down.weight", transposed),
}
