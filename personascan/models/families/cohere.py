"""Command R: attention and MLP in parallel from one norm, rotated pairs side by side."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import layer_norm_base
from personascan.models.families.tensors import gguf_table, hf_table, pairs_out, pairs_over_heads


def parallel_base(s: Settings) -> dict:
    """Returns the fields that both generations of Command R share."""
    shape = layer_norm_base(s)
    return shape | dict(
        norms=("attn_norm",),
        biases=("q", "k", "v", "o") if s.attention_bias else (),
        parallel=True,
        logit_scale=float(s.logit_scale),
        # Files give the trained length under this name beside a shorter one.
        max_positions=max(s.optional("model_max_length") or 0, shape["max_positions"]),
    )


def config(s: Settings) -> dict:
    return parallel_base(s) | dict(qk_norm="heads" if s.use_qk_norm else "")


HF_TENSORS = hf_table(
    q=("self_attn.q_proj", pairs_out),
    k=("self_attn.k_proj", pairs_out),
    q_norm=("self_attn.q_norm", pairs_over_heads),
    k_norm=("self_attn.k_norm", pairs_over_heads),
)
GGUF_TENSORS = gguf_table(
    q=("attn_q", pairs_out),
    k=("attn_k", pairs_out),
    q_norm=("attn_q_norm", pairs_over_heads),
    k_norm=("attn_k_norm", pairs_over_heads),
)
