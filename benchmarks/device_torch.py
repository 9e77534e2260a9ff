"""Transformers' Llama with random weights on torch, on the kind of device that JAX has."""

import jax
import torch
from transformers import LlamaConfig, LlamaModel

from benchmarks.device_peak import median_seconds
from personascan.errors import InputError
from personascan.models.config import DecoderConfig
from personascan.sources.language.batches import Batch


def torch_device() -> str:
    """The one like JAX's; InputError where torch has none."""
    backend = jax.default_backend()
    if backend == "cpu":
        return "cpu"
    if backend in ("gpu", "cuda", "rocm") and torch.cuda.is_available():
        return "cuda"
    raise InputError(f"this torch has no device like JAX's ({backend})")


def random_llama(config: DecoderConfig, dtype: str, device: str) -> LlamaModel:
    """The blocks without lm_head, made on the device."""
    (rope,) = config.ropes
    spelled = {"rope_type": rope.kind, "rope_theta": rope.theta}
    if rope.kind == "llama3":
        spelled |= {
            "factor": rope.factor,
            "low_freq_factor": rope.low_freq_factor,
            "high_freq_factor": rope.high_freq_factor,
            "original_max_position_embeddings": rope.original_positions,
        }
    theirs = LlamaConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.width,
        intermediate_size=config.mlp_width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.kv_heads,
        head_dim=config.head_dim,
        max_position_embeddings=config.max_positions,
        rms_norm_eps=config.norm_eps,
        rope_parameters=spelled,
        dtype=dtype,
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        with torch.device(device):
            return LlamaModel(theirs).eval()
    finally:
        torch.set_default_dtype(before)


def one_pass(theirs: LlamaModel, batches: list[Batch], device: str) -> list:
    """Every block's output at the last real token, on the host in float32."""
    found = []
    with torch.no_grad():
        for batch in batches:
            tokens = torch.tensor(batch.tokens_BT, dtype=torch.long, device=device)
            length = torch.tensor(batch.lengths_B, dtype=torch.long, device=device)
            real = torch.arange(tokens.shape[1], device=device)[None] < length[:, None]
            out = theirs(
                tokens, attention_mask=real.long(), output_hidden_states=True, use_cache=False
            )
            rows = torch.arange(len(tokens), device=device)
            last = torch.stack([state[rows, length - 1] for state in out.hidden_states[1:]])
            found.append(last.float().cpu().numpy())
    return found


def seconds_per_pass(config: DecoderConfig, dtype: str, batches: list[Batch], repeats: int):
    """The median of a few passes over all batches, after one that warms up."""
    device = torch_device()
    try:
        return timed_passes(random_llama(config, dtype, device), batches, device, repeats)
    finally:
        if device == "cuda":
            torch.cuda.empty_cache()  # or JAX would lack what the model has held


def timed_passes(theirs: LlamaModel, batches: list[Batch], device: str, repeats: int) -> float:
    """The same of a model, which is let go at the end."""
    one_pass(theirs, batches, device)
    return median_seconds(lambda: one_pass(theirs, batches, device), repeats)
