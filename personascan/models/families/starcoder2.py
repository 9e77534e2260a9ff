"""StarCoder 2: layer norms, an ungated GELU MLP, biases, and a window."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import layer_norm_base
from personascan.models.families.tensors import gguf_table, hf_table


def config(s: Settings) -> dict:
    # Keys that files have and no code reads.
    s.ignore("mlp_type", "norm_type", "rms_norm_eps", "layer_norm_eps")
    projections = ("q", "k", "v", "o", "up", "down") if s.use_bias else ()
    return layer_norm_base(s, "norm_epsilon") | dict(
        biases=("attn_norm", "mlp_norm", "final_norm", *projections),
        gated=False,
        windows=(s.sliding_window or 0,) * s.num_hidden_layers,
    )


HF_TENSORS = hf_table(up="mlp.c_fc", down="mlp.c_proj")
GGUF_TENSORS = gguf_table()
