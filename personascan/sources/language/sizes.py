"""The cost of extraction: operations and bytes of a batch, and whether they fit into memory."""

import math

import jax
import numpy as np

from personascan.errors import InputError
from personascan.memory import human_bytes, refuse_too_much
from personascan.models.config import DecoderConfig
from personascan.models.load import LanguageModel
from personascan.sources.language.batches import Batch


def batch_flops(config: DecoderConfig, batch: Batch) -> int:
    """Counts two FLOPs for each weight and token (all experts run), and those of attention."""
    rows, tokens = batch.tokens_BT.shape
    weights = sum(math.prod(s) for name, s in config.block_shapes().items() if "norm" not in name)
    attention = 4 * tokens * config.heads * config.head_dim
    return config.layers * rows * tokens * (2 * weights + attention)


def batch_bytes(config: DecoderConfig, batch: Batch, sites, positions) -> int:
    """Estimates the bytes of the residual stream, one block's activations, and the outputs.

    All are float32. The outputs of two batches exist at once, while the first is copied out.
    """
    rows, tokens = batch.tokens_BT.shape
    heads = (2 * config.heads + 2 * config.kv_heads) * config.head_dim
    per_token = 4 * config.width + heads + 3 * config.mlp_width
    outputs = sum(tokens if position == "all" else 1 for position in positions)
    nodes = sum(math.prod(config.site_shape(site)) for site in sites)
    return 4 * rows * (tokens * (per_token + 2 * config.heads * tokens) + 2 * outputs * nodes)


def batches_at_once(mesh) -> int:
    """Returns how many batches the devices of this process run at the same time."""
    if mesh is None:
        return 1
    here = [d.process_index == jax.process_index() for d in mesh.devices.flat]
    return int(np.reshape(here, mesh.devices.shape).any(1).sum())


def refuse_too_large(
    model: LanguageModel, batches: list[Batch], sites, positions, kept: int, say: bool
) -> None:
    """Raises InputError if batches do not fit on the device, or activations on the host."""
    largest = max(batch_bytes(model.config, batch, sites, positions) for batch in batches)
    tokens = max(batch.tokens_BT.size for batch in batches)
    smaller = f"use batch_tokens below {tokens}, or keep the activations in a folder (out)"
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        at_once = min(batches_at_once(model.mesh), len(batches))
        refuse_too_much("extraction", at_once * largest + kept, smaller, say)
        return
    refuse_too_much("extraction", kept, smaller, say)
    stats = device.memory_stats() or {}
    free = stats.get("bytes_limit", largest) - stats.get("bytes_in_use", 0)
    if largest > free:
        raise InputError(
            f"a batch needs about {human_bytes(largest)} but the device has {human_bytes(free)}; "
            f"{smaller}"
        )
