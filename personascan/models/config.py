"""What a decoder is made of: one frozen record, no I/O."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Shape and variants of a decoder-only transformer. Sizes count elements."""

    vocab_size: int
    layers: int
    width: int  # D, nodes of the residual stream
    heads: int  # H
    kv_heads: int  # K: H for multi-head, 1 for multi-query attention, between for grouped
    head_dim: int
    mlp_width: int
    norm_eps: float
    rope_theta: float
    max_positions: int  # longest input in tokens
    tie_embeddings: bool  # the unembedding is the transposed embedding
