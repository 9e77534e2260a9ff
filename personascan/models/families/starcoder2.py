"""StarCoder 2: layer norms, an ungated GELU MLP, biases, and a window."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import base
from personascan.models.families.ropes import ropes
from personascan.models.families.tensors import gguf_table, hf_table


def config(s: Settings) -> dict:
    shape = base(s)
    s.ignore(
        "mlp_type", "norm_type", "rms_norm_eps", "layer_norm_eps"
    )  # in files, and read by no code
    projections = ("q", "k", "v", "o", "up", "down") if s.use_bias else ()
    return (
        shape
        | ropes(s, shape["head_dim"])
        | dict(
            norm="layer",
            norm_eps=s.norm_epsilon,
            biases=("attn_norm", "mlp_norm", "final_norm", *projections),
            activation=s.activation_of("hidden_act"),
            gated=False,
            windows=(s.sliding_window or 0,) * shape["layers"],
        )
    )


HF_TENSORS = hf_table(up="mlp.c_fc", down="mlp.c_proj")
GGUF_TENSORS = gguf_table()
