"""OLMoE: experts with unnormalised weights, queries and keys normed over all heads."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import rms_base
from personascan.models.families.tensors import GGUF_EXPERTS, gguf_table, hf_table, over_heads

EXPERTS = dict(
    router="mlp.gate",
    gate="mlp.experts.{expert}.gate_proj",
    up="mlp.experts.{expert}.up_proj",
    down="mlp.experts.{expert}.down_proj",
)


def config(s: Settings) -> dict:
    s.only("clip_qkv")
    return rms_base(s) | dict(
        qk_norm="width",
        biases=("q", "k", "v", "o") if s.attention_bias else (),
        experts=s.size("num_experts"),
        experts_per_token=s.size("num_experts_per_tok"),
        normalize_router=bool(s.norm_topk_prob),
    )


HF_TENSORS = hf_table(
    q_norm=("self_attn.q_norm", over_heads), k_norm=("self_attn.k_norm", over_heads), **EXPERTS
)
GGUF_TENSORS = gguf_table(
    q_norm=("attn_q_norm", over_heads), k_norm=("attn_k_norm", over_heads), **GGUF_EXPERTS
)
