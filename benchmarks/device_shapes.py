"""Shapes of known models, with random parameters made on the devices: nothing is downloaded."""

import functools
import pathlib
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from personascan.models.checkpoint import leaves_by_path, parameter_shapes
from personascan.models.config import DecoderConfig, Rope
from personascan.models.load import LanguageModel
from personascan.sharding import parameter_sharding
from personascan.sources.language.batches import Batch, plan_batches
from personascan.sources.language.prompt_tokens import Prompt

LEAST_TOKENS, MOST_TOKENS = 32, 64  # of a statement in its template
SPREAD = 0.02 * 3**0.5  # uniform weights of deviation 0.02

SHAPES = {
    "llama-8b": DecoderConfig(
        vocab_size=128256, layers=32, width=4096, heads=32, kv_heads=8, head_dim=128,
        mlp_width=14336, max_positions=8192, norm_eps=1e-5,
        ropes=(Rope(dim=128, theta=500000.0, original_positions=8192),), rope_of_layer=(0,) * 32,
    ),
    "llama-1b": DecoderConfig(
        vocab_size=128256, layers=16, width=2048, heads=32, kv_heads=8, head_dim=64,
        mlp_width=8192, max_positions=262144, norm_eps=1e-5, tie_embeddings=True,
        ropes=(
            Rope(dim=64, theta=500000.0, kind="llama3", factor=32.0, original_positions=8192),
        ),
        rope_of_layer=(0,) * 16,
    ),
    "smollm2": DecoderConfig(
        vocab_size=49152, layers=30, width=576, heads=9, kv_heads=3, head_dim=64,
        mlp_width=1536, max_positions=8192, norm_eps=1e-5, tie_embeddings=True,
        ropes=(Rope(dim=64, theta=100000.0, original_positions=8192),), rope_of_layer=(0,) * 30,
    ),
}  # fmt: skip
TITLES = {
    "llama-8b": "Llama-3-8B", "llama-1b": "Llama-3.2-1B", "smollm2": "SmolLM2-135M",
}  # fmt: skip


@dataclass(frozen=True)
class Work:
    """Token sequences as statements give them, and the batches that `extract` makes of them."""

    prompts: list[Prompt]
    batches: list[Batch]

    @property
    def tokens(self) -> int:
        """Real tokens, without padding."""
        return sum(len(p.ids) for p in self.prompts)


def random_work(vocab_size: int, tokens: int, batch_tokens: int, seed: int = 0) -> Work:
    """About so many random tokens, in sequences of 32 to 64."""
    rng = np.random.default_rng(seed)
    count = max(1, 2 * tokens // (LEAST_TOKENS + MOST_TOKENS))
    length_N = rng.integers(LEAST_TOKENS, MOST_TOKENS + 1, count)
    prompts = [Prompt(rng.integers(vocab_size, size=n).tolist(), 0, n - 1) for n in length_N]
    return Work(prompts, plan_batches(prompts, batch_tokens, pad=0))


def random_model(config: DecoderConfig, dtype: str, mesh=None) -> LanguageModel:
    """A model of that shape without tokenizer, its parameters where `load_model` would put them."""
    shapes, structure = leaves_by_path(parameter_shapes(config, dtype))
    made = []
    for number, (path, one) in enumerate(shapes.items()):
        sharding = parameter_sharding(path, one.shape, mesh)
        fill = functools.partial(filled, shape=one.shape, dtype=one.dtype)
        if "norm" in path:
            fill = functools.partial(ones, shape=one.shape, dtype=one.dtype)
        elif path.startswith("blocks/"):
            fill = functools.partial(filled_by_layer, shape=one.shape, dtype=one.dtype)
        made.append(jax.jit(fill, out_shardings=sharding)(number).block_until_ready())
    params = structure.unflatten(made)
    return LanguageModel("random", pathlib.Path(), config, params, None, "", dtype, mesh)


def ones(_, *, shape, dtype):
    return jnp.ones(shape, dtype)


def filled(number, *, shape, dtype):
    """Small uniform weights, drawn by the generator that is quickest on accelerators."""
    key = jax.random.fold_in(jax.random.key(0, impl="rbg"), number)
    return jax.random.uniform(key, shape, dtype, -SPREAD, SPREAD)


def filled_by_layer(number, *, shape, dtype):
    """The same, layer after layer: the bits of all at once would take several times the memory."""
    layers, *one = shape
    numbers = number * layers + jnp.arange(layers) + 1000
    return jax.lax.map(lambda n: filled(n, shape=tuple(one), dtype=dtype), numbers)
