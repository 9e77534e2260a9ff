"""OLMo 3: OLMo 2 with windows at three layers of four, which keep the unscaled rotation."""

from personascan.models.families import olmo2
from personascan.models.families.keys import Settings
from personascan.models.families.olmo2 import GGUF_TENSORS, HF_TENSORS
from personascan.models.families.ropes import windows

__all__ = ["GGUF_TENSORS", "HF_TENSORS", "config"]


def config(s: Settings) -> dict:
    return olmo2.config(s) | dict(windows=windows(s))
