"""Command R7B and Aya: Command R with windows, and rotations at the windowed layers only."""

from personascan.models.families.cohere import GGUF_TENSORS, HF_TENSORS, parallel_base
from personascan.models.families.keys import Settings
from personascan.models.families.ropes import windows, without_rotation

__all__ = ["GGUF_TENSORS", "HF_TENSORS", "config"]


def config(s: Settings) -> dict:
    s.only("use_qk_norm", False)
    s.only("use_embedding_sharing", True)
    s.only("use_gated_activation", True)
    s.only("use_parallel_block", True)
    s.only("use_parallel_embedding", True, False)
    s.only("position_embedding_type", "rope_gptj")
    s.only("rotary_pct", 1.0)
    s.only("order_of_interleaved_layers", "local_attn_first")
    s.only("layer_switch", 4)
    fields, windowed = parallel_base(s), windows(s)
    return fields | without_rotation(fields, [w == 0 for w in windowed]) | dict(windows=windowed)
