"""SmolLM3: Llama without rotation at every fourth layer."""

from personascan.errors import InputError
from personascan.models.families.keys import Settings
from personascan.models.families.llama import GGUF_TENSORS, HF_TENSORS, biases, rms_base
from personascan.models.families.ropes import windows, without_rotation

__all__ = ["GGUF_TENSORS", "HF_TENSORS", "config"]


def config(s: Settings) -> dict:
    s.ignore("max_window_layers")
    fields = rms_base(s)
    # no_rope_layers marks the layers WITH rotation by 1.
    unrotated = [not rotated for rotated in s.no_rope_layers]
    if len(unrotated) != fields["layers"]:
        raise InputError(
            f"{s.where}: {len(unrotated)} no_rope_layers for {fields['layers']} layers"
        )
    return fields | without_rotation(fields, unrotated) | dict(biases=biases(s), windows=windows(s))
