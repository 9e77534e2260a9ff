"""Forward passes as `extract` runs them on whatever devices there are, beside torch.

The weights are random and made on the devices; every block's residual stream is kept at the last
token and fetched.
"""

import dataclasses
import math
import resource
import time

import jax

from benchmarks.device_peak import median_seconds
from benchmarks.device_shapes import (
    SHAPES,
    TITLES,
    Work,
    random_model,
    random_work,
)
from personascan.errors import InputError
from personascan.memory import free_bytes, human_bytes
from personascan.models.checkpoint import parameter_shapes
from personascan.models.config import DecoderConfig
from personascan.sources.language.extract import BATCH_TOKENS, run
from personascan.sources.language.sizes import batch_bytes, batch_flops

SITES = ("resid_post",)
BATCHES = 16  # of accelerators, on each
HOST_SECONDS = 3  # a pass on a CPU, about: it takes fewer tokens
HOST_SHARE, SHARE = 0.5, 0.2  # of the peak that is expected, to plan with
COMPILE_SECONDS = 8  # of a shape, at most, to plan with
FILL_BYTES = 1e8  # random parameters a second on a CPU
REPEATS = 3


@dataclasses.dataclass(frozen=True)
class Setting:
    """One model and dtype, and the tokens it is given."""

    shape: str
    config: DecoderConfig
    dtype: str
    tokens: int
    batch_tokens: int

    @property
    def parameter_bytes(self) -> int:
        leaves = jax.tree.leaves(parameter_shapes(self.config, self.dtype))
        return sum(math.prod(s.shape) * s.dtype.itemsize for s in leaves)

    def work(self) -> Work:
        return random_work(self.config.vocab_size, self.tokens, self.batch_tokens)


def setting(shape: str, dtype: str, rate: float, devices: int, config=None) -> Setting:
    """As many tokens as fit: `rate` is the FLOP/s of products in that dtype on all devices."""
    config = config or SHAPES[shape]
    most = BATCHES * BATCH_TOKENS * devices
    if jax.default_backend() == "cpu":
        one = random_work(config.vocab_size, BATCH_TOKENS, BATCH_TOKENS)
        a_token = flops_of(config, one) / one.tokens
        most = min(most, max(256, int(HOST_SECONDS * HOST_SHARE * rate / a_token)))
    return Setting(shape, config, dtype, most, BATCH_TOKENS * devices)


def flops_of(config: DecoderConfig, work: Work) -> int:
    """Operations of the blocks over all padded tokens."""
    return sum(batch_flops(config, batch) for batch in work.batches)


def expected_seconds(s: Setting, rate: float) -> float:
    """What `measure_forward` will take, about."""
    work, is_cpu = s.work(), jax.default_backend() == "cpu"
    passes = (1 + REPEATS) * flops_of(s.config, work) / rate / (HOST_SHARE if is_cpu else SHARE)
    compiling = COMPILE_SECONDS * len({b.tokens_BT.shape for b in work.batches})
    return passes + (s.parameter_bytes / FILL_BYTES + 0.2 * compiling if is_cpu else compiling)


def refuse_too_large(s: Setting, work: Work) -> None:
    """Raise InputError where parameters and the largest batch do not fit beside one another."""
    batch = max(batch_bytes(s.config, b, SITES, ("last",)) for b in work.batches)
    device = jax.local_devices()[0]
    stats = device.memory_stats() or {}
    if device.platform == "cpu":
        # Every device's copy, and bits beside numbers where there are several.
        devices = s.batch_tokens // BATCH_TOKENS
        needed, free = (devices + 1) * s.parameter_bytes + batch, free_bytes()
    else:
        needed = s.parameter_bytes + batch
        free = stats.get("bytes_limit", needed) - stats.get("bytes_in_use", 0)
    if needed > free:
        raise InputError(
            f"needs about {human_bytes(needed)} of memory, {human_bytes(free)} are free"
        )


def measure_forward(s: Setting, rate: float, mesh) -> dict:
    """Tokens/s of whole passes over all batches, after one that compiles them."""
    work = s.work()
    refuse_too_large(s, work)
    model = random_model(s.config, s.dtype, mesh)

    def forward():
        return [kept for _, kept in run(model, work.batches, work.prompts, SITES, ("last",))]

    began = time.perf_counter()
    forward()
    first = time.perf_counter() - began
    seconds = median_seconds(forward, REPEATS)
    flop_rate = flops_of(s.config, work) / seconds
    return describe(s, work) | {
        "devices": 1 if mesh is None else mesh.size,
        "first_pass_seconds": first,
        "median_pass_seconds": seconds,
        "tokens_per_second": work.tokens / seconds,
        "flop_per_second": flop_rate,
        "share_of_measured_product_rate": flop_rate / rate,
        "parameter_bytes": s.parameter_bytes,
        **process_peak(),
    }


def describe(s: Setting, work: Work) -> dict:
    """What is run."""
    return {
        "shape": TITLES.get(s.shape, s.shape),
        "dtype": s.dtype,
        "sequences": len(work.prompts),
        "tokens": work.tokens,
        "padded_tokens": sum(b.tokens_BT.size for b in work.batches),
        "batch_tokens": s.batch_tokens,
        "batches": len(work.batches),
        "compiled_shapes": len({b.tokens_BT.shape for b in work.batches}),
    }


def process_peak() -> dict:
    """The most memory held since the process started: of the first device, or of the host."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in stats:
        return {"device_peak_bytes_since_start": stats["peak_bytes_in_use"]}
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # Linux counts in KiB
    return {"host_peak_bytes_since_start": peak}


def measure_torch(s: Setting) -> dict:
    """Transformers' Llama of that shape on the same batches, where torch is.

    Raises InputError where torch is not, or has none of the devices that JAX has.
    """
    try:
        from benchmarks import device_torch
    except ImportError as error:
        raise InputError(f"{error.name or 'torch'} is not installed") from error
    work = s.work()
    refuse_too_large(s, work)
    seconds = device_torch.seconds_per_pass(s.config, s.dtype, work.batches, REPEATS)
    return {
        "torch_median_pass_seconds": seconds,
        "torch_tokens_per_second": work.tokens / seconds,
    }
