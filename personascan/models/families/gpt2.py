"""GPT-2: layer norms, learned positions, one fused projection kept as [in, out]."""

from personascan.models.families.keys import Settings
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
    width, heads = s.size("hidden_size"), s.size("num_attention_heads")
    return dict(
        vocab_size=s.size("vocab_size"),
        layers=s.size("num_hidden_layers"),
        width=width,
        heads=heads,
        kv_heads=heads,
        head_dim=width // heads,
        mlp_width=s.n_inner or 4 * width,
        max_positions=s.size("max_position_embeddings", required=False),
        tie_embeddings=bool(s.tie_word_embeddings),
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
