"""The control vectors of llama.cpp that have the same effect as a direction.

`direction_files` says where llama.cpp adds them.
"""

import numpy as np

from personascan.direction import Direction
from personascan.errors import InputError
from personascan.interventions.direction_checks import refuse_unusable
from personascan.models.config import DecoderConfig
from personascan.places import STREAM

NOT_IN_STREAM = {
    "attn_out": "the block's MLP has read attn_out by then",
    "head_out": "head_out is projected before it gets there",
    "mlp_hidden": "mlp_hidden is projected before it gets there",
    "mlp_out": "a norm stands between mlp_out and there in this model",
    "final_norm": "final_norm comes after the last of them",
}
INSTEAD = "write .safetensors, or find a direction at resid_post of layer 1 or above"


def control_vectors(direction: Direction, config: DecoderConfig) -> Direction:
    """Returns a direction at resid_post alone that has the same effect.

    Vectors of one block are summed. Raises InputError if llama.cpp cannot add the direction.
    """
    if not config.causal:
        raise InputError("llama.cpp adds no control vectors to encoders; write .safetensors")
    shift = {}
    for (site, layer), x_D in direction.shift.items():
        where = STREAM, block_of(site, layer, config)
        with np.errstate(over="ignore"):
            shift[where] = shift[where] + x_D if where in shift else x_D
    summed = Direction(direction.name, shift, record=direction.record)
    refuse_unusable("the sum of vectors of one block", summed)
    return summed


def block_of(site: str, layer: int, config: DecoderConfig) -> int:
    """Returns the block to whose output a vector is added with the same effect as at a site."""
    bare = "mlp_add_norm" not in config.norms
    block = layer - (site == "resid_pre")
    ends = site == "mlp_out" or (site == "attn_out" and config.parallel)
    if site not in (STREAM, "resid_pre") and not (ends and bare):
        raise InputError(
            f"{site} {layer}: llama.cpp adds to what blocks leave in the residual stream, and "
            f"{NOT_IN_STREAM[site]}; {INSTEAD}"
        )
    if block < 1:
        raise InputError(
            f"{site} {layer}: llama.cpp adds nothing before block 1 has ended; {INSTEAD}"
        )
    return block
