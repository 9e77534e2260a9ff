"""The maths of the models, as pure functions.

Letters: B batch, T tokens, S tokens attended to, D width, F MLP width, H heads, K key/value heads,
G = H/K query heads a key/value head, E head size, X experts. Products accumulate in float32
whatever the operands; norms, rotary angles and softmax are computed in float32.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

ACTIVATIONS = {
    "silu": jax.nn.silu,
    "gelu": functools.partial(jax.nn.gelu, approximate=False),
    "gelu_tanh": functools.partial(jax.nn.gelu, approximate=True),
    "relu": jax.nn.relu,
}


def project(spec: str, x, weight, bias=None):
    """An einsum with float32 accumulation, plus a bias over the last axes, in the dtype of `x`."""
    y = jnp.einsum(spec, x, weight, preferred_element_type=jnp.float32)
    if bias is not None:
        y = y + bias.astype(jnp.float32)[(None,) * (y.ndim - bias.ndim)]
    return y.astype(x.dtype)


def normalize(x, kind: str, eps: float, axes: tuple[int, ...], scale, bias=None):
    """RMS norm (Zhang and Sennrich 2019, eq. 4) or layer norm (Ba et al. 2016, eq. 4) over `axes`."""
    y = x.astype(jnp.float32)
    if kind == "layer":
        y = y - jnp.mean(y, axes, keepdims=True)
    y = y * jax.lax.rsqrt(jnp.mean(y * y, axes, keepdims=True) + np.float32(eps))
    y = y * scale[(None,) * (x.ndim - scale.ndim)]
    if bias is not None:
        y = y + bias[(None,) * (x.ndim - bias.ndim)]
    return y.astype(x.dtype)


def causal_attention(q_BTHE, k_BSKE, v_BSKE, *, scale, softcap=0.0, window=None, bias_KGTS=None):
    """Softmax attention of every token over itself and the tokens before it: [B, T, H, E].

    `window` counts the tokens it reaches back, itself included (None: all of them). Right padding
    needs no other mask: no real token sees what comes after it.
    """
    batch, tokens, heads, size = q_BTHE.shape
    kv_heads = k_BSKE.shape[2]
    q = q_BTHE.reshape(batch, tokens, kv_heads, heads // kv_heads, size)
    logits = jnp.einsum("btkge,bske->bkgts", q, k_BSKE, preferred_element_type=jnp.float32)
    if bias_KGTS is not None:
        logits = logits + bias_KGTS[None]
    logits = logits * np.float32(scale)
    if softcap:
        logits = jnp.tanh(logits / np.float32(softcap)) * np.float32(softcap)
    back_TS = jnp.arange(tokens)[:, None] - jnp.arange(tokens)[None]
    seen_TS = back_TS >= 0
    if window is not None:
        seen_TS &= back_TS < window
    logits = jnp.where(seen_TS[None, None, None], logits, -jnp.inf)
    weights = jax.nn.softmax(logits, axis=-1).astype(v_BSKE.dtype)
    return project("bkgts,bske->btkge", weights, v_BSKE).reshape(q_BTHE.shape)


def alibi(heads: int, kv_heads: int, tokens: int):
    """Biases [K, G, 1, S] that grow with the position attended to (Press et al. 2022, section 3).

    Slopes and products are rounded to bfloat16, as the models that use them were trained.
    """
    two = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 / two * (i + 1)) for i in range(two)]
    slopes += [2 ** (-4 / two * (2 * i + 1)) for i in range(heads - two)]
    slope_H = jnp.array(slopes, jnp.float32).astype(jnp.bfloat16)
    bias_HS = slope_H[:, None] * jnp.arange(tokens).astype(jnp.bfloat16)[None]
    return bias_HS.astype(jnp.float32).reshape(kv_heads, heads // kv_heads, 1, tokens)


def mlp(x_BTD, w: dict, activation: str):
    """act(x up) down, or the gated act(x gate) * (x up) down (Shazeer 2020, eq. 6)."""
    up = project("btd,df->btf", x_BTD, w["up"], w.get("up_bias"))
    if "gate" in w:
        gate = project("btd,df->btf", x_BTD, w["gate"], w.get("gate_bias"))
        hidden = ACTIVATIONS[activation](gate) * up
    else:
        hidden = ACTIVATIONS[activation](up)
    return project("btf,fd->btd", hidden, w["down"], w.get("down_bias"))


def expert_mlp(x_BTD, w: dict, activation: str, chosen: int, normalized: bool):
    """The `chosen` experts of each token, weighted by the router (Jiang et al. 2024, section 2.1).

    Experts run one after the other over all tokens: memory stays that of one of them.
    """
    router = project("btd,dx->btx", x_BTD, w["router"]).astype(jnp.float32)
    weight_BTC, which_BTC = jax.lax.top_k(jax.nn.softmax(router, axis=-1), chosen)
    if normalized:
        weight_BTC = weight_BTC / weight_BTC.sum(-1, keepdims=True)
    names = [name for name in ("gate", "up", "down") if name in w]

    def add_expert(total_BTD, expert):
        number, own = expert
        weight_BT = jnp.where(which_BTC == number, weight_BTC, 0.0).sum(-1)
        out_BTD = mlp(x_BTD, own, activation).astype(jnp.float32)
        return total_BTD + out_BTD * weight_BT[..., None], None

    experts = w["up"].shape[0]
    numbered = (jnp.arange(experts), {name: w[name] for name in names})
    total_BTD, _ = jax.lax.scan(add_expert, jnp.zeros(x_BTD.shape, jnp.float32), numbered)
    return total_BTD.astype(x_BTD.dtype)
