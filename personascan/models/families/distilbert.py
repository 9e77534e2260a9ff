"""DistilBERT: BERT without token types, under names of its own."""

from personascan.models.families.bert import encoder_base
from personascan.models.families.keys import Settings
from personascan.models.families.tensors import table


def config(s: Settings) -> dict:
    # The table of positions holds the sinusoidal ones, too.
    s.ignore("sinusoidal_pos_embds", "tie_weights_")
    return encoder_base(s, mlp_width=s.size("hidden_dim")) | dict(
        activation=s.activation_of("activation")
    )


HF_TENSORS = table(
    "distilbert.transformer.layer.{layer}.",
    embedding="distilbert.embeddings.word_embeddings",
    positions="distilbert.embeddings.position_embeddings",
    embed_norm="distilbert.embeddings.LayerNorm",
    q="attention.q_lin",
    k="attention.k_lin",
    v="attention.v_lin",
    o="attention.out_lin",
    attn_add_norm="sa_layer_norm",
    up="ffn.lin1",
    down="ffn.lin2",
    mlp_add_norm="output_layer_norm",
)
GGUF_TENSORS = None
