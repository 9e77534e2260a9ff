"""Rotary positions (RoFormer, Su et al. 2021) and their scalings to longer inputs.

Every frequency is rounded to float32 after each operation, as Transformers computes them: at
position 500 one unit in the last place turns an angle by 3e-5, which shows in activations.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from personascan.models.config import Rope

F32 = np.float32


def powers(theta: float, dim: int) -> np.ndarray:
    """Returns theta^(2i/dim) for each rotated pair i (RoFormer, eq. 15)."""
    exponent = np.arange(0, dim, 2, dtype=F32) / F32(dim)
    return (theta ** exponent.astype(np.float64)).astype(F32)


def inverse_frequencies(rope: Rope, length: int) -> np.ndarray:
    """Returns radians a position of each rotated pair, for `length` tokens: [dim/2] float32."""
    if rope.kind == "none":
        return np.zeros(rope.dim // 2, F32)
    if rope.kind == "dynamic":
        # Neural tangent kernel scaling: the base grows with the input beyond training.
        longer = max(length, rope.original_positions) / rope.original_positions
        grown = rope.factor * longer - (rope.factor - 1)
        return F32(1) / powers(rope.theta * grown ** (rope.dim / (rope.dim - 2)), rope.dim)
    inverse = F32(1) / powers(rope.theta, rope.dim)
    if rope.kind == "linear":
        return inverse / F32(rope.factor)
    if rope.kind == "llama3":
        return llama3(rope, inverse)
    if rope.kind == "yarn":
        return yarn(rope)
    if rope.kind == "longrope":
        factors = rope.long_factors if length > rope.original_positions else rope.short_factors
        return F32(1) / (np.array(factors, F32) * powers(rope.theta, rope.dim))
    return inverse


def llama3(rope: Rope, inverse: np.ndarray) -> np.ndarray:
    """Divides long wavelengths by the factor, keeps short ones, and blends those between."""
    trained, low, high = rope.original_positions, rope.low_freq_factor, rope.high_freq_factor
    wavelength = F32(2 * math.pi) / inverse
    smooth = (F32(trained) / wavelength - F32(low)) / F32(high - low)
    blended = (F32(1) - smooth) * inverse / F32(rope.factor) + smooth * inverse
    long, short = wavelength > F32(trained / low), wavelength < F32(trained / high)
    return np.where(long, inverse / F32(rope.factor), np.where(short, inverse, blended))


def yarn(rope: Rope) -> np.ndarray:
    """Divides frequencies by the factor or keeps them, by their turns (arXiv 2309.00071)."""

    def pair_of(turns):
        ratio = math.log(rope.original_positions / (turns * 2 * math.pi))
        return rope.dim * ratio / (2 * math.log(rope.theta))

    low, high = pair_of(rope.beta_fast), pair_of(rope.beta_slow)
    if rope.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, rope.dim - 1)
    high = high + 0.001 if low == high else high
    pair = np.arange(rope.dim // 2, dtype=F32)
    ramp = np.clip((pair - F32(low)) / F32(high - low), F32(0), F32(1))
    power = powers(rope.theta, rope.dim)
    keep = F32(1) - ramp
    return F32(1) / (F32(rope.factor) * power) * (F32(1) - keep) + F32(1) / power * keep


def angles(
    ropes: tuple[Rope, ...], tokens: int, lengths_B=None, position_BT=None
) -> tuple[jax.Array, jax.Array]:
    """Returns cosine and sine of every position's rotation, for each of V ropes.

    Both are [V, B or 1, T, dim/2]. lengths_B counts the real tokens of each row: ropes that depend
    on the length of an input must not depend on the other rows of its batch. None: every row is
    `tokens` long. position_BT: the tokens' positions, below `tokens`; None: from 0 on.
    """
    by_length = [r.kind in ("dynamic", "longrope") for r in ropes]
    if lengths_B is None or not any(by_length):
        frequencies_VBE = jnp.stack([inverse_frequencies(r, tokens) for r in ropes])[:, None]
    else:
        tables = [
            np.stack([inverse_frequencies(r, n) for n in range(tokens + 1)])
            if depends
            else np.tile(inverse_frequencies(r, tokens), (tokens + 1, 1))
            for r, depends in zip(ropes, by_length, strict=True)
        ]
        frequencies_VBE = jnp.stack(tables)[:, lengths_B]
    if position_BT is None:
        position_BT = jnp.arange(tokens)[None]
    angle = position_BT.astype(jnp.float32)[None, :, :, None] * frequencies_VBE[:, :, None]
    factor_V = np.array([r.attention_factor for r in ropes], F32)[:, None, None, None]
    return jnp.cos(angle) * factor_V, jnp.sin(angle) * factor_V


def rotate(x_BTNE, cos_BTE, sin_BTE):
    """Rotates each pair (i, i + dim/2) of every head by its position's angle; keeps the rest."""
    half = cos_BTE.shape[-1]
    cos, sin = cos_BTE[:, :, None], sin_BTE[:, :, None]
    low, high, rest = x_BTNE[..., :half], x_BTNE[..., half : 2 * half], x_BTNE[..., 2 * half :]
    return jnp.concatenate([low * cos - high * sin, high * cos + low * sin, rest], axis=-1)
