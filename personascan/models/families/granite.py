"""Granite: Llama with multipliers of the embedding, attention, residual stream and logits."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import GGUF_TENSORS, HF_TENSORS, biases, rms_base

__all__ = ["GGUF_TENSORS", "HF_TENSORS", "config"]


def multipliers(s: Settings) -> dict:
    """Returns the multipliers; attention's replaces 1/sqrt(head size), logits are divided."""
    return dict(
        embed_scale=float(s.embedding_multiplier),
        attn_scale=float(s.attention_multiplier),
        residual_scale=float(s.residual_multiplier),
        logit_scale=1.0 / s.logits_scaling,
    )


def config(s: Settings) -> dict:
    return rms_base(s) | multipliers(s) | dict(biases=biases(s))
