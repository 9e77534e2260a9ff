"""OLMo 2: norms after attention and MLP only, queries and keys normed over all heads."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import rms_base
from personascan.models.families.tensors import gguf_table, hf_table, over_heads


def config(s: Settings) -> dict:
    return rms_base(s) | dict(
        norms=("attn_post_norm", "mlp_post_norm"),
        qk_norm="width",
        biases=("q", "k", "v", "o") if s.attention_bias else (),
    )


HF_TENSORS = hf_table(
    attn_post_norm="post_attention_layernorm",
    mlp_post_norm="post_feedforward_layernorm",
    q_norm=("self_attn.q_norm", over_heads),
    k_norm=("self_attn.k_norm", over_heads),
)
GGUF_TENSORS = gguf_table(q_norm=("attn_q_norm", over_heads), k_norm=("attn_k_norm", over_heads))
