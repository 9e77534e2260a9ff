"""Qwen3 with experts in place of every MLP."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import rms_base
from personascan.models.families.olmoe import EXPERTS
from personascan.models.families.tensors import GGUF_EXPERTS, gguf_table, hf_table


def config(s: Settings) -> dict:
    s.only("decoder_sparse_step", 1)
    s.only("mlp_only_layers", [])
    s.ignore("max_window_layers")
    s.ignore("sliding_window")
    window = s.sliding_window if s.optional("use_sliding_window") else 0
    return rms_base(s) | dict(
        mlp_width=s.size("moe_intermediate_size"),
        qk_norm="head",
        biases=("q", "k", "v", "o") if s.attention_bias else (),
        windows=(window or 0,) * s.num_hidden_layers,
        experts=s.size("num_experts"),
        experts_per_token=s.size("num_experts_per_tok"),
        normalize_router=bool(s.norm_topk_prob),
    )


HF_TENSORS = hf_table(**EXPERTS)
GGUF_TENSORS = gguf_table(**GGUF_EXPERTS)
