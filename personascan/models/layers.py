"""The maths of the models, as pure functions.

Letters: B batch, T tokens, S tokens attended to, D width, F MLP width, H heads, K key/value heads,
G = H/K query heads a key/value head, N = G T, E head size, C chosen experts. Only the operands of
products with weights are ever rounded to bfloat16: sums, norms, rotations, attention and the
residual stream are float32, which is nearer to the truth and, with fewer conversions, faster.

Products of float32 are exact to float32 on every device: `exact=False` leaves them to the device's
own way, which is faster and less exact (TF32 on NVIDIA cards, bfloat16 on TPUs).
"""

import functools
import itertools
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


def operand(x, dtype):
    """Returns float32 as an operand of a product, rounded to nearest even.

    On a CPU it is rounded by its bits: XLA's own way takes up to twice as long before a product.
    """
    if dtype != jnp.bfloat16 or x.dtype != jnp.float32:
        return x.astype(dtype)

    def by_bits(x):
        bits = jax.lax.bitcast_convert_type(x, jnp.uint32)
        size = bits & 0x7FFFFFFF
        # NaN stays NaN, whatever its payload: rounded, it could become infinite or change its sign.
        size = jnp.where(size > np.uint32(0x7F800000), np.uint32(0x7FC00000), size)
        even = (size + np.uint32(0x7FFF) + ((size >> 16) & 1)) >> 16
        half = (even | ((bits >> 16) & 0x8000)).astype(jnp.uint16)
        return jax.lax.bitcast_convert_type(half, jnp.bfloat16)

    return jax.lax.platform_dependent(x, cpu=by_bits, default=lambda x: x.astype(dtype))


# XLA on a CPU adds up the inner axis of a product one term after the other, so that the error grows
# with its length. In blocks of at most this many terms it is that of torch's products, or 1.4 times
# it; smaller blocks cost more time.
BLOCK = 384
# Of so few rows a block of a matrix is used once: a product by blocks side by side, for which
# nothing is copied, is then quicker than one for each block.
FEW = 128


def product(x, y, exact: bool = True):
    """Returns the matrix product x @ y with float32 sums, whatever the operands."""
    size = x.shape[-1]
    exact = exact and x.dtype == jnp.float32
    precision = jax.lax.Precision.HIGHEST if exact else jax.lax.Precision.DEFAULT
    whole = functools.partial(jnp.matmul, precision=precision, preferred_element_type=jnp.float32)
    if not exact or size <= BLOCK:
        return whole(x, y)

    def in_blocks(x, y):
        blocks = -(-size // BLOCK)
        if x.ndim == y.ndim == 2 and len(x) <= FEW and size % blocks == 0:
            x_CNI = x.reshape(len(x), blocks, -1).transpose(1, 0, 2)
            return whole(x_CNI, y.reshape(blocks, -1, y.shape[1])).sum(0)
        cuts = [size * i // blocks for i in range(blocks + 1)]
        return sum(whole(x[..., a:b], y[..., a:b, :]) for a, b in itertools.pairwise(cuts))

    return jax.lax.platform_dependent(x, y, cpu=in_blocks, default=whole)


def project(x, weight, bias=None, exact: bool = True):
    """Contracts the last axis of `x` with the first of `weight`, and adds a bias: float32.

    It is a product of two matrices: in more dimensions XLA takes up to 1.8 times as long on a CPU.
    """
    *rows, size = x.shape
    x, matrix = operand(x, weight.dtype).reshape(-1, size), weight.reshape(size, -1)
    y = product(x, matrix, exact).reshape(*rows, *weight.shape[1:])
    return y if bias is None else y + bias.astype(jnp.float32)[(None,) * (y.ndim - bias.ndim)]


def unembed(x_BTD, embedding_VD, exact: bool = True):
    """Projects with the transpose of an embedding.

    On a CPU few rows are the second operand: blocks of the transpose would be copied.
    """
    *rows, size = x_BTD.shape

    def swapped(x_BTD, embedding_VD):
        x_DN = x_BTD.reshape(-1, size).T
        whole = jnp.matmul(embedding_VD, x_DN, precision=jax.lax.Precision.HIGHEST)
        return whole.T.reshape(*rows, -1)

    def usual(x_BTD, embedding_VD):
        return project(x_BTD, embedding_VD.T, exact=exact)

    if not exact or embedding_VD.dtype != jnp.float32 or math.prod(rows) > FEW:
        return usual(x_BTD, embedding_VD)
    return jax.lax.platform_dependent(x_BTD, embedding_VD, cpu=swapped, default=usual)


def normalize(x, kind: str, eps: float, axes: tuple[int, ...], scale, bias=None):
    """Applies RMS norm (Zhang and Sennrich 2019, eq. 4) or layer norm (Ba et al. 2016, eq. 4)."""
    if kind == "layer":
        x = x - jnp.mean(x, axes, keepdims=True)
    x = x * jax.lax.rsqrt(jnp.mean(x * x, axes, keepdims=True) + np.float32(eps))
    x = x * scale[(None,) * (x.ndim - scale.ndim)]
    return x if bias is None else x + bias[(None,) * (x.ndim - bias.ndim)]


def attention(
    q_BTHE, k_BSKE, v_BSKE, seen_BTS, *, scale, softcap=0.0, bias_BKGS=None, exact: bool = True,
    past=None,
):  # fmt: skip
    """Returns softmax attention of every token over those that it sees: [B, T, H, E] float32.

    seen_BTS is bool; its axes B and T may have length 1, as may the axis B of biases. past: keys
    and values [B, K, P, E] of earlier tokens, of which masks and biases then tell first.
    """
    batch, tokens, heads, size = q_BTHE.shape
    kv_heads = k_BSKE.shape[2]
    group = heads // kv_heads
    # The query heads of a key head are rows of one product: fewer, larger products.
    q_BKNE = q_BTHE.reshape(batch, tokens, kv_heads, group, size).transpose(0, 2, 3, 1, 4)
    q_BKNE = q_BKNE.reshape(batch, kv_heads, group * tokens, size)
    keys = [k_BSKE.transpose(0, 2, 3, 1)]
    values = [v_BSKE.transpose(0, 2, 1, 3)]
    if past is not None:
        keys, values = [past[0].swapaxes(2, 3), *keys], [past[1], *values]
    parts = [product(q_BKNE, k_BKES, exact) for k_BKES in keys]
    logits = jnp.concatenate(parts, axis=-1) if past is not None else parts[0]
    logits = logits.reshape(batch, kv_heads, group, tokens, -1)
    if bias_BKGS is not None:
        logits = logits + bias_BKGS[:, :, :, None]
    logits = logits * np.float32(scale)
    if softcap:
        logits = jnp.tanh(logits / np.float32(softcap)) * np.float32(softcap)
    logits = jnp.where(seen_BTS[:, None, None], logits, -jnp.inf)
    weights = jax.nn.softmax(logits, axis=-1).reshape(batch, kv_heads, group * tokens, -1)
    cuts = [0, *np.cumsum([v.shape[2] for v in values]).tolist()]
    mixed = sum(
        product(weights[..., a:b], v_BKSE, exact)
        for v_BKSE, (a, b) in zip(values, itertools.pairwise(cuts), strict=True)
    )
    mixed = mixed.reshape(batch, kv_heads, group, tokens, size)
    return mixed.transpose(0, 3, 1, 2, 4).reshape(batch, tokens, heads, size)


def causal_mask(tokens: int, window=None):
    """Returns which tokens each sees, itself and those before it: [1, T, S] bool.

    `window` counts the tokens it reaches back, itself included (None: all of them). Right padding
    needs no other mask: no real token sees those after it.
    """
    back_TS = jnp.arange(tokens)[:, None] - jnp.arange(tokens)[None]
    seen_TS = back_TS >= 0
    return (seen_TS if window is None else seen_TS & (back_TS < window))[None]


def past_mask(position_BT, position_BP, window=None):
    """Returns which of the earlier tokens in a cache each token sees: [B, T, P] bool.

    position_BP is negative for a slot that holds none.
    """
    seen_BTP = (position_BP >= 0)[:, None]
    if window is None:
        return jnp.broadcast_to(
            seen_BTP, (*seen_BTP.shape[:1], position_BT.shape[1], position_BP.shape[1])
        )
    return seen_BTP & (position_BT[..., None] - position_BP[:, None] < window)


def full_mask(tokens: int, lengths_B=None):
    """Returns a mask by which every token sees all real ones (None: all are): [B, 1, S] bool."""
    if lengths_B is None:
        return jnp.ones((1, 1, tokens), bool)
    return (jnp.arange(tokens)[None] < lengths_B[:, None])[:, None]


def alibi(heads: int, kv_heads: int, tokens: int):
    """Returns biases [K, G, S] that grow with the position attended to (Press et al. 2022, sec. 3).

    Slopes and products are rounded to bfloat16, as the models that use them were trained.
    """
    two = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 / two * (i + 1)) for i in range(two)]
    slopes += [2 ** (-4 / two * (2 * i + 1)) for i in range(heads - two)]
    slope_H = jnp.array(slopes, jnp.float32).astype(jnp.bfloat16)
    bias_HS = slope_H[:, None] * jnp.arange(tokens).astype(jnp.bfloat16)[None]
    return bias_HS.astype(jnp.float32).reshape(kv_heads, heads // kv_heads, tokens)


def mlp_hidden(x_BTD, w: dict, activation: str, exact: bool = True):
    """Returns neurons [B, T, F]: act(x up), or act(x gate) * (x up) (Shazeer 2020, eq. 6)."""
    up_BTF = project(x_BTD, w["up"], w.get("up_bias"), exact)
    if "gate" not in w:
        return ACTIVATIONS[activation](up_BTF)
    return ACTIVATIONS[activation](project(x_BTD, w["gate"], w.get("gate_bias"), exact)) * up_BTF


def expert_mlp(x_BTD, w: dict, activation: str, chosen: int, normalized: bool, exact: bool = True):
    """Returns the sum of each token's `chosen` experts, weighted by the router.

    Source: Jiang et al. 2024, section 2.1. Experts run one after the other over all tokens, so that
    memory is that of one of them.
    """
    router_BTX = jax.nn.softmax(project(x_BTD, w["router"], exact=exact))
    weight_BTC, which_BTC = jax.lax.top_k(router_BTX, chosen)
    if normalized:
        weight_BTC = weight_BTC / weight_BTC.sum(-1, keepdims=True)

    def add_expert(total_BTD, expert):
        number, own = expert
        weight_BT = jnp.where(which_BTC == number, weight_BTC, 0.0).sum(-1)
        added_BTD = project(mlp_hidden(x_BTD, own, activation, exact), own["down"], exact=exact)
        return total_BTD + added_BTD * weight_BT[..., None], None

    own = {name: w[name] for name in ("gate", "up", "down") if name in w}
    numbered = (jnp.arange(w["up"].shape[0]), own)
    return jax.lax.scan(add_expert, jnp.zeros(x_BTD.shape, jnp.float32), numbered)[0]
