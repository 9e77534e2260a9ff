"""Qwen3: Llama with queries and keys normed in each head, and windows at some layers."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import rms_base
from personascan.models.families.ropes import windows
from personascan.models.families.tensors import gguf_table, hf_table


def config(s: Settings) -> dict:
    biased = ("q", "k", "v", "o") if s.attention_bias else ()
    return rms_base(s) | dict(qk_norm="head", biases=biased, windows=windows(s))


HF_TENSORS = hf_table()
GGUF_TENSORS = gguf_table()
