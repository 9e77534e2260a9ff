"""Phi 1, 1.5 and 2: attention and MLP in parallel from one norm, biases everywhere."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import layer_norm_base
from personascan.models.families.tensors import gguf_table, hf_table

BIASES = ("attn_norm", "final_norm", "lm_head", "q", "k", "v", "o", "q_norm", "k_norm")


def config(s: Settings) -> dict:
    return layer_norm_base(s) | dict(
        norms=("attn_norm",),
        qk_norm="head" if s.qk_layernorm else "",
        biases=(*BIASES, "up", "down"),
        parallel=True,
        gated=False,
    )


HF_TENSORS = hf_table(
    final_norm="model.final_layernorm",
    o="self_attn.dense",
    q_norm="self_attn.q_layernorm",
    k_norm="self_attn.k_layernorm",
    up="mlp.fc1",
    down="mlp.fc2",
)
GGUF_TENSORS = gguf_table()
