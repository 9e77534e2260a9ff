"""Fields of GGUF files: read, let through where they say nothing, or refused by name."""

import gguf
import numpy as np
import pytest

import personascan
from personascan.models.checkpoint import Tensors
from personascan.models.families import read_config
from personascan.models.gguf_file import gguf_config, read_gguf
from personascan.models.gguf_keys import OFF, ONLY

SIZES = {
    "vocab_size": 300, "block_count": 2, "embedding_length": 48, "feed_forward_length": 80,
    "context_length": 600, "attention.head_count": 4, "attention.head_count_kv": 2,
}  # fmt: skip
EXPERTS = {"expert_count": 4, "expert_used_count": 2}


def config_of(architecture, **more):
    """What is read of a file with these fields more."""
    own = {f"{architecture}.{key}": value for key, value in (SIZES | more).items()}
    fields = {"general.architecture": architecture} | own
    return read_config(gguf_config(fields, Tensors(set(), None), "x"), "x")


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gemma3", "olmo2", "gpt2"])
def test_what_means_off_is_let_through(architecture):
    whole = {"attention.sliding_window": 0}  # Gemma 3 would have windows without this field
    plain = config_of(architecture, **whole)
    assert not any(plain.windows)
    assert config_of(architecture, **whole, pooling_type=3, embedding_length_out=48) == plain
    for key, values in (ONLY | OFF).items():
        for value in values:
            assert config_of(architecture, **whole | {key: value}) == plain, key


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("attention.clamp_kqv", 8.0), ("attention.max_alibi_bias", 8.0), ("logit_scale", 2.0),
        ("expert_weights_scale", 2.5), ("expert_gating_func", 2), ("expert_weights_norm", False),
        ("embedding_length_out", 32), ("attn_logit_softcapping", 30.0), ("embedding_scale", 3.0),
    ],
)  # fmt: skip
def test_what_would_change_the_numbers_is_refused_by_name(key, value):
    with pytest.raises(personascan.InputError, match=key):
        config_of("llama", **{key: value})


def test_a_scale_of_zero_is_none():
    """As the programs that write these files have it; zero times the stream would be no model."""
    none = config_of("granite", **{"attention.scale": 0.0, "logit_scale": 0.0})
    assert (none.attn_scale, none.logit_scale) == (12**-0.5, 1.0)
    assert config_of("granite").attn_scale == 12**-0.5
    assert config_of("granite", residual_scale=0.0, embedding_scale=0.0).residual_scale == 1.0
    assert config_of("command-r", logit_scale=0.0).logit_scale == 1.0


@pytest.mark.parametrize(("architecture", "normed"), [("qwen3moe", True), ("olmoe", False)])
def test_the_shares_of_experts_are_the_architectures(architecture, normed):
    experts = EXPERTS | ({"expert_feed_forward_length": 24} if normed else {})
    found = config_of(architecture, **experts, expert_weights_norm=normed)
    assert found.normalize_router is normed
    with pytest.raises(personascan.InputError, match="expert_weights_norm"):
        config_of(architecture, **experts, expert_weights_norm=not normed)


def test_an_adapter_is_no_model():
    fields = {"general.architecture": "llama", "general.type": "adapter"}
    with pytest.raises(personascan.InputError, match=r"general.type is 'adapter'"):
        gguf_config(fields, Tensors(set(), None), "x")


def test_big_endian_files_are_refused_by_name(tmp_path):
    path = tmp_path / "big.gguf"
    writer = gguf.GGUFWriter(path, "llama", endianess=gguf.GGUFEndian.BIG)
    writer.add_tensor("t", np.ones((2, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(personascan.InputError, match="is big-endian"):
        read_gguf(path)
