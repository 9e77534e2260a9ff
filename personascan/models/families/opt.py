"""OPT: layer norms, learned positions that start at row 2, ReLU; the 350M norms afterwards."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import base
from personascan.models.families.tensors import table


def config(s: Settings) -> dict:
    s.only("layer_norm_elementwise_affine", True)
    before, removed = s.do_layer_norm_before, s._remove_final_layer_norm
    projections = ("q", "k", "v", "o", "up", "down") if s.enable_bias else ()
    norms = ("attn_norm", "mlp_norm") if before else ("attn_add_norm", "mlp_add_norm")
    embed_width = s.size("word_embed_proj_dim", required=False)
    return base(s, mlp_width=s.size("ffn_dim")) | dict(
        embed_width=0 if embed_width == s.hidden_size else embed_width,
        norm="layer",
        norm_eps=1e-5,
        norms=norms,
        final_norm=before and not removed,
        biases=(*norms, "final_norm", *projections),
        learned_positions=True,
        position_offset=2,
        activation=s.activation_of("activation_function"),
        gated=False,
    )


HF_TENSORS = table(
    "model.decoder.layers.{layer}.",
    embedding="model.decoder.embed_tokens",
    positions="model.decoder.embed_positions",
    embed_in="model.decoder.project_in",
    embed_out="model.decoder.project_out",
    final_norm="model.decoder.final_layer_norm",
    lm_head="lm_head",
    attn_norm="self_attn_layer_norm",
    mlp_norm="final_layer_norm",
    attn_add_norm="self_attn_layer_norm",
    mlp_add_norm="final_layer_norm",
    q="self_attn.q_proj",
    k="self_attn.k_proj",
    v="self_attn.v_proj",
    o="self_attn.out_proj",
    up="fc1",
    down="fc2",
)
GGUF_TENSORS = None  # the format names no such architecture
