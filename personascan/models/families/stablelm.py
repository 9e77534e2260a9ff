"""StableLM: layer norms, rotations of a part of each head, queries and keys normed by head."""

from personascan.models.families.keys import Settings
from personascan.models.families.llama import layer_norm_base
from personascan.models.families.tensors import gguf_table, hf_table, over_heads


def config(s: Settings) -> dict:
    parallel = bool(s.use_parallel_residual)
    norms = ("attn_norm",) if parallel else ("attn_norm", "mlp_norm")
    return layer_norm_base(s) | dict(
        norms=norms,
        qk_norm="heads" if s.qk_layernorm else "",
        biases=(*norms, "final_norm", *(("q", "k", "v") if s.use_qkv_bias else ())),
        parallel=parallel,
    )


HF_TENSORS = hf_table(
    q_norm="self_attn.q_layernorm.norms.{head}", k_norm="self_attn.k_layernorm.norms.{head}"
)
GGUF_TENSORS = gguf_table(q_norm=("attn_q_norm", over_heads), k_norm=("attn_k_norm", over_heads))
