"""GGUF files of every architecture: the numbers of the model they were made of."""

import dataclasses

import gguf
import jax
import numpy as np
import pytest
from tiny_gguf import ARCHITECTURES, write_gguf
from tiny_models import VARIANTS, save_tiny

import personascan
from personascan.models import verify
from personascan.models.families import ENCODERS, FAMILIES
from personascan.models.gguf_file import MODEL_TYPES, open_gguf

# The rows of the parity test that a file of this format can say.
ROWS = (
    "llama grouped", "llama multi-query, tied", "llama biases", "llama linear", "llama yarn",
    "mistral window", "qwen2", "qwen3", "granite", "phi", "phi3",
    "phi3 longrope", "olmo2", "gpt2", "gpt_neox", "gpt_neox serial", "cohere", "cohere normed",
    "glm4", "stablelm", "stablelm normed, parallel", "starcoder2", "falcon", "falcon grouped",
    "falcon one norm", "mixtral", "qwen3_moe", "granitemoe",
)  # fmt: skip
# Shapes the format takes for granted: sizes of heads, the order of windows, experts as they are.
FIXED = {
    "gemma": ("gemma", dict(head_dim=16, num_key_value_heads=1, tie_word_embeddings=True)),
    "gemma2": (
        "gemma2",
        dict(tie_word_embeddings=True, head_dim=16, query_pre_attn_scalar=16, sliding_window=6),
    ),
    "gemma3_text": (
        "gemma3_text",
        dict(
            head_dim=16, query_pre_attn_scalar=16, sliding_window=6, num_hidden_layers=7,
            tie_word_embeddings=True,
        ),
    ),
    "smollm3": ("smollm3", dict(num_hidden_layers=5)),
    "cohere2": (
        "cohere2",
        dict(num_hidden_layers=5, sliding_window=6, tie_word_embeddings=True, head_dim=12),
    ),
    "olmo3": (
        "olmo3", dict(num_hidden_layers=4, sliding_window=6),
    ),
    "olmoe": ("olmoe", dict(num_experts=6, num_experts_per_tok=3, norm_topk_prob=False)),
}  # fmt: skip
ALL = {name: VARIANTS[name] for name in ROWS} | FIXED
# What Transformers itself reads of this format, and reads as the file has it.
READ_BY_TRANSFORMERS = ("llama multi-query, tied", "qwen2", "falcon")


def test_every_architecture_has_a_row():
    assert {ARCHITECTURES[kind] for kind, _ in ALL.values()} == set(MODEL_TYPES)
    # The format does not name OPT, and no encoder is read from it.
    assert set(FAMILIES) - set(ARCHITECTURES) == {"opt", *ENCODERS}
    assert "opt" not in gguf.MODEL_ARCH_NAMES.values()


@pytest.mark.parametrize("name", ALL)
def test_a_file_is_read_as_the_folder_it_was_made_of(name, tmp_path):
    """Its parameters bit for bit, its configuration as well as float32 holds one."""
    model_type, overrides = ALL[name]
    save_tiny(tmp_path / "hf", model_type, **overrides)
    write_gguf(tmp_path / "hf", tmp_path / "m.gguf", rotations(name))
    ours, expected = (
        personascan.load_model(str(tmp_path / source), cache=False) for source in ("m.gguf", "hf")
    )
    assert said(ours.config) == said(expected.config)
    assert jax.tree.structure(ours.params) == jax.tree.structure(expected.params)
    jax.tree.map(np.testing.assert_array_equal, ours.params, expected.params)


def said(config):
    """A configuration in float32, and the rotation of every layer by what it is."""
    of_layer = config.rope_of_layer or (0,) * config.layers
    ropes = [config.ropes[i] for i in of_layer if config.ropes]
    raw = dataclasses.asdict(dataclasses.replace(config, ropes=(), rope_of_layer=()))
    return in_float32([raw, *map(dataclasses.asdict, ropes)])


def in_float32(value):
    """Sizes and flags as they are; numbers to six digits."""
    if isinstance(value, dict):
        return {key: in_float32(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [in_float32(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def rotations(name):
    """Tensors of divisors, which some files carry."""
    if name != "phi3 longrope":
        return None
    from tiny_models import LONG

    return {
        f"rope_factors_{kind}.weight": np.array(LONG[f"{kind}_factor"], np.float32)
        for kind in ("short", "long")
    }


@pytest.mark.parametrize("name", READ_BY_TRANSFORMERS)
def test_transformers_reads_the_same_from_the_same_file(name, tmp_path):
    model_type, overrides = ALL[name]
    save_tiny(tmp_path / "hf", model_type, **overrides)
    path = tmp_path / "m.gguf"
    write_gguf(tmp_path / "hf", path)
    ours, theirs = personascan.load_model(str(path)), verify.torch_model(path)
    tokens_BT = np.random.default_rng(0).integers(3, ours.config.vocab_size, (1, 40))
    states, caught, _ = verify.torch_states(theirs, ours.config, tokens_BT)
    found = verify.our_states(ours, tokens_BT)
    worst = max(verify.agreements(ours, found, states, caught), key=lambda a: a.error)
    assert worst.error <= 1e-5, worst


def test_divisors_of_frequencies_are_llama_3s(tmp_path):
    """rope_freqs.weight says in numbers what rope_type llama3 says in a formula."""
    from personascan.models.config import Rope
    from personascan.models.rope import inverse_frequencies

    model_type, overrides = VARIANTS["llama llama3"]
    save_tiny(tmp_path / "hf", model_type, **overrides)
    scaled = personascan.load_model(str(tmp_path / "hf"))
    plain = inverse_frequencies(Rope(dim=12, theta=1e4), 1)
    divisors = plain / inverse_frequencies(scaled.config.ropes[0], 1)
    assert divisors.max() == pytest.approx(8)
    write_gguf(tmp_path / "hf", tmp_path / "m.gguf", {"rope_freqs.weight": divisors})
    model = personascan.load_model(str(tmp_path / "m.gguf"))
    np.testing.assert_allclose(
        inverse_frequencies(model.config.ropes[0], 400),
        inverse_frequencies(scaled.config.ropes[0], 400),
        rtol=1e-6,
    )


QUANTISED = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "BF16", "F16")


@pytest.mark.parametrize("type_name", QUANTISED)
def test_quantised_tensors_are_what_the_package_makes_of_them(type_name, tmp_path):
    save_tiny(tmp_path / "hf", "llama", hidden_size=64, intermediate_size=96)
    type_ = gguf.GGMLQuantizationType[type_name]
    write_gguf(tmp_path / "hf", tmp_path / "m.gguf", types={"ffn_up": type_, "attn_v": type_})
    model = personascan.load_model(str(tmp_path / "m.gguf"))
    exact = personascan.load_model(str(tmp_path / "hf"))
    up, real = (np.asarray(m.params["blocks"]["up"]) for m in (model, exact))
    error = np.linalg.norm(up - real) / np.linalg.norm(real)
    assert 0 < error < 0.12
    _, tensors = open_gguf(tmp_path / "m.gguf")
    np.testing.assert_array_equal(up[1], tensors.read("blk.1.ffn_up.weight").T)


BLOCKS = [t for t in gguf.GGMLQuantizationType if t in gguf.quants._type_traits]


@pytest.mark.parametrize("type_", BLOCKS, ids=lambda t: t.name)
def test_every_type_that_the_package_dequantises_is_read(type_, tmp_path):
    """Blocks of random bits: any bits are numbers in these formats, or scales that are none."""
    block, size = gguf.GGML_QUANT_SIZES[type_]
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (4, 256 // block * size), dtype=np.uint8)
    writer = gguf.GGUFWriter(tmp_path / "t.gguf", "llama")
    writer.add_tensor("t", rows, raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    _, tensors = open_gguf(tmp_path / "t.gguf")
    with np.errstate(all="ignore"):
        read, expected = tensors.read("t"), gguf.quants.dequantize(rows, type_)
    assert read.shape == (4, 256)
    assert len(np.unique(read[np.isfinite(read)])) > 2
    np.testing.assert_array_equal(read, expected)


def test_a_type_that_cannot_be_read_is_named(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "t.gguf", "llama")
    writer.add_tensor("t", np.zeros((4, 8), np.int32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    _, tensors = open_gguf(tmp_path / "t.gguf")
    with pytest.raises(personascan.InputError, match="t is quantised as I32"):
        tensors.read("t")


def test_bfloat16_from_a_file(tmp_path):
    save_tiny(tmp_path / "hf", "llama")
    write_gguf(tmp_path / "hf", tmp_path / "m.gguf")
    half = personascan.load_model(str(tmp_path / "m.gguf"), dtype="bfloat16")
    full = personascan.load_model(str(tmp_path / "m.gguf"))
    for a, b in zip(*map(jax.tree.leaves, (half.params, full.params)), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b).astype(a.dtype))


def test_what_transformers_does_not_read_is_said_in_one_line(tmp_path):
    save_tiny(tmp_path / "hf", "smollm3")
    write_gguf(tmp_path / "hf", tmp_path / "m.gguf")
    with pytest.raises(personascan.InputError, match=r"smollm3 .*verify the folder") as refusal:
        verify.torch_model(tmp_path / "m.gguf")
    assert "\n" not in str(refusal.value)
