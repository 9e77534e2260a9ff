"""The one decoder, in Flax Linen: blocks stacked by nn.scan, activations leaving through tap().

Each site is a variable collection of its own, so `mutable=("resid_post",)` in `apply` says what is
kept; a site that is not asked for costs nothing. Only the kept positions [B, P] leave a block.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from personascan.models import layers
from personascan.models.config import DecoderConfig

BLOCK_SITES = ("resid_pre", "attn_out", "mlp_out", "resid_post")
SITES = (*BLOCK_SITES, "final_norm")
# A collection that nn.scan is not told of is dropped without a word: one constant serves both.
COLLECTIONS = {"params": 0, **dict.fromkeys(BLOCK_SITES, 0)}


class Edit(NamedTuple):
    """An affine change x * scale + shift of a site at every token: steering, ablation, both.

    Shapes [L, D] for sites of the blocks, [1, D] for final_norm.
    """

    scale: jax.Array
    shift: jax.Array


def tap(module: nn.Module, site: str, x_BTD, kept_BP, edits: dict[str, Edit]):
    """The one place where activations are edited (if `edits` names the site) and then leave."""
    if site in edits:
        scale_D, shift_D = (e.astype(x_BTD.dtype)[None, None] for e in edits[site])
        x_BTD = x_BTD * scale_D + shift_D
    kept_BPD = jnp.take_along_axis(x_BTD, kept_BP[..., None], axis=1)
    module.sow(site, "kept", kept_BPD, reduce_fn=lambda _, new: new, init_fn=lambda: None)
    return x_BTD


class Block(nn.Module):
    """Pre-norm attention and gated MLP, each added to the residual stream."""

    config: DecoderConfig
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x_BTD, edits, angles, kept_BP):
        c = self.config
        shapes = {
            "attn_norm": (c.width,),
            "q": (c.width, c.heads, c.head_dim),
            "k": (c.width, c.kv_heads, c.head_dim),
            "v": (c.width, c.kv_heads, c.head_dim),
            "o": (c.heads, c.head_dim, c.width),
            "mlp_norm": (c.width,),
            "gate": (c.width, c.mlp_width),
            "up": (c.width, c.mlp_width),
            "down": (c.mlp_width, c.width),
        }
        w = {name: self.param(name, initial, s, self.dtype) for name, s in shapes.items()}

        x_BTD = tap(self, "resid_pre", x_BTD, kept_BP, edits)
        h = layers.rms_norm(x_BTD, w["attn_norm"], c.norm_eps)
        q, k, v = (layers.project("btd,dhe->bthe", h, w[name]) for name in "qkv")
        q, k = layers.rotate(q, angles), layers.rotate(k, angles)
        attended = layers.project("bthe,hed->btd", layers.causal_attention(q, k, v), w["o"])
        x_BTD = x_BTD + tap(self, "attn_out", attended, kept_BP, edits)

        h = layers.rms_norm(x_BTD, w["mlp_norm"], c.norm_eps)
        mlp = layers.gated_mlp(h, w["gate"], w["up"], w["down"])
        x_BTD = x_BTD + tap(self, "mlp_out", mlp, kept_BP, edits)
        return tap(self, "resid_post", x_BTD, kept_BP, edits), None


class Decoder(nn.Module):
    """Tokens to the final norm; `logits` is separate, since activations do not need it.

    unroll: how many blocks the compiled loop runs in a row (all of them: no loop).
    """

    config: DecoderConfig
    dtype: jnp.dtype = jnp.float32
    unroll: int = 1

    def setup(self):
        c = self.config
        self.embedding = self.param("embedding", initial, (c.vocab_size, c.width), self.dtype)
        self.blocks = nn.scan(
            Block,
            variable_axes=COLLECTIONS,
            split_rngs={"params": True},
            in_axes=(0, nn.broadcast, nn.broadcast),
            length=c.layers,
            unroll=self.unroll,
        )(c, self.dtype)
        self.final_norm_scale = self.param("final_norm", initial, (c.width,), self.dtype)
        if not c.tie_embeddings:
            self.lm_head = self.param("lm_head", initial, (c.width, c.vocab_size), self.dtype)

    def __call__(self, tokens_BT, kept_BP, edits: dict[str, Edit] | None = None):
        """The normed residual stream [B, T, D]; sown sites hold [L, B, P, D], final_norm [B, P, D].

        tokens_BT is int32, padded on the right; kept_BP are the positions whose activations leave.
        """
        edits = edits or {}
        angles = layers.rope_angles(
            tokens_BT.shape[1], self.config.head_dim, self.config.rope_theta
        )
        block_edits = {site: edits[site] for site in edits if site in BLOCK_SITES}
        x_BTD, _ = self.blocks(self.embedding[tokens_BT], block_edits, angles, kept_BP)
        x_BTD = layers.rms_norm(x_BTD, self.final_norm_scale, self.config.norm_eps)
        final = {site: Edit(*(e[0] for e in edits[site])) for site in edits if site == "final_norm"}
        return tap(self, "final_norm", x_BTD, kept_BP, final)

    def logits(self, hidden_BTD):
        """Next-token logits [B, T, V] in float32 of a normed residual stream."""
        head_DV = self.embedding.T if self.config.tie_embeddings else self.lm_head
        return jnp.einsum("btd,dv->btv", hidden_BTD, head_DV, preferred_element_type=jnp.float32)


def initial(key, shape, dtype):
    """Random weights for tests and dry runs: ones for norms, else a small normal."""
    return (
        jnp.ones(shape, dtype) if len(shape) == 1 else 0.02 * jax.random.normal(key, shape, dtype)
    )
