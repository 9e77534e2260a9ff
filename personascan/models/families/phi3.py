"""Phi-3, 3.5 and 4: Llama with fused projections, partial and long rotations, and a window."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import rms_base
from personascan.models.families.tensors import FUSED_QKV, fused, gguf_table, half, hf_table

GATE_UP = {"gate": half(0), "up": half(1)}


def config(s: Settings) -> dict:
    for switch in ("attention_bias", "lm_head_bias", "mlp_bias"):
        s.only(switch, False)
    s.only("full_attn_mod", 1)
    s.only("interpolate_factor", 1)
    # The code that a repository may carry is never run: Transformers has this model built in.
    s.ignore("auto_map")
    return rms_base(s) | dict(windows=(s.sliding_window or 0,) * s.num_hidden_layers)


HF_TENSORS = hf_table(
    **fused("self_attn.qkv_proj", FUSED_QKV), **fused("mlp.gate_up_proj", GATE_UP)
)
GGUF_TENSORS = gguf_table(**fused("attn_qkv", FUSED_QKV), **fused("ffn_up", GATE_UP))
