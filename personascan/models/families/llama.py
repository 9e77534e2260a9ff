"""Llama: RMS norms, rotary positions, grouped-query attention, SwiGLU; the base of many others."""

from personascan.models.families.keys import Settings
from personascan.models.families.ropes import ropes
from personascan.models.families.tensors import gguf_table, hf_table, pairs_out


def base(s: Settings, mlp_width: int = 0) -> dict:
    """Returns the fields that nearly all families spell alike; `mlp_width` if they do not."""
    heads = s.size("num_attention_heads")
    return dict(
        vocab_size=s.size("vocab_size"),
        layers=s.size("num_hidden_layers"),
        width=s.size("hidden_size"),
        heads=heads,
        kv_heads=s.optional("num_key_value_heads") or heads,
        head_dim=s.optional("head_dim") or s.hidden_size // heads,
        mlp_width=mlp_width or s.size("intermediate_size"),
        max_positions=s.size("max_position_embeddings", required=False),
        tie_embeddings=bool(s.tie_word_embeddings),
    )


def rms_base(s: Settings) -> dict:
    """Returns `base` with the norms, activation and rotations of Llama."""
    shape = base(s)
    rotations = ropes(s, shape["head_dim"])
    # A scaled rotation reaches further than the length in training that some files name.
    longest = [int(r.factor * r.original_positions) for r in rotations["ropes"]]
    return (
        shape
        | rotations
        | dict(max_positions=max(shape["max_positions"], *longest))
        | dict(norm_eps=s.rms_norm_eps, activation=s.activation_of("hidden_act"))
    )


def layer_norm_base(s: Settings, eps: str = "layer_norm_eps") -> dict:
    """Returns `base` with layer norms, the activation `hidden_act` and rotations."""
    shape = base(s)
    return (
        shape
        | ropes(s, shape["head_dim"])
        | dict(norm="layer", norm_eps=getattr(s, eps), activation=s.activation_of("hidden_act"))
    )


def biases(s: Settings, attention=("q", "k", "v", "o"), mlp=("gate", "up", "down")) -> tuple:
    """Returns the projections that have a bias, by the switches attention_bias and mlp_bias."""
    return (attention if s.attention_bias else ()) + (mlp if s.mlp_bias else ())


def config(s: Settings) -> dict:
    s.only("rope_interleaved", False)
    return rms_base(s) | dict(biases=biases(s))


HF_TENSORS = hf_table()
GGUF_TENSORS = gguf_table(q=("attn_q", pairs_out), k=("attn_k", pairs_out))
