"""Text models inside models that also see: the same hidden states as in Transformers."""

import json

import numpy as np
import pytest
from tiny_models import byte_vocabulary, save_tokenizer

import personascan
from personascan.models import verify
from personascan.models.families import read_config, text_config

TEXT = dict(
    vocab_size=len(byte_vocabulary()), hidden_size=48, intermediate_size=80, num_hidden_layers=3,
    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=600, bos_token_id=1,
    eos_token_id=2, pad_token_id=0,
)  # fmt: skip
VISION = dict(
    hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28,
    patch_size=14,
)  # fmt: skip
QWEN_VISION = dict(
    depth=1, embed_dim=16, hidden_size=48, out_hidden_size=48, num_heads=2, intermediate_size=16,
    patch_size=14,
)  # fmt: skip
MROPE = dict(rope_type="default", rope_theta=1e4, mrope_section=[2, 2, 2])
TOKENS = dict(image_token_id=5, video_token_id=6, vision_start_token_id=7, vision_end_token_id=8)
WRAPPERS = {
    "gemma3": dict(
        text_config=TEXT | dict(
            model_type="gemma3_text", head_dim=16, query_pre_attn_scalar=20, sliding_window=6,
            num_hidden_layers=7,
        ),
        vision_config=VISION | dict(model_type="siglip_vision_model"),
        image_token_index=5, boi_token_index=6, eoi_token_index=7, mm_tokens_per_image=4,
    ),
    "mistral3": dict(
        text_config=TEXT | dict(model_type="mistral", head_dim=12, sliding_window=None),
        vision_config=VISION | dict(model_type="pixtral", head_dim=8), image_token_index=5,
    ),
    "qwen2_vl": dict(
        text_config=TEXT | dict(rope_parameters=MROPE), vision_config=QWEN_VISION, **TOKENS
    ),
    "qwen2_5_vl": dict(
        text_config=TEXT | dict(rope_parameters=MROPE),
        vision_config=QWEN_VISION | dict(fullatt_block_indexes=[0]), **TOKENS,
    ),
    "llava": dict(
        text_config=TEXT | dict(model_type="llama"),
        vision_config=VISION | dict(model_type="clip_vision_model"), image_token_index=5,
    ),
}  # fmt: skip


def save_wrapper(folder, kind, **more):
    import torch
    from transformers import AutoModelForImageTextToText
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    torch.manual_seed(0)
    config = CONFIG_MAPPING[kind](**WRAPPERS[kind] | more)
    model = AutoModelForImageTextToText.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.12)
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return model


def largest_error(folder, model) -> float:
    """Of any layer's last token, beside `hidden_states` of the text model."""
    import torch

    text = "hello there, I expect good news and more of it"
    ours = personascan.load_model(str(folder), cache=False)
    statement = personascan.Statement("s", text, "p", "", True, 1.0, "")
    sites = ("resid_post", "final_norm")
    kept = personascan.extract(ours, [statement], sites=sites, role="none", progress=False)
    ids = torch.tensor([ours.tokenizer(text)["input_ids"]])
    with torch.no_grad():
        states = model.model.language_model(ids, output_hidden_states=True).hidden_states
    found = [*kept.stacks["resid_post", "last"][:-1, 0], kept.stacks["final_norm", "last"][0, 0]]
    expected = [state[0, -1].numpy() for state in states[1:]]
    assert len(found) == len(expected)
    errors = [
        np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(found, expected, strict=True)
    ]
    return max(errors)


@pytest.mark.parametrize("kind", WRAPPERS)
def test_the_text_model_inside_is_the_one_that_transformers_runs(tmp_path, kind, capsys):
    model = save_wrapper(tmp_path, kind)
    assert largest_error(tmp_path, model) <= 1e-5
    said = capsys.readouterr().err
    assert "left out, since no hidden state needs it" in said
    assert "vis" in said  # the tower, by its name in the file


def test_the_older_layout_of_names_is_read_as_well(tmp_path):
    """language_model.model.layers and language_model.lm_head, as files of before 2025 have it."""
    from safetensors.numpy import load_file, save_file

    model = save_wrapper(tmp_path, "gemma3", tie_word_embeddings=False)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    old = {}
    for name, tensor in tensors.items():
        name = name.removeprefix("model.")
        bare = name.removeprefix("language_model.").removeprefix("model.")
        if name.startswith("language_model."):
            name = f"language_model.model.{bare}"
        old["language_model.lm_head.weight" if name == "lm_head.weight" else name] = tensor
    assert set(old) != set(tensors)
    save_file(old, path, {"format": "pt"})
    assert largest_error(tmp_path, model) <= 1e-5
    assert personascan.load_model(str(tmp_path), cache=False).config.has_head


def test_a_flat_file_of_before_the_text_config_is_read(tmp_path):
    model = save_wrapper(tmp_path, "qwen2_vl")
    path = tmp_path / "config.json"
    raw = json.loads(path.read_text())
    inner = raw.pop("text_config")
    inner.pop("rope_parameters")
    inner.pop("model_type")
    rope = {"type": "mrope", "mrope_section": [2, 2, 2]}
    path.write_text(json.dumps(inner | raw | {"rope_theta": 1e4, "rope_scaling": rope}))
    assert largest_error(tmp_path, model) <= 1e-5


@pytest.mark.parametrize(
    ("raw", "inside"),
    [
        ({"model_type": "llama4", "text_config": {"model_type": "llama4_text"}}, "llama4_text"),
        ({"model_type": "newer", "text_config": {"model_type": "newest"}}, "newest"),
        ({"model_type": "paligemma", "text_config": {"model_type": "gemma"}}, "not causal"),
    ],
)
def test_a_text_model_of_no_family_is_named(raw, inside):
    with pytest.raises(personascan.InputError, match=f"holds a text model of type.*{inside}"):
        text_config(raw, "config.json")


def test_a_model_that_is_no_wrapper_is_refused_as_before():
    with pytest.raises(personascan.InputError, match="model_type 't5' is not supported"):
        read_config(text_config({"model_type": "t5"}, "c"), "c")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gemma3", "qwen2_vl", "mistral3", "llava"])
def test_the_whole_model_is_what_ours_is_verified_against(tmp_path, kind):
    save_wrapper(tmp_path, kind)
    ours = personascan.load_model(str(tmp_path), cache=False)
    tokens_BT = np.random.default_rng(0).integers(9, ours.config.vocab_size, (1, 8))
    rows = verify.verify(ours, tokens_BT)
    assert {row.layer for row in rows} == set(range(ours.config.layers))
    assert max(row.error for row in rows) <= 1e-5


def test_a_model_that_also_sees_is_loaded_by_a_class_of_its_own():
    class_of = verify.class_of
    named = {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"]}
    assert class_of(named) == "Gemma3ForConditionalGeneration"
    for architectures in (None, ["OfCodeOfItsOwn"]):
        raw = {"model_type": "gemma3", "architectures": architectures}
        assert class_of(raw) == "AutoModelForImageTextToText"
    assert class_of({"model_type": "llama"}) == "AutoModelForCausalLM"
    assert class_of({"model_type": "bert"}) == "AutoModel"
