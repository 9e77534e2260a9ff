"""Checkpoint tensors -> our layouts: naming tables, and the transforms between layouts.

A table maps a parameter of ours to (name in the checkpoint, transform); `{layer}`, `{expert}` and
`{head}` in a name stand for their numbers. Checkpoints keep projections as [out, in], ours are
[in, out] with the axis of heads apart. A transform gets the tensor and the DecoderConfig.
"""

import numpy as np

TOP = (
    "embedding", "final_norm", "lm_head", "positions", "token_types", "embed_norm", "embed_in",
    "embed_out",
)  # fmt: skip


def as_is(w, config):
    return w


def plus_one(w, config):
    """Returns the scale of a norm that is kept as its distance from one."""
    return w.astype(np.float32) + np.float32(1)


def transpose(w_OI, config):
    return w_OI.swapaxes(-1, -2)


def heads_out(w, config):
    """Returns a projection into heads, [H*E, D] -> [D, H, E], or its bias [H*E] -> [H, E]."""
    split = w.reshape(-1, config.head_dim, *w.shape[1:])
    return np.moveaxis(split, -1, 0) if w.ndim == 2 else split


def heads_in(w_OI, config):
    """Returns the projection out of heads: [D, H*E] -> [H, E, D]."""
    return w_OI.T.reshape(config.heads, config.head_dim, -1)


def over_heads(w, config):
    """Returns the scale of a norm over all heads: [H*E] or [H, E] -> [H, E]."""
    return w.reshape(-1, config.head_dim)


def halves_from_pairs(w, config):
    """Moves rotated pairs from (2i, 2i+1) to (i, i + dim/2): [H*E, ...] -> the same."""
    dim = config.ropes[0].dim
    heads = w.reshape(-1, config.head_dim, *w.shape[1:])
    turned = heads[:, :dim].reshape(len(heads), dim // 2, 2, *w.shape[1:]).swapaxes(1, 2)
    turned = turned.reshape(len(heads), dim, *w.shape[1:])
    return np.concatenate([turned, heads[:, dim:]], axis=1).reshape(w.shape)


def pairs_out(w, config):
    """Returns `heads_out` of a projection whose rotated pairs are adjacent."""
    return heads_out(halves_from_pairs(w, config), config)


def pairs_over_heads(w, config):
    """Returns `over_heads` of a norm whose rotated pairs are adjacent."""
    return over_heads(halves_from_pairs(w.reshape(-1), config), config)


def part(first: int, last: int, then=heads_out):
    """Returns a transform that takes the parts [first, last) of a fused [Q; K; V]."""

    def take(w, config):
        sizes = np.array([0, config.heads, config.kv_heads, config.kv_heads])
        edges = np.cumsum(sizes) * config.head_dim
        return then(w[edges[first] : edges[last]], config)

    return take


FUSED_QKV = {"q": part(0, 1), "k": part(1, 2), "v": part(2, 3)}


def grouped(which: str):
    """Returns a transform that takes one of a fused [group, (G queries, key, value)]."""

    def take(w, config):
        group = config.heads // config.kv_heads
        rows = w.reshape(config.kv_heads, group + 2, config.head_dim, *w.shape[1:])
        chosen = {"q": rows[:, :group], "k": rows[:, group], "v": rows[:, group + 1]}[which]
        return heads_out(chosen.reshape(-1, *w.shape[1:]), config)

    return take


GROUPED_QKV = {name: grouped(name) for name in "qkv"}


def half(which: int):
    """Returns a transform that takes the gate (0) or up (1) of a fused projection [..., 2F, D]."""

    def take(w, config):
        rows = w.shape[-2] // 2
        return transpose(w[..., which * rows : (which + 1) * rows, :], config)

    return take


def untransposed_part(first: int, last: int):
    """Returns `part` for a projection that is kept as [in, out], and for its bias."""

    def take(w, config):
        return part(first, last)(w.T if w.ndim == 2 else w, config)

    return take


def untransposed_heads_in(w_IO, config):
    return heads_in(w_IO.T, config)


LAYOUT = {
    "q": heads_out, "k": heads_out, "v": heads_out, "o": heads_in,
    "gate": transpose, "up": transpose, "down": transpose, "router": transpose,
    "lm_head": transpose, "embed_in": transpose, "embed_out": transpose,
}  # fmt: skip


def table(block: str, **names) -> dict:
    """Returns a naming table from {parameter: module, or (module, transform)}.

    `block` is the prefix of a block's modules. Each module has a `.weight` and may have a `.bias`,
    which goes the same way for projections into heads and stays as it is elsewhere.
    """
    entries = {}
    for name, module in names.items():
        module, transform = (
            module if isinstance(module, tuple) else (module, LAYOUT.get(name, as_is))
        )
        ours, theirs = (name, module) if name in TOP else (f"blocks/{name}", f"{block}{module}")
        entries[ours] = (f"{theirs}.weight", transform)
        into_heads = name in ("q", "k", "v")
        entries[f"{ours}_bias"] = (f"{theirs}.bias", transform if into_heads else as_is)
    return entries


# The names most checkpoints share: those of Llama, and of the GGUF format.
HF = dict(
    embedding="model.embed_tokens", final_norm="model.norm", lm_head="lm_head",
    attn_norm="input_layernorm", mlp_norm="post_attention_layernorm",
    q="self_attn.q_proj", k="self_attn.k_proj", v="self_attn.v_proj", o="self_attn.o_proj",
    q_norm="self_attn.q_norm", k_norm="self_attn.k_norm",
    gate="mlp.gate_proj", up="mlp.up_proj", down="mlp.down_proj",
)  # fmt: skip
GGUF = dict(
    embedding="token_embd", final_norm="output_norm", lm_head="output", positions="position_embd",
    attn_norm="attn_norm", mlp_norm="ffn_norm",
    attn_post_norm="post_attention_norm", mlp_post_norm="post_ffw_norm",
    q="attn_q", k="attn_k", v="attn_v", o="attn_output", q_norm="attn_q_norm", k_norm="attn_k_norm",
    gate="ffn_gate", up="ffn_up", down="ffn_down", router="ffn_gate_inp",
)  # fmt: skip
GGUF_EXPERTS = dict(gate="ffn_gate_exps", up="ffn_up_exps", down="ffn_down_exps")


def hf_table(**names) -> dict:
    """Returns the table of a checkpoint that names its modules as Llama does, except `names`."""
    return table("model.layers.{layer}.", **HF | names)


def gguf_table(**names) -> dict:
    """Returns the table of a GGUF file, with other names for those in `names`."""
    return table("blk.{layer}.", **GGUF | names)


def fused(module: str, parts: dict) -> dict:
    """Returns the entries of parameters that share one module."""
    return {name: (module, transform) for name, transform in parts.items()}
