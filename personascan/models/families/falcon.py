"""Falcon: grouped or multi-query attention beside the MLP, rotations or attention biases."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import base
from personascan.models.families.ropes import ropes
from personascan.models.families.tensors import FUSED_QKV, GROUPED_QKV, fused, gguf_table, table


def config(s: Settings) -> dict:
    s.ignore("auto_map")  # the code that a repository may carry is never run
    s.only("apply_residual_connection_post_layernorm", False)
    shape = base(s, mlp_width=s.ffn_hidden_size or 4 * s.size("hidden_size"))
    grouped, rotated = s.new_decoder_architecture, not s.alibi
    multi_query, kv_heads = s.multi_query, s.num_kv_heads
    parallel = bool(s.parallel_attn or grouped)
    norm_count = s.num_ln_in_parallel_attn or 2
    two_norms = norm_count == 2 if grouped else not parallel
    norms = ("attn_norm", "mlp_norm") if two_norms else ("attn_norm",)
    projections = ("q", "k", "v", "o", "up", "down") if s.bias else ()
    rotations = ropes(s, shape["head_dim"])
    return (shape | (rotations if rotated else {})) | dict(
        kv_heads=1 if multi_query and not grouped else kv_heads,
        norm="layer",
        norm_eps=s.layer_norm_epsilon,
        norms=norms,
        biases=(*norms, "final_norm", *projections),
        parallel=parallel,
        alibi=not rotated,
        activation=s.activation_of("activation"),
        gated=False,
    )


def two_parallel_norms(config) -> bool:
    """Returns whether attention and MLP have a norm each, though both read the block's input."""
    return config.parallel and "mlp_norm" in config.norms


def hf_tensors(config) -> dict:
    """Returns the table, in which two parallel norms are named after what they precede."""
    norms = dict(attn_norm="input_layernorm", mlp_norm="post_attention_layernorm")
    if two_parallel_norms(config):
        norms = dict(attn_norm="ln_attn", mlp_norm="ln_mlp")
    return table(
        "transformer.h.{layer}.",
        embedding="transformer.word_embeddings",
        final_norm="transformer.ln_f",
        lm_head="lm_head",
        **norms,
        **fused("self_attention.query_key_value", GROUPED_QKV),
        o="self_attention.dense",
        up="mlp.dense_h_to_4h",
        down="mlp.dense_4h_to_h",
    )


def gguf_tensors(config) -> dict:
    """Returns the table, in which attn_norm_2 is attention's norm and attn_norm the MLP's."""
    norms = {}
    if two_parallel_norms(config):
        norms = dict(attn_norm="attn_norm_2", mlp_norm="attn_norm")
    return gguf_table(**fused("attn_qkv", FUSED_QKV), **norms)


HF_TENSORS, GGUF_TENSORS = hf_tensors, gguf_tensors
