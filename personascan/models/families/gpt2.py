"""GPT-2: layer norms, learned positions, one fused projection kept as [in, out]."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import base
from personascan.models.families.tensors import (
    FUSED_QKV,
    as_is,
    fused,
    gguf_table,
    table,
    untransposed_heads_in,
    untransposed_part,
)

BIASES = ("attn_norm", "mlp_norm", "final_norm", "q", "k", "v", "o", "up", "down")


def config(s: Settings) -> dict:
    s.only("scale_attn_weights", True)
    s.only("scale_attn_by_inverse_layer_idx", False)
    s.only("add_cross_attention", False)
    s.ignore("reorder_and_upcast_attn", "summary_type", "summary_use_proj", "summary_activation")
    s.ignore("summary_proj_to_labels", "summary_first_dropout")
    return base(s, mlp_width=s.n_inner or 4 * s.size("hidden_size")) | dict(
        norm="layer",
        norm_eps=s.layer_norm_epsilon,
        biases=BIASES,
        learned_positions=True,
        activation=s.activation_of("activation_function"),
        gated=False,
    )


HF_TENSORS = table(
    "transformer.h.{layer}.",
    embedding="transformer.wte",
    positions="transformer.wpe",
    final_norm="transformer.ln_f",
    lm_head="lm_head",
    attn_norm="ln_1",
    mlp_norm="ln_2",
    q=("attn.c_attn", untransposed_part(0, 1)),
    k=("attn.c_attn", untransposed_part(1, 2)),
    v=("attn.c_attn", untransposed_part(2, 3)),
    o=("attn.c_proj", untransposed_heads_in),
    up=("mlp.c_fc", as_is),
    down=("mlp.c_proj", as_is),
)
GGUF_TENSORS = gguf_table(**fused("attn_qkv", FUSED_QKV))
