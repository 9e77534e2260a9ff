"""The tensors of a checkpoint under the names of a family's table: which model, and its experts."""

import numpy as np
import pytest

import personascan
from personascan.models.checkpoint import Tensors, leaves_by_path, parameter_shapes, tensor_names
from personascan.models.families import family_of, read_config
from personascan.models.naming import rename_tensors

SIZES = dict(
    vocab_size=20, hidden_size=16, intermediate_size=12, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2,
)  # fmt: skip
EXPERTS = dict(num_local_experts=3, num_experts_per_tok=2)
# {model_type: (what it adds, its experts' module, its stacked experts' module and router)}
STACKED = {
    "mixtral": (EXPERTS, "block_sparse_moe.experts.{}.w{}", "mlp", "gate"),
    "granitemoe": (EXPERTS, "", "block_sparse_moe", "router"),
    "qwen3_moe": (
        dict(num_experts=3, num_experts_per_tok=2, moe_intermediate_size=12),
        "mlp.experts.{}.{}_proj", "mlp", "gate",
    ),
    "olmoe": (
        dict(num_experts=3, num_experts_per_tok=2), "mlp.experts.{}.{}_proj", "mlp", "gate"
    ),
}  # fmt: skip


def read(kind, **more):
    """(configuration, table) of a family."""
    sizes = SIZES if kind != "gpt_neox" else {k: SIZES[k] for k in SIZES if "key_value" not in k}
    config = read_config(sizes | more | {"model_type": kind}, "c")
    return config, family_of(kind, "c").HF_TENSORS


def whole(config, table) -> dict[str, np.ndarray]:
    """A vector of its own for every tensor that the table names."""
    rng = np.random.default_rng(0)
    paths, _ = leaves_by_path(parameter_shapes(config, "float32"))
    names = sorted({name for p in paths for name in tensor_names(table[p][0], p, config)})
    return {name: rng.normal(size=3) for name in names}


def by_names(tensors: dict, table, config):
    found = rename_tensors(Tensors(set(tensors), tensors.__getitem__), table, config, "c").tensors
    return {name: found.read(name) for name in found.names}


@pytest.mark.parametrize("kind", STACKED)
def test_stacked_experts_are_those_kept_one_by_one(kind):
    more, module, mlp, router = STACKED[kind]
    config, table = read(kind, **more)
    usual = whole(config, table)
    rng = np.random.default_rng(1)
    stacked = {n: w for n, w in usual.items() if "experts" not in n and "_linear" not in n}
    for layer in range(2):
        block = f"model.layers.{layer}"
        gate_up, down = rng.normal(size=(3, 24, 16)), rng.normal(size=(3, 16, 12))
        stacked[f"{block}.{mlp}.experts.gate_up_proj"] = gate_up
        stacked[f"{block}.{mlp}.experts.down_proj"] = down
        name = table["blocks/router"][0].format(layer=layer)
        stacked[f"{block}.{mlp}.{router}.weight"] = stacked.pop(name)
        if not module:
            usual[f"{block}.block_sparse_moe.input_linear.weight"] = gate_up
            usual[f"{block}.block_sparse_moe.output_linear.weight"] = down
            continue
        parts = ("1", "3", "2") if kind == "mixtral" else ("gate", "up", "down")
        for expert in range(3):
            arrays = gate_up[expert, :12], gate_up[expert, 12:], down[expert]
            for part, w in zip(parts, arrays, strict=True):
                usual[f"{block}.{module.format(expert, part)}.weight"] = w
    found = by_names(stacked, table, config)
    assert found.keys() == usual.keys()
    for name, w in usual.items():
        np.testing.assert_array_equal(found[name], w)
    if module:
        stacked["model.layers.0.mlp.experts.down_proj"] = np.zeros((4, 16, 12))
        with pytest.raises(personascan.InputError, match=r"shape \(4, 16, 12\), not 3 experts"):
            by_names(stacked, table, config)


def test_the_unembedding_of_gpt_neox_goes_by_two_names():
    config, table = read("gpt_neox", rotary_pct=1.0)
    usual = whole(config, table)
    renamed = {n.replace("embed_out", "lm_head"): w for n, w in usual.items()}
    assert renamed.keys() - usual.keys() == {"lm_head.weight"}
    found = by_names(renamed, table, config)
    assert found.keys() == usual.keys()
    np.testing.assert_array_equal(found["embed_out.weight"], usual["embed_out.weight"])


def test_a_resampler_beside_the_model_is_none():
    """Its blocks are named alike, more of them, and without all that a block of the model has."""
    config, table = read("mistral")
    usual = whole(config, table)
    inside = {
        name.replace("model.", "model.text_model.") if name != "lm_head.weight" else name: w
        for name, w in usual.items()
    }
    resampler = {
        f"model.connector.perceiver_resampler.layers.{i}.{name}.weight": np.zeros(3)
        for i in range(4)
        for name in ("self_attn.q_proj", "self_attn.o_proj", "mlp.gate_proj", "latents_norm")
    }
    found = by_names(inside | resampler, table, config)
    assert found.keys() == usual.keys()
    again = {f"ema.{name}": w for name, w in inside.items()}
    with pytest.raises(personascan.InputError, match="holds several models"):
        by_names(inside | again, table, config)
