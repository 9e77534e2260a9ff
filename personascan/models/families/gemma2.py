"""Gemma 2: four norms a block, soft caps, windows at every other layer, a query scale."""

from personascan.models.families.gemma import gemma_base, plus_one_norms
from personascan.models.families.keys import Settings
from personascan.models.families.ropes import windows
from personascan.models.families.tensors import gguf_table, hf_table

NORMS = ("attn_norm", "attn_post_norm", "mlp_norm", "mlp_post_norm")


def gemma2_base(s: Settings) -> dict:
    """Returns the fields that Gemma 2 and 3 share."""
    s.ignore("hidden_act")
    s.only("sliding_window_size", s.sliding_window)
    return gemma_base(s) | dict(
        norms=NORMS,
        activation=s.activation_of("hidden_activation"),
        attn_scale=float(s.query_pre_attn_scalar) ** -0.5,
        attn_softcap=float(s.attn_logit_softcapping or 0),
        logit_softcap=float(s.final_logit_softcapping or 0),
        windows=windows(s),
    )


config = gemma2_base
HF_TENSORS = hf_table(
    **plus_one_norms(
        attn_norm="input_layernorm",
        attn_post_norm="post_attention_layernorm",
        mlp_norm="pre_feedforward_layernorm",
        mlp_post_norm="post_feedforward_layernorm",
        final_norm="model.norm",
    )
)
GGUF_TENSORS = gguf_table()
