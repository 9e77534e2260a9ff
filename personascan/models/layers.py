"""The maths of the models, as pure functions.

Letters: B batch, T tokens, D width, F MLP width, H heads, K key/value heads, G = H/K query heads a
key/value head, E head size. Products accumulate in float32 whatever the operands; norms, rotary
angles and softmax are computed in float32.
"""

import jax
import jax.numpy as jnp
import numpy as np


def project(spec: str, x, weight):
    """An einsum with float32 accumulation, in the dtype of `x`."""
    return jnp.einsum(spec, x, weight, preferred_element_type=jnp.float32).astype(x.dtype)


def rms_norm(x_BTD, scale_D, eps: float):
    """x / rms(x) * scale (Zhang and Sennrich 2019, eq. 4)."""
    x = x_BTD.astype(jnp.float32)
    x = x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + eps)
    return (x * scale_D.astype(jnp.float32)[None, None]).astype(x_BTD.dtype)


def rope_angles(tokens: int, head_dim: int, theta: float) -> tuple[jax.Array, jax.Array]:
    """Cosine and sine [T, E/2] of every position's rotation (RoFormer, Su et al. 2021, eq. 15)."""
    # Rounded to float32 after each operation, as Transformers computes them: at position 500 one
    # unit in the last place of a frequency turns an angle by 3e-5, which shows in activations.
    exponent = np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim)
    frequency = np.float32(1) / (theta ** exponent.astype(np.float64)).astype(np.float32)
    angle = jnp.arange(tokens, dtype=jnp.float32)[:, None] * frequency[None]
    return jnp.cos(angle), jnp.sin(angle)


def rotate(x_BTNE, angles):
    """Rotate each pair (i, i + E/2) of every head by its position's angle."""
    cos, sin = (a[None, :, None] for a in angles)
    low, high = jnp.split(x_BTNE.astype(jnp.float32), 2, axis=-1)
    turned = jnp.concatenate([low * cos - high * sin, high * cos + low * sin], axis=-1)
    return turned.astype(x_BTNE.dtype)


def causal_attention(q_BTHE, k_BSKE, v_BSKE):
    """Softmax attention of every token over itself and the tokens before it: [B, T, H, E].

    Right padding needs no other mask: no real token sees what comes after it.
    """
    batch, tokens, heads, size = q_BTHE.shape
    kv_heads = k_BSKE.shape[2]
    q = q_BTHE.reshape(batch, tokens, kv_heads, heads // kv_heads, size)
    logits = jnp.einsum("btkge,bske->bkgts", q, k_BSKE, preferred_element_type=jnp.float32)
    seen_TS = jnp.tril(jnp.ones((tokens, tokens), bool))
    logits = jnp.where(seen_TS[None, None, None], logits / np.float32(np.sqrt(size)), -jnp.inf)
    weights = jax.nn.softmax(logits, axis=-1).astype(v_BSKE.dtype)
    return project("bkgts,bske->btkge", weights, v_BSKE).reshape(q_BTHE.shape)


def gated_mlp(x_BTD, gate_DF, up_DF, down_FD):
    """SwiGLU: (silu(x gate) * (x up)) down (Shazeer 2020, eq. 6)."""
    gate = jax.nn.silu(project("btd,df->btf", x_BTD, gate_DF))
    return project("btf,fd->btd", gate * project("btd,df->btf", x_BTD, up_DF), down_FD)
