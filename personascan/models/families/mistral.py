"""Mistral: Llama with a window that attention may reach back at most."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import GGUF_TENSORS, HF_TENSORS, rms_base

__all__ = ["GGUF_TENSORS", "HF_TENSORS", "config"]


def config(s: Settings) -> dict:
    return rms_base(s) | dict(windows=(s.sliding_window or 0,) * s.num_hidden_layers)
