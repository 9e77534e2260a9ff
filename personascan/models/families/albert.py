"""ALBERT: BERT with one block's parameters in all layers, and a narrow embedding projected up."""

from personascan.models.families import bert
from personascan.models.families.keys import Settings
from personascan.models.families.tensors import table


def config(s: Settings) -> dict:
    # Several blocks, or several groups of them, would each have parameters of their own.
    s.only("num_hidden_groups", 1)
    s.only("inner_group_num", 1)
    # Keys of the first implementation, which no later one reads.
    s.ignore("down_scale_factor", "gap_size", "layers_to_keep", "net_structure_type")
    s.ignore("num_memory_blocks")
    return bert.config(s) | dict(
        embed_width=s.size("embedding_size"),
        project_last=True,
        shared_blocks=True,
    )


HF_TENSORS = table(
    "albert.encoder.albert_layer_groups.0.albert_layers.0.",
    embedding="albert.embeddings.word_embeddings",
    positions="albert.embeddings.position_embeddings",
    token_types="albert.embeddings.token_type_embeddings",
    embed_norm="albert.embeddings.LayerNorm",
    embed_in="albert.encoder.embedding_hidden_mapping_in",
    q="attention.query",
    k="attention.key",
    v="attention.value",
    o="attention.dense",
    attn_add_norm="attention.LayerNorm",
    up="ffn",
    down="ffn_output",
    mlp_add_norm="full_layer_layer_norm",
)
GGUF_TENSORS = None
