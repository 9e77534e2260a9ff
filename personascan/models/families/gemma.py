"""Gemma: norms kept as distance from one, a scaled embedding, GELU in the gate."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import base
from personascan.models.families.ropes import ropes
from personascan.models.families.tensors import gguf_table, hf_table, plus_one


def gemma_base(s: Settings) -> dict:
    """Returns the fields that all generations of Gemma share."""
    shape = base(s)
    s.only("use_bidirectional_attention", False)
    return (
        shape
        | ropes(s, shape["head_dim"])
        | dict(
            norm_eps=s.rms_norm_eps,
            biases=("q", "k", "v", "o") if s.attention_bias else (),
            embed_scale=shape["width"] ** 0.5,
        )
    )


def config(s: Settings) -> dict:
    # Early files say gelu and mean its tanh form, which hidden_activation then names or implies.
    s.ignore("hidden_activation")
    s.only("hidden_act", "gelu", "gelu_pytorch_tanh")
    return gemma_base(s) | dict(activation="gelu_tanh")


def plus_one_norms(**names) -> dict:
    """Returns the table's entries of norms whose tensors hold their distance from one."""
    return {name: (module, plus_one) for name, module in names.items()}


HF_TENSORS = hf_table(
    **plus_one_norms(
        attn_norm="input_layernorm", mlp_norm="post_attention_layernorm", final_norm="model.norm"
    )
)
GGUF_TENSORS = gguf_table()
