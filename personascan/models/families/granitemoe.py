"""Granite with experts, whose projections are kept fused and stacked."""

from personascan.models.families.granite import multipliers
from personascan.models.families.keys import Settings
from personascan.models.families.llama import rms_base
from personascan.models.families.phi3 import GATE_UP
from personascan.models.families.tensors import (
    GGUF_EXPERTS,
    fused,
    gguf_table,
    hf_table,
    pairs_out,
)


def config(s: Settings) -> dict:
    return (
        rms_base(s)
        | multipliers(s)
        | dict(
            biases=("q", "k", "v", "o") if s.attention_bias else (),
            experts=s.size("num_local_experts"),
            experts_per_token=s.size("num_experts_per_tok"),
        )
    )


HF_TENSORS = hf_table(
    router="block_sparse_moe.router.layer",
    **fused("block_sparse_moe.input_linear", GATE_UP),
    down="block_sparse_moe.output_linear",
)
GGUF_TENSORS = gguf_table(q=("attn_q", pairs_out), k=("attn_k", pairs_out), **GGUF_EXPERTS)
