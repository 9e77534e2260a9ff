"""The one model, in Flax Linen: blocks stacked by nn.scan; activations leave through tap().

Most models are decoders, hence the name; an encoder is a model whose config is not causal.

Each site is a variable collection of its own: `mutable=("resid_post",)` in `apply` names the sites
to keep, and a site that is not named costs nothing. Only the kept rows of T tokens leave a block.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.models import layers, rope
from personascan.models.cache import FREE, Cache
from personascan.models.config import DecoderConfig
from personascan.models.parameters import declare_parameters
from personascan.models.tap import Edits, Kept, slots, tap

BLOCK_SITES = ("resid_pre", "head_out", "attn_out", "mlp_hidden", "mlp_out", "resid_post")
SITES = (*BLOCK_SITES, "final_norm")
# nn.scan silently drops a collection that it is not told of: one constant serves both.
COLLECTIONS = {"params": 0, **dict.fromkeys(BLOCK_SITES, 0)}


class OfLayer(NamedTuple):
    """The inputs that differ from block to block, their leading axis L."""

    slot_of: dict[str, jax.Array]
    window: jax.Array | None
    rope_number: jax.Array | None
    past: tuple[jax.Array, jax.Array] | None  # keys and values in the cache, [B, K, S, E]


class Shared(NamedTuple):
    """The inputs that all blocks share; those that a model does not need must be None."""

    edits: Edits | None
    angles: tuple | None
    alibi_BKGS: jax.Array | None
    kept: Kept
    lengths_B: jax.Array | None
    position_BT: jax.Array | None  # with a cache
    past_BS: jax.Array | None  # the positions of a cache's slots


class Block(nn.Module):
    """Attention and MLP, each added to the residual stream (float32) as the config has it.

    The sites attn_out and mlp_out are added to the stream: they come after a norm or multiplier
    that follows the sublayer. head_out and mlp_hidden are the inputs of the sublayers' last
    projections: the heads' outputs side by side (node // head_dim is the head), and the MLP's
    neurons.
    """

    config: DecoderConfig
    dtype: jnp.dtype
    exact: bool = True

    @nn.compact
    def __call__(self, x_BTD, own: OfLayer, shared: Shared):
        c, exact, angles, past = self.config, self.exact, shared.angles, own.past
        w = declare_parameters(self, c.block_shapes(), self.dtype)

        def norm(name, x, axes=(-1,)):
            """Applies the norm of that name; returns x unchanged if the block has none."""
            if name not in w:
                return x
            return layers.normalize(x, c.norm, c.norm_eps, axes, w[name], w.get(f"{name}_bias"))

        def heads(name, x_BTD):
            y_BTHE = layers.project(x_BTD, w[name], w.get(f"{name}_bias"), exact)
            if c.qk_norm and name != "v":
                y_BTHE = norm(f"{name}_norm", y_BTHE, (-2, -1) if c.qk_norm == "width" else (-1,))
            if angles is None or name == "v":
                return y_BTHE
            return rope.rotate(y_BTHE, *(a[own.rope_number] for a in angles))

        def leave(site, x):
            return tap(self, site, x, shared.kept, shared.edits, own.slot_of)

        x_BTD = leave("resid_pre", x_BTD)
        h = layers.operand(norm("attn_norm", x_BTD), self.dtype)
        tokens = x_BTD.shape[1]
        q_BTHE, k_BSKE, v_BSKE = (heads(name, h) for name in "qkv")
        new = None
        if past is not None:
            new = k_BSKE.swapaxes(1, 2), v_BSKE.swapaxes(1, 2)
            past = past if past[0].shape[2] else None
        seen_BTS = (
            layers.causal_mask(tokens, own.window)
            if c.causal
            else layers.full_mask(tokens, shared.lengths_B)
        )
        if past is not None:
            before_BTP = layers.past_mask(shared.position_BT, shared.past_BS, own.window)
            seen_BTT = jnp.broadcast_to(seen_BTS, (len(before_BTP), tokens, tokens))
            seen_BTS = jnp.concatenate([before_BTP, seen_BTT], axis=2)
        mixed_BTHE = layers.attention(
            q_BTHE, k_BSKE, v_BSKE, seen_BTS, scale=c.attn_scale or c.head_dim**-0.5,
            softcap=c.attn_softcap, bias_BKGS=shared.alibi_BKGS, exact=exact, past=past,
        )  # fmt: skip
        mixed_BTD = leave("head_out", mixed_BTHE.reshape(*x_BTD.shape[:2], -1))
        attended = layers.project(mixed_BTD, w["o"].reshape(-1, c.width), w.get("o_bias"), exact)
        attended = scale(norm("attn_post_norm", attended), c.residual_scale)
        attended = leave("attn_out", attended)
        if c.parallel:
            h = layers.operand(norm("mlp_norm", x_BTD), self.dtype) if "mlp_norm" in w else h
            x_BTD = x_BTD + attended
        else:
            x_BTD = norm("attn_add_norm", x_BTD + attended)
            h = layers.operand(norm("mlp_norm", x_BTD), self.dtype)
        if c.experts:
            added = layers.expert_mlp(
                h, w, c.activation, c.experts_per_token, c.normalize_router, exact
            )
        else:
            hidden_BTF = layers.mlp_hidden(h, w, c.activation, exact)
            hidden_BTF = leave("mlp_hidden", hidden_BTF)
            added = layers.project(hidden_BTF, w["down"], w.get("down_bias"), exact)
        added = scale(norm("mlp_post_norm", added), c.residual_scale)
        x_BTD = norm("mlp_add_norm", x_BTD + leave("mlp_out", added))
        return leave("resid_post", x_BTD), new


class Decoder(nn.Module):
    """A transformer up to its final norm; `logits` is separate, since activations need none.

    unroll: how many blocks the compiled loop runs in a row (all of them: no loop).
    exact: whether products of float32 are float32 on every device (`layers.product`).
    """

    config: DecoderConfig
    dtype: jnp.dtype = jnp.float32
    unroll: int = 1
    exact: bool = True

    def setup(self):
        c = self.config
        stacked = dict.fromkeys(BLOCK_SITES, 0) if c.shared_blocks else COLLECTIONS
        self.blocks = nn.scan(
            Block,
            variable_axes=stacked,
            variable_broadcast="params" if c.shared_blocks else False,
            split_rngs={"params": not c.shared_blocks},
            in_axes=(0, nn.broadcast),
            length=c.layers,
            unroll=self.unroll,
        )(c, self.dtype, self.exact)
        self.top = declare_parameters(self, c.top_shapes(), self.dtype)

    def __call__(self, tokens_BT, kept: Kept, edits: Edits | None = None, lengths_B=None):
        """Returns the normed residual stream [B, T, D].

        Sown sites hold [L, B, P+Q, D], final_norm no L. tokens_BT is int32, padded on the right;
        lengths_B counts the real tokens of each row, for rotations that depend on it and attention
        that sees both ways (None: all of them).
        """
        return self.run_blocks(self.embed(tokens_BT), kept, edits, lengths_B)[0]

    def go_on(self, tokens_BT, starts_B, cache: Cache, kept: Kept, edits=None, lengths_B=None):
        """Reads tokens that follow those in a cache: returns (x, a cache of these tokens alone).

        A row's tokens have the positions from starts_B on ([B], or [1]: the same for all rows), and
        see all in its cache; lengths_B counts the row's real tokens, those in the cache included
        (None: all of them). The slots of padding hold nothing.

        Raises InputError for an encoder, whose tokens see those after them.
        """
        x_BTD = self.embed(tokens_BT, starts_B[:, None] + jnp.arange(tokens_BT.shape[1])[None])
        return self.go_on_stream(x_BTD, starts_B, cache, kept, edits, lengths_B)

    def go_on_stream(self, x_BTD, starts_B, cache: Cache, kept, edits=None, lengths_B=None):
        """Does `go_on` from the first block's stream: for the upper blocks of a model."""
        if not self.config.causal:
            raise InputError("an encoder sees all of its text at once, and cannot go on with it")
        position_BT = starts_B[:, None] + jnp.arange(x_BTD.shape[1])[None]
        if lengths_B is None:
            lengths_B = jnp.broadcast_to(starts_B + x_BTD.shape[1], len(x_BTD))
        x_BTD, (k, v) = self.run_blocks(x_BTD, kept, edits, lengths_B, cache, position_BT)
        real_BT = position_BT < lengths_B[:, None]
        return x_BTD, Cache(k, v, jnp.where(real_BT, position_BT, FREE).astype(jnp.int32))

    def run_blocks(self, x_BTD, kept, edits, lengths_B, cache=None, position_BT=None):
        """Runs all blocks and the final norm: returns (x, with a cache the new keys and values)."""
        c, tokens = self.config, x_BTD.shape[1]
        # An edit of an unknown site would silently change nothing.
        for site in edits.sites if edits else ():
            if site not in SITES:
                raise InputError(f"edits names {site!r}; sites are {', '.join(SITES)}")
            c.site_shape(site)
        edits = jax.tree.map(jnp.asarray, edits)
        longest = tokens if cache is None else cache.position_BS.shape[1] + tokens
        window_L = np.array(c.windows, np.int32) if any(c.windows) else None
        if window_L is not None:
            window_L = jnp.asarray(np.where(window_L == 0, longest, window_L))
        rope_L = jnp.asarray(c.rope_of_layer, jnp.int32) if c.ropes else None
        own = OfLayer(
            {s: slots(e, c.layers) for s, e in edits.sites.items()} if edits else {},
            window_L, rope_L, None if cache is None else (cache.k, cache.v),
        )  # fmt: skip
        angles = rope.angles(c.ropes, longest, lengths_B, position_BT) if c.ropes else None
        past_BS = None if cache is None else cache.position_BS
        alibi_BKGS = layers.alibi(c.heads, c.kv_heads, longest)[None] if c.alibi else None
        if c.alibi and cache is not None:
            new_BT = jnp.broadcast_to(position_BT, x_BTD.shape[:2])
            position_BS = jnp.concatenate([past_BS, new_BT], axis=1)
            alibi_BKGS = alibi_BKGS[0][:, :, position_BS].transpose(2, 0, 1, 3)
        seen_B = None if c.causal else lengths_B
        shared = Shared(edits, angles, alibi_BKGS, kept, seen_B, position_BT, past_BS)
        x_BTD, new = self.blocks(x_BTD, own, shared)
        if c.final_norm:
            x_BTD = layers.normalize(
                x_BTD, c.norm, c.norm_eps, (-1,), self.top["final_norm"],
                self.top.get("final_norm_bias"),
            )  # fmt: skip
        return tap(self, "final_norm", x_BTD, kept, edits, {"final_norm": 0}), new

    def empty_cache(self, rows: int) -> Cache:
        """Returns a cache without slots, for the first tokens of each row."""
        c = self.config
        none = jnp.zeros((c.layers, rows, c.kv_heads, 0, c.head_dim), jnp.float32)
        return Cache(none, none, jnp.zeros((rows, 0), jnp.int32))

    def embed(self, tokens_BT, position_BT=None):
        """Returns the stream that the first block reads: [B, T, D] float32."""
        c, top = self.config, self.top
        x_BTE = scale(top["embedding"][tokens_BT].astype(jnp.float32), c.embed_scale)
        if c.embed_width and not c.project_last:
            x_BTE = layers.project(x_BTE, top["embed_in"], top.get("embed_in_bias"), self.exact)
        if c.learned_positions:
            x_BTE = x_BTE + self.positions(tokens_BT, position_BT).astype(jnp.float32)
        if c.token_types:
            x_BTE = x_BTE + top["token_types"][:1][None].astype(jnp.float32)
        if c.embed_norm:
            x_BTE = layers.normalize(
                x_BTE, c.norm, c.norm_eps, (-1,), top["embed_norm"], top.get("embed_norm_bias")
            )
        if c.project_last:
            x_BTE = layers.project(x_BTE, top["embed_in"], top.get("embed_in_bias"), self.exact)
        return x_BTE

    def positions(self, tokens_BT, position_BT=None):
        """Returns rows of the learned table: [1, T, E] or [B, T, E]."""
        c, table = self.config, self.top["positions"]
        if position_BT is not None:
            return table[position_BT + c.position_offset]
        if c.padding_token is None:
            return table[c.position_offset : c.position_offset + tokens_BT.shape[1]][None]
        counted_BT = tokens_BT != c.padding_token
        number_BT = jnp.where(counted_BT, jnp.cumsum(counted_BT, axis=1), 0)
        return table[number_BT + (c.position_offset - 1)]

    def logits(self, hidden_BTD):
        """Returns next-token logits [B, T, V] in float32 of a normed residual stream.

        Raises InputError for an encoder, and for a checkpoint without an unembedding.
        """
        c = self.config
        if not c.causal:
            raise InputError("an encoder predicts no next token, and so has no logits")
        if not c.has_head:
            raise InputError("the checkpoint has no lm_head, and so no logits")
        if c.embed_width:
            hidden_BTD = layers.project(hidden_BTD, self.top["embed_out"], exact=self.exact)
        bias = self.top.get("lm_head_bias")
        if c.tie_embeddings:
            logits = layers.unembed(hidden_BTD, self.top["embedding"], self.exact)
            logits = logits if bias is None else logits + bias.astype(jnp.float32)
        else:
            logits = layers.project(hidden_BTD, self.top["lm_head"], bias, self.exact)
        logits = scale(logits, c.logit_scale)
        if c.logit_softcap:
            logits = jnp.tanh(logits / np.float32(c.logit_softcap)) * np.float32(c.logit_softcap)
        return logits


def scale(x, factor: float):
    return x if factor == 1.0 else x * np.float32(factor)
