"""GLM-4 (0414): four norms a block, a fused gate, rotated pairs side by side in half of a head."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import rms_base
from personascan.models.families.phi3 import GATE_UP
from personascan.models.families.tensors import fused, gguf_table, hf_table, pairs_out


def config(s: Settings) -> dict:
    return rms_base(s) | dict(
        norms=("attn_norm", "attn_post_norm", "mlp_norm", "mlp_post_norm"),
        biases=("q", "k", "v") if s.attention_bias else (),
    )


HF_TENSORS = hf_table(
    attn_post_norm="post_self_attn_layernorm",
    mlp_norm="post_attention_layernorm",
    mlp_post_norm="post_mlp_layernorm",
    q=("self_attn.q_proj", pairs_out),
    k=("self_attn.k_proj", pairs_out),
    **fused("mlp.gate_up_proj", GATE_UP),
)
GGUF_TENSORS = gguf_table(
    q=("attn_q", pairs_out), k=("attn_k", pairs_out), **fused("ffn_up", GATE_UP)
)
