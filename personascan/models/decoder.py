"""The one model, in Flax Linen: blocks stacked by nn.scan, activations leaving through tap().

Its name says what most are; an encoder is one whose config is not causal.

Each site is a variable collection of its own, so `mutable=("resid_post",)` in `apply` says what is
kept; a site that is not asked for costs nothing. Only what is kept of T tokens leaves a block.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.models import layers, rope
from personascan.models.config import DecoderConfig

BLOCK_SITES = ("resid_pre", "head_out", "attn_out", "mlp_hidden", "mlp_out", "resid_post")
SITES = (*BLOCK_SITES, "final_norm")
# A collection that nn.scan is not told of is dropped without a word: one constant serves both.
COLLECTIONS = {"params": 0, **dict.fromkeys(BLOCK_SITES, 0)}


class Edit(NamedTuple):
    """An affine change x * scale + shift of a site at every token: steering, ablation, both.

    Shapes [L, D], those of `config.site_shape(site)`.
    """

    scale: jax.Array
    shift: jax.Array


class Kept(NamedTuple):
    """What leaves of each row: the tokens at P positions, then Q weighted means of its tokens."""

    positions_BP: jax.Array  # int32
    weights_BQT: jax.Array | None = None  # float32


def tap(module: nn.Module, site: str, x_BTD, kept: Kept, edits: dict[str, Edit]):
    """The one place where activations are edited (if `edits` names the site) and then leave."""
    if site in edits:
        scale_D, shift_D = (e.astype(jnp.float32)[None, None] for e in edits[site])
        x_BTD = x_BTD * scale_D + shift_D
    kept_BPD = jnp.take_along_axis(x_BTD, kept.positions_BP[..., None], axis=1)
    if kept.weights_BQT is not None:
        means_BQD = jnp.einsum("bqt,btd->bqd", kept.weights_BQT, x_BTD, precision="highest")
        kept_BPD = jnp.concatenate([kept_BPD, means_BQD], axis=1)
    module.sow(site, "kept", kept_BPD, reduce_fn=lambda _, new: new, init_fn=lambda: None)
    return x_BTD


class Block(nn.Module):
    """Attention and MLP, each added to the residual stream (float32) as the config has it.

    attn_out and mlp_out are what is added: after a norm or multiplier that follows the sublayer.
    head_out and mlp_hidden are what the projections before them read: the heads' outputs side by
    side (node // head_dim is the head), and the MLP's neurons.
    """

    config: DecoderConfig
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x_BTD, edits, window, rope_number, angles, alibi_KGS, kept, lengths_B):
        c = self.config
        w = parameters(self, c.block_shapes(), self.dtype)

        def norm(name, x, axes=(-1,)):
            """The norm of that name; unchanged where the block has none."""
            if name not in w:
                return x
            return layers.normalize(x, c.norm, c.norm_eps, axes, w[name], w.get(f"{name}_bias"))

        def heads(name, x_BTD):
            y_BTHE = layers.project(x_BTD, w[name], w.get(f"{name}_bias"))
            if c.qk_norm and name != "v":
                y_BTHE = norm(f"{name}_norm", y_BTHE, (-2, -1) if c.qk_norm == "width" else (-1,))
            if angles is None or name == "v":
                return y_BTHE
            return rope.rotate(y_BTHE, *(a[rope_number] for a in angles))

        x_BTD = tap(self, "resid_pre", x_BTD, kept, edits)
        h = layers.operand(norm("attn_norm", x_BTD), self.dtype)
        tokens = x_BTD.shape[1]
        both_ways = None if c.causal else layers.seen_both_ways(tokens, lengths_B)
        mixed_BTHE = layers.attention(
            *(heads(name, h) for name in "qkv"),
            layers.seen_before(tokens, window) if c.causal else both_ways,
            scale=c.attn_scale or c.head_dim**-0.5,
            softcap=c.attn_softcap,
            bias_KGS=alibi_KGS,
        )
        mixed_BTD = mixed_BTHE.reshape(*x_BTD.shape[:2], -1)
        mixed_BTD = tap(self, "head_out", mixed_BTD, kept, edits)
        attended = layers.project(mixed_BTD, w["o"].reshape(-1, c.width), w.get("o_bias"))
        attended = scaled(norm("attn_post_norm", attended), c.residual_scale)
        attended = tap(self, "attn_out", attended, kept, edits)
        if c.parallel:
            h = layers.operand(norm("mlp_norm", x_BTD), self.dtype) if "mlp_norm" in w else h
            x_BTD = x_BTD + attended
        else:
            x_BTD = norm("attn_add_norm", x_BTD + attended)
            h = layers.operand(norm("mlp_norm", x_BTD), self.dtype)
        if c.experts:
            added = layers.expert_mlp(h, w, c.activation, c.experts_per_token, c.normalize_router)
        else:
            hidden_BTF = layers.mlp_hidden(h, w, c.activation)
            hidden_BTF = tap(self, "mlp_hidden", hidden_BTF, kept, edits)
            added = layers.project(hidden_BTF, w["down"], w.get("down_bias"))
        added = scaled(norm("mlp_post_norm", added), c.residual_scale)
        x_BTD = norm("mlp_add_norm", x_BTD + tap(self, "mlp_out", added, kept, edits))
        return tap(self, "resid_post", x_BTD, kept, edits), None


class Decoder(nn.Module):
    """Tokens to the final norm; `logits` is separate, since activations do not need it.

    unroll: how many blocks the compiled loop runs in a row (all of them: no loop).
    """

    config: DecoderConfig
    dtype: jnp.dtype = jnp.float32
    unroll: int = 1

    def setup(self):
        c = self.config
        stacked = dict.fromkeys(BLOCK_SITES, 0) if c.shared_blocks else COLLECTIONS
        self.blocks = nn.scan(
            Block,
            variable_axes=stacked,
            variable_broadcast="params" if c.shared_blocks else False,
            split_rngs={"params": not c.shared_blocks},
            in_axes=(0, 0, 0, *[nn.broadcast] * 4),
            length=c.layers,
            unroll=self.unroll,
        )(c, self.dtype)
        self.top = parameters(self, c.top_shapes(), self.dtype)

    def __call__(self, tokens_BT, kept: Kept, edits: dict[str, Edit] | None = None, lengths_B=None):
        """The normed residual stream [B, T, D]; sown sites hold [L, B, P+Q, D], final_norm no L.

        tokens_BT is int32, padded on the right; lengths_B counts the real tokens of each row, for
        rotations that depend on it and attention that sees both ways (None: all of them).
        """
        c, edits = self.config, edits or {}
        for site in edits:  # where there is no such site an edit would change nothing
            if site not in SITES:
                raise InputError(f"edits names {site!r}; sites are {', '.join(SITES)}")
            c.site_shape(site)
        tokens = tokens_BT.shape[1]
        x_BTD = self.embedded(tokens_BT)
        angles = rope.angles(c.ropes, tokens, lengths_B) if c.ropes else None
        alibi_KGS = layers.alibi(c.heads, c.kv_heads, tokens) if c.alibi else None
        block_edits = {site: edits[site] for site in edits if site in BLOCK_SITES}
        window_L = np.array(c.windows, np.int32) if any(c.windows) else None
        if window_L is not None:
            window_L = jnp.asarray(np.where(window_L == 0, tokens, window_L))
        rope_L = jnp.asarray(c.rope_of_layer, jnp.int32) if c.ropes else None
        # What a causal model does not need must not be an input of its blocks.
        seen_B = None if c.causal else lengths_B
        x_BTD, _ = self.blocks(
            x_BTD, block_edits, window_L, rope_L, angles, alibi_KGS, kept, seen_B
        )
        if c.final_norm:
            x_BTD = layers.normalize(
                x_BTD, c.norm, c.norm_eps, (-1,), self.top["final_norm"],
                self.top.get("final_norm_bias"),
            )  # fmt: skip
        final = {site: Edit(*(e[0] for e in edits[site])) for site in edits if site == "final_norm"}
        return tap(self, "final_norm", x_BTD, kept, final)

    def embedded(self, tokens_BT):
        """What the first block reads: [B, T, D] float32."""
        c, top = self.config, self.top
        x_BTE = scaled(top["embedding"][tokens_BT].astype(jnp.float32), c.embed_scale)
        if c.embed_width and not c.project_last:
            x_BTE = layers.project(x_BTE, top["embed_in"], top.get("embed_in_bias"))
        if c.learned_positions:
            x_BTE = x_BTE + self.positions(tokens_BT).astype(jnp.float32)
        if c.token_types:
            x_BTE = x_BTE + top["token_types"][:1][None].astype(jnp.float32)
        if c.embed_norm:
            x_BTE = layers.normalize(
                x_BTE, c.norm, c.norm_eps, (-1,), top["embed_norm"], top.get("embed_norm_bias")
            )
        if c.project_last:
            x_BTE = layers.project(x_BTE, top["embed_in"], top.get("embed_in_bias"))
        return x_BTE

    def positions(self, tokens_BT):
        """Rows of the learned table, [1, T, E] or [B, T, E]."""
        c, table = self.config, self.top["positions"]
        if c.padding_token is None:
            return table[c.position_offset : c.position_offset + tokens_BT.shape[1]][None]
        counted_BT = tokens_BT != c.padding_token
        number_BT = jnp.where(counted_BT, jnp.cumsum(counted_BT, axis=1), 0)
        return table[number_BT + (c.position_offset - 1)]

    def logits(self, hidden_BTD):
        """Next-token logits [B, T, V] in float32 of a normed residual stream.

        Raises InputError for an encoder, and for a checkpoint without an unembedding.
        """
        c = self.config
        if not c.causal:
            raise InputError("an encoder predicts no next token, and so has no logits")
        if not c.has_head:
            raise InputError("the checkpoint has no lm_head, and so no logits")
        if c.embed_width:
            hidden_BTD = layers.project(hidden_BTD, self.top["embed_out"])
        head_EV = self.top["embedding"].T if c.tie_embeddings else self.top["lm_head"]
        logits = layers.project(hidden_BTD, head_EV, self.top.get("lm_head_bias"))
        logits = scaled(logits, c.logit_scale)
        if c.logit_softcap:
            logits = jnp.tanh(logits / np.float32(c.logit_softcap)) * np.float32(c.logit_softcap)
        return logits


def parameters(module: nn.Module, shapes: dict, dtype) -> dict[str, jax.Array]:
    """The parameters of a module; norms are kept in float32, in which they are applied."""
    found = {
        name: module.param(name, initial, shape, jnp.float32 if "norm" in name else dtype)
        for name, shape in shapes.items()
    }
    return {
        name: jax.lax.bitcast_convert_type(w, dtype) if w.dtype == jnp.uint16 else w
        for name, w in found.items()
    }


def as_bits(params: dict) -> dict:
    """bfloat16 parameters as their bits, in the same memory; the decoder takes them as well.

    XLA on a CPU slices no bfloat16: it widens all layers to float32 before the loop over them and
    narrows each in it again, which takes a tenth of the time and twice the memory.
    """

    def bits(w):
        if w.dtype != jnp.bfloat16:
            return w
        if len(w.sharding.device_set) > 1:
            return jax.lax.bitcast_convert_type(w, jnp.uint16)
        return jax.device_put(np.asarray(w).view(np.uint16), w.sharding)

    return jax.tree.map(bits, params)


def scaled(x, factor: float):
    return x if factor == 1.0 else x * np.float32(factor)


def initial(key, shape, dtype):
    """Random weights for tests and dry runs: ones for norms, else a small normal."""
    return (
        jnp.ones(shape, dtype) if len(shape) == 1 else 0.02 * jax.random.normal(key, shape, dtype)
    )
