"""BERT, an encoder: attention both ways, learned positions, token types, norms after each sum."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import base
from personascan.models.families.tensors import table

NORMS = ("attn_add_norm", "mlp_add_norm")
# Keys of the pooler, which no hidden state needs.
POOLER = tuple(
    f"pooler_{key}"
    for key in ("fc_size", "num_attention_heads", "num_fc_layers", "size_per_head", "type")
)


def encoder_base(s: Settings, mlp_width: int = 0) -> dict:
    """Returns the fields that encoders share: they end with their last block and have no logits."""
    s.only("is_decoder", False)
    s.only("position_embedding_type", "absolute")
    s.ignore("directionality", *POOLER)
    return base(s, mlp_width) | dict(
        tie_embeddings=False,
        has_head=False,
        causal=False,
        norm="layer",
        norm_eps=1e-12,
        norms=NORMS,
        embed_norm=True,
        final_norm=False,
        biases=(*NORMS, "embed_norm", "embed_in", "q", "k", "v", "o", "up", "down"),
        learned_positions=True,
        gated=False,
    )


def config(s: Settings) -> dict:
    return encoder_base(s) | dict(
        norm_eps=s.layer_norm_eps,
        token_types=s.size("type_vocab_size", required=False),
        activation=s.activation_of("hidden_act"),
    )


def encoder_table(root: str) -> dict:
    """Returns the table of a checkpoint that names its modules as BERT does."""
    return table(
        f"{root}.encoder.layer.{{layer}}.",
        embedding=f"{root}.embeddings.word_embeddings",
        positions=f"{root}.embeddings.position_embeddings",
        token_types=f"{root}.embeddings.token_type_embeddings",
        embed_norm=f"{root}.embeddings.LayerNorm",
        q="attention.self.query",
        k="attention.self.key",
        v="attention.self.value",
        o="attention.output.dense",
        attn_add_norm="attention.output.LayerNorm",
        up="intermediate.dense",
        down="output.dense",
        mlp_add_norm="output.LayerNorm",
    )


HF_TENSORS = encoder_table("bert")
GGUF_TENSORS = None  # no encoder is read from that format
