"""How the configuration and checkpoint of each `model_type` map onto ours: one module a family.

A family module has `config_from_hf`, `HF_TENSORS`, `config_from_gguf` and `GGUF_TENSORS`. A tensor
table maps a parameter of ours to (name in the checkpoint, transform to our layout); `{layer}` in
the name stands for the block.
"""

from personascan.models.families import llama

FAMILIES = {"llama": llama}
