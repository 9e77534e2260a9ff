"""Qwen2 and Qwen2.5: Llama with biases into attention, and windows at some layers."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import rms_base
from personascan.models.families.ropes import windows
from personascan.models.families.tensors import gguf_table, hf_table


def config(s: Settings) -> dict:
    s.only("use_mrope", False)
    return rms_base(s) | dict(biases=("q", "k", "v"), windows=windows(s))


HF_TENSORS = hf_table()
GGUF_TENSORS = gguf_table()
