"""Gemma 3 (text): Gemma 2 without its caps, with normed queries and keys and two rotations."""

from personascan.models.families import gemma2
from personascan.models.families.gemma import plus_one_norms
from personascan.models.families.keys import Settings
from personascan.models.families.tensors import gguf_table, table

__all__ = ["GGUF_TENSORS", "HF_TENSORS", "config"]


def config(s: Settings) -> dict:
    s.only("attn_logit_softcapping", 0.0)  # which Transformers keeps, and does not apply
    return gemma2.gemma2_base(s) | dict(qk_norm="head")


HF_TENSORS = gemma2.HF_TENSORS | table(
    "model.layers.{layer}.",
    **plus_one_norms(q_norm="self_attn.q_norm", k_norm="self_attn.k_norm"),
)
GGUF_TENSORS = gguf_table()
