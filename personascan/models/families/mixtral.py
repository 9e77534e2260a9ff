"""Mixtral: Mistral with experts in place of the MLP, two of them for each token."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import rms_base
from personascan.models.families.tensors import GGUF_EXPERTS, gguf_table, hf_table, pairs_out


def config(s: Settings) -> dict:
    return rms_base(s) | dict(
        windows=(s.sliding_window or 0,) * s.num_hidden_layers,
        experts=s.size("num_local_experts"),
        experts_per_token=s.size("num_experts_per_tok"),
    )


HF_TENSORS = hf_table(
    router="block_sparse_moe.gate",
    gate="block_sparse_moe.experts.{expert}.w1",
    down="block_sparse_moe.experts.{expert}.w2",
    up="block_sparse_moe.experts.{expert}.w3",
)
GGUF_TENSORS = gguf_table(q=("attn_q", pairs_out), k=("attn_k", pairs_out), **GGUF_EXPERTS)
