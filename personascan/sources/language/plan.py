"""The plan of an extraction: tokens, bytes and seconds, computed before parameters are read."""

import functools
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.models.checkpoint import leaves_by_path, parameter_shapes
from personascan.models.config import DecoderConfig
from personascan.models.dtypes import DTYPES, FAST, parameter_dtype
from personascan.models.identity import inspect_model
from personascan.models.layers import project
from personascan.sources.language.batches import plan_batches
from personascan.sources.language.conversation_prompts import refuse_crossing
from personascan.sources.language.conversations import are_conversations
from personascan.sources.language.extract import BATCH_TOKENS, check_request
from personascan.sources.language.positions import check_numbers
from personascan.sources.language.prompts import prompts_of
from personascan.sources.language.sizes import batch_bytes, batch_flops
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import DATE, PromptOptions

COMPILE_SECONDS = 0.8  # a shape of SmolLM2 on two CPU cores; kept compilations take none


@dataclass(frozen=True)
class ExtractionPlan:
    """Sizes in bytes and times in seconds of one process on its devices."""

    parameters: int
    parameter_bytes: int
    statements: int
    tokens: int  # without padding
    padded_tokens: int
    batches: int
    shapes: int  # distinct, each compiled once
    batch_bytes: int  # about what the largest batch needs while it runs
    store_bytes: int  # the activations that are kept
    flops: int
    seconds: float  # of running, at the rate of products measured on this device
    compile_seconds: float

    def summary(self) -> str:
        """Formats the plan, one line a figure."""
        waste = self.padded_tokens / self.tokens - 1
        rows = (
            ("parameters", f"{self.parameters:,} ({size(self.parameter_bytes)})"),
            ("statements", f"{self.statements:,}"),
            ("tokens", f"{self.tokens:,}, padded {self.padded_tokens:,} (+{waste:.1%})"),
            ("batches", f"{self.batches:,} of {self.shapes} shapes"),
            ("memory", f"parameters + about {size(self.batch_bytes)} a batch"),
            ("activations kept", size(self.store_bytes)),
            ("FLOPs", f"{self.flops:.3g}"),
            ("time", f"about {self.seconds:.0f} s, and {self.compile_seconds:.0f} s of compiling"),
        )
        return "\n".join(f"{name:18s}{value}" for name, value in rows)


def plan_extraction(
    source: str | os.PathLike[str],
    statements: Sequence[Statement],
    *,
    sites: Sequence[str] = ("resid_post",),
    positions: Sequence[str | int] = ("last",),
    role: str = "system",
    prefix: str = "",
    suffix: str = "",
    template: str = "",
    template_keywords: dict[str, Any] | None = None,
    date: str = DATE,
    batch_tokens: int | None = None,
    dtype: str = "float32",
    strict: bool = False,
) -> ExtractionPlan:
    """Plans `extract` with these arguments on the model of a source.

    Only the configuration and tokenizer are read.

    Args:
      source: as of `load_model`, with its `dtype`; the other arguments as of `extract`.

    Returns:
      ExtractionPlan: numbers of tokens and batches, bytes, FLOPs and seconds.

    Raises:
      InputError: as `load_model` and `extract`.
    """
    options = PromptOptions(role, prefix, suffix, strict, template, template_keywords or {}, date)
    return plan_with_options(source, statements, sites, positions, options, batch_tokens, dtype)


def plan_with_options(
    source, statements, sites, positions, options: PromptOptions, batch_tokens: int | None,
    dtype: str,
) -> ExtractionPlan:  # fmt: skip
    """Plans as `plan_extraction`, with the options of prompts as a record."""
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r} is unknown; use one of {', '.join(DTYPES)}")
    statements = list(statements)
    positions = check_request(statements, sites, positions, batch_tokens, out="")
    config, tokenizer = inspect_model(source)
    nodes = sum(math.prod(config.site_shape(site)) for site in sites)
    prompts = prompts_of(tokenizer, statements, options, config.max_positions, config.vocab_size)
    if are_conversations(statements):
        refuse_crossing(config, statements, prompts)
    check_numbers(positions, prompts, [s.id for s in statements])
    batches = plan_batches(prompts, batch_tokens or BATCH_TOKENS, pad=0)
    shapes, _ = leaves_by_path(parameter_shapes(config, parameter_dtype(dtype)))
    tokens = sum(len(p.ids) for p in prompts)
    rows = sum(tokens if position == "all" else len(statements) for position in positions)
    flops = sum(batch_flops(config, batch) for batch in batches)
    compiled = len({b.tokens_BT.shape for b in batches})
    return ExtractionPlan(
        parameters=sum(math.prod(s.shape) for s in shapes.values()),
        parameter_bytes=sum(math.prod(s.shape) * s.dtype.itemsize for s in shapes.values()),
        statements=len(statements),
        tokens=tokens,
        padded_tokens=sum(b.tokens_BT.size for b in batches),
        batches=len(batches),
        shapes=compiled,
        batch_bytes=max(batch_bytes(config, b, sites, positions) for b in batches),
        store_bytes=4 * rows * nodes,
        flops=flops,
        seconds=flops / product_rate(config, dtype),
        compile_seconds=COMPILE_SECONDS * compiled,
    )


def product_rate(config: DecoderConfig, dtype: str, repeats: int = 5) -> float:
    """Measures the FLOP/s of the MLP products on this device: the best of a few, in 0.1 s."""
    rows, columns = min(config.width, 4096), min(config.mlp_width, 4096)
    x, w = (jnp.ones(shape, parameter_dtype(dtype)) for shape in ((1024, rows), (rows, columns)))
    product = jax.jit(functools.partial(project, exact=not dtype.endswith(FAST)))
    product(x, w).block_until_ready()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        product(x, w).block_until_ready()
        seconds.append(time.perf_counter() - start)
    return 2 * 1024 * rows * columns / np.min(seconds)


def size(count: float) -> str:
    """Formats a number of bytes."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
