"""GPT-NeoX and Pythia: attention and MLP in parallel, rotations of a part of each head."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import layer_norm_base
from personascan.models.families.tensors import FUSED_QKV, GROUPED_QKV, fused, gguf_table, table


def config(s: Settings) -> dict:
    attention = ("q", "k", "v", "o") if s.attention_bias else ()
    return layer_norm_base(s) | dict(
        biases=("attn_norm", "mlp_norm", "final_norm", "up", "down", *attention),
        parallel=bool(s.use_parallel_residual),
        gated=False,
    )


HF_TENSORS = table(
    "gpt_neox.layers.{layer}.",
    embedding="gpt_neox.embed_in",
    final_norm="gpt_neox.final_layer_norm",
    lm_head="embed_out",
    attn_norm="input_layernorm",
    mlp_norm="post_attention_layernorm",
    **fused("attention.query_key_value", GROUPED_QKV),
    o="attention.dense",
    up="mlp.dense_h_to_4h",
    down="mlp.dense_4h_to_h",
)
GGUF_TENSORS = gguf_table(**fused("attn_qkv", FUSED_QKV))
