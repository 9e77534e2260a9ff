"""Folders as their owners left them: read as Transformers reads them, or refused in one line."""

import json
import os
import shutil

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_models import VARIANTS, byte_vocabulary, save_tiny_llama

import personascan
from personascan.models.families import FAMILIES, read_config
from personascan.models.folder import weights_of

NOTES = "left out, since no hidden state needs it"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A tiny Llama with a head of its own, in one file and in shards."""
    folder = tmp_path_factory.mktemp("saved")
    save_tiny_llama(folder / "one")
    save_tiny_llama(folder / "many", shard="40KB")
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    shutil.copytree(saved / "one", tmp_path / "m")
    return tmp_path / "m"


def rewrite(folder, change):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    save_file(change(tensors), path, {"format": "pt"})


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def load(folder):
    return personascan.load_model(str(folder), cache=False)


def same_backbone(a, b):
    pairs = ((a.params[name], b.params[name]) for name in ("embedding", "final_norm", "blocks"))
    return all(
        jax.tree.leaves(jax.tree.map(lambda x, y: bool((x == y).all()), x, y)) for x, y in pairs
    )


# Which files


def test_a_single_file_goes_before_an_index(folder, saved):
    for file in (saved / "many").glob("*.safetensors*"):
        shutil.copy(file, folder)
    rewrite(folder, lambda t: {k: v * 2 for k, v in t.items()})
    theirs = transformers_embedding(folder)
    np.testing.assert_array_equal(load(folder).params["embedding"], theirs)
    np.testing.assert_array_equal(theirs, 2 * load(saved / "one").params["embedding"])


def transformers_embedding(folder):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    return model.get_input_embeddings().weight.detach().numpy()


def test_shards_that_no_index_names_are_not_read(folder, saved):
    shutil.copy(saved / "one/model.safetensors", folder / "model-00001-of-00009.safetensors")
    assert same_backbone(load(folder), load(saved / "one"))


@pytest.mark.parametrize("fault", ["other file", "two files", "no file"])
def test_index_and_shards_of_two_checkpoints_are_refused(saved, tmp_path, fault):
    folder = tmp_path / "m"
    shutil.copytree(saved / "many", folder)
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    files = sorted(set(content["weight_map"].values()))
    name = next(n for n, file in content["weight_map"].items() if file == files[0])
    if fault == "other file":
        content["weight_map"][name] = files[1]
    elif fault == "no file":
        content["weight_map"]["model.more.weight"] = files[1]
    else:
        tensors = load_file(folder / files[1])
        save_file(tensors | {name: np.ones(3, np.float32)}, folder / files[1])
    index.write_text(json.dumps(content))
    with pytest.raises(personascan.InputError, match=r"two checkpoints|checkpoints are mixed"):
        load(folder)


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (["model.fp16.safetensors"], "rename a single file to model.safetensors"),
        (["model-00001-of-00002.safetensors"], "add the index of the shards"),
        (["pytorch_model.bin"], r"personascan convert --model="),
        (["m.gguf"], r"name the file itself: .*m\.gguf"),
    ],
)
def test_other_weights_are_named_with_what_to_do(folder, names, advice):
    (folder / "model.safetensors").unlink()
    for name in names:
        (folder / name).write_bytes(b"")
    with pytest.raises(personascan.InputError, match=advice) as caught:
        load(folder)
    assert names[0] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_adapter_is_to_be_merged_first(tmp_path, folder):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(personascan.InputError, match=r"adapter \(LoRA\).*merge_and_unload"):
        load(tmp_path)
    lora = np.ones((2, 48), np.float32)
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    rewrite(folder, lambda t: t | {name: lora})
    with pytest.raises(personascan.InputError, match="adapters that are not merged"):
        load(folder)


def test_a_pipe_is_not_waited_for(folder):
    for name in ("tokenizer_config.json", "config.json"):
        (folder / name).unlink()
        os.mkfifo(folder / name)
        with pytest.raises(personascan.InputError, match=f"{name} is not a regular file"):
            load(folder)


def test_pickled_checkpoints_are_converted_without_running_code(folder, tmp_path, capfd):
    import torch

    from personascan.models.convert import convert_folder

    tensors = {k: torch.from_numpy(v) for k, v in load_file(folder / "model.safetensors").items()}
    expected = load(folder)
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    (folder / "sentencepiece.bpe.model").write_bytes(b"pieces")
    count, _ = convert_folder(folder, tmp_path / "converted")
    assert count == len(tensors)
    kept = {p.name for p in (tmp_path / "converted").iterdir()} - {"sha256.json"}
    there = {p.name for p in folder.iterdir()} - {"pytorch_model.bin"}
    assert kept == there | {"model.safetensors"}
    converted = load(tmp_path / "converted")
    assert same_backbone(converted, expected)
    assert converted.tokenizer("a b").input_ids == expected.tokenizer("a b").input_ids
    torch.save({"x": os.system}, folder / "pytorch_model.bin")
    with pytest.raises(personascan.InputError, match="damaged or holds more than tensors"):
        convert_folder(folder, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    capfd.readouterr()


def test_what_shares_its_memory_is_written_whole(folder, tmp_path, capfd):
    """An untied head, blocks that are one, and a projection that is another one transposed."""
    import torch

    from personascan.models.convert import convert_folder

    tensors = {k: torch.from_numpy(v) for k, v in load_file(folder / "model.safetensors").items()}
    (folder / "model.safetensors").unlink()
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    for name in [n for n in tensors if ".layers.0." in n]:
        tensors[name.replace(".layers.0.", ".layers.1.")] = tensors[name]
    attention = "model.layers.0.self_attn"
    tensors[f"{attention}.o_proj.weight"] = tensors[f"{attention}.q_proj.weight"].T
    torch.save(tensors, folder / "pytorch_model.bin")
    count, _ = convert_folder(folder, tmp_path / "converted")
    assert count == len(tensors)
    written = load_file(tmp_path / "converted/model.safetensors")
    assert all(np.array_equal(written[name], tensor) for name, tensor in tensors.items())
    assert load(tmp_path / "converted").config.has_head
    capfd.readouterr()


def test_a_conversion_is_read_back_before_it_is_there(folder, tmp_path, monkeypatch):
    import torch

    from personascan.models import convert

    tensors = {k: torch.from_numpy(v) for k, v in load_file(folder / "model.safetensors").items()}
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")

    def damaging(tensors, path, **more):
        save_file({k: v.numpy() + (k == "model.norm.weight") for k, v in tensors.items()}, path)

    with monkeypatch.context() as patch:
        patch.setattr(convert, "save_file", damaging)
        with pytest.raises(personascan.InputError, match="is not what was written"):
            convert.convert_folder(folder, tmp_path / "converted")
    del tensors["model.norm.weight"]
    torch.save(tensors, folder / "pytorch_model.bin")
    with pytest.raises(personascan.InputError, match=r"-model\.norm\.weight"):
        convert.convert_folder(folder, tmp_path / "converted")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "t5"}))
    (folder / "pytorch_model.bin").write_bytes(b"not looked at")
    with pytest.raises(personascan.InputError, match="'t5' is not supported"):
        convert.convert_folder(folder, tmp_path / "converted")
    assert not (tmp_path / "converted").exists()


# Heads


def test_a_base_model_without_head_is_read(folder, saved, capsys):
    def bare(tensors):
        del tensors["lm_head.weight"]
        return {name.removeprefix("model."): t for name, t in tensors.items()}

    rewrite(folder, bare)
    model = load(folder)
    assert same_backbone(model, load(saved / "one"))
    assert "no lm_head: activations, but no logits" in capsys.readouterr().err
    with pytest.raises(personascan.InputError, match="no lm_head, and so no logits"):
        model.decoder().apply({"params": model.params}, np.ones((1, 48)), method="logits")


@pytest.mark.parametrize(
    "more", ["score.weight", "v_head.summary.weight", "v_head.summary.bias", "classifier.weight"]
)
@pytest.mark.parametrize("head", [True, False])
def test_heads_for_other_tasks_are_left_out(folder, saved, capsys, more, head):
    def change(tensors):
        if not head:
            del tensors["lm_head.weight"]
        return tensors | {more: np.ones((2, 48), np.float32)}

    rewrite(folder, change)
    change_config(folder, architectures=["LlamaForSequenceClassification"], num_labels=2)
    model = load(folder)
    assert same_backbone(model, load(saved / "one"))
    assert model.config.has_head == head
    assert f"{NOTES}: {more.split('.')[0]} (1 tensors)" in capsys.readouterr().err


def test_a_tensor_among_the_decoders_own_is_still_refused(folder):
    rewrite(folder, lambda t: t | {"model.more.weight": np.ones(3, np.float32)})
    with pytest.raises(personascan.InputError, match=r"\+model\.more\.weight"):
        load(folder)


def test_tied_weights_are_read_under_either_name(folder, tmp_path):
    change_config(folder, tie_word_embeddings=True)
    both = load_file(folder / "model.safetensors")
    both["lm_head.weight"] = both["model.embed_tokens.weight"]
    found = []
    for missing in (None, "lm_head.weight", "model.embed_tokens.weight"):
        rewrite(folder, lambda _, missing=missing: {k: v for k, v in both.items() if k != missing})
        found.append(load(folder))
        assert found[-1].config.tie_embeddings
        assert "lm_head" not in found[-1].params
    assert same_backbone(found[0], found[1])
    assert same_backbone(found[0], found[2])
    rewrite(
        folder, lambda _: {k: v for k, v in both.items() if "embed" not in k and k != "lm_head"}
    )


def test_a_tied_model_with_a_head_of_its_own_is_read_with_a_notice(folder, saved, capsys):
    """As Transformers does it: each is used as it stands in the file."""
    change_config(folder, tie_word_embeddings=True)
    for _ in range(2):  # read, and from the kept conversion
        model = personascan.load_model(str(folder))
        assert "lm_head differs from the embedding" in capsys.readouterr().err
        assert not model.config.tie_embeddings
        expected = load_file(folder / "model.safetensors")["lm_head.weight"]
        np.testing.assert_array_equal(model.params["lm_head"], expected.T)
    assert same_backbone(model, load(saved / "one"))


# Keys of the configuration


def small_config(model_type: str) -> dict:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    variant = next(more for kind, more in VARIANTS.values() if kind == model_type)
    settings = dict(
        vocab_size=len(byte_vocabulary()), hidden_size=48, intermediate_size=80,
        num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=600,
    )  # fmt: skip
    chosen = {k: v for k, v in (settings | variant).items() if v != "drop"}
    return CONFIG_MAPPING[model_type](**chosen)


@pytest.mark.parametrize("model_type", FAMILIES)
def test_a_full_dump_of_every_family_is_read(model_type):
    """With every key that Transformers has, defaults included, it is the same model."""
    config = small_config(model_type)
    full = json.loads(config.to_json_string(use_diff=False))
    short = json.loads(config.to_json_string(use_diff=True))
    assert set(full) > set(short)
    assert read_config(full, "c") == read_config(short | {"model_type": model_type}, "c")


NEUTRAL = {
    "_num_labels": 1, "_flash_attn_2_enabled": True, "_commit_hash": "abc", "problem_type": None,
    "quantization_config": None, "num_beams": 4, "typical_p": 1.0, "suppress_tokens": None,
    "is_encoder_decoder": False, "pruned_heads": {}, "output_attentions": True,
    "id2label": {"0": "A"}, "attention_dropout": 0.3, "summary_type": "cls_index",
    "cross_attention_hidden_size": None, "add_cross_attention": False, "some_new_key": None,
    "tie_encoder_decoder": False, "torchscript": False, "top_h": None,
}  # fmt: skip
MATTERS = {
    "quantization_config": {"bits": 4}, "is_encoder_decoder": True, "pruned_heads": {"0": [1]},
    "add_cross_attention": True, "some_new_key": 1, "attention_window": 5, "clip_qkv": 8.0,
    "transformers_weights": "other.safetensors",
}  # fmt: skip


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "qwen2", "phi3", "bert"])
def test_keys_that_cannot_reach_the_forward_pass_are_neutral(model_type):
    raw = small_config(model_type).to_dict()
    plain = read_config(raw, "c")
    for key, value in NEUTRAL.items():
        assert read_config(raw | {key: value}, "c") == plain, key
    for key, value in MATTERS.items():
        with pytest.raises(personascan.InputError, match=key):
            read_config(raw | {key: value}, "c")


# What is read is recorded


def test_weights_rewritten_in_place_are_read_anew(folder):
    """Size and times of the file kept, as rsync --inplace --times keeps them."""
    path = folder / "model.safetensors"
    before, times = personascan.load_model(str(folder)), path.stat()
    other = folder / "other"
    save_file({k: v * 1.5 for k, v in load_file(path).items()}, other, {"format": "pt"})
    with path.open("r+b") as file:
        file.write(other.read_bytes())
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    after = personascan.load_model(str(folder))
    assert after.sha256 != before.sha256
    np.testing.assert_array_equal(after.params["embedding"], 1.5 * before.params["embedding"])


def test_the_hash_of_every_file_that_was_read_is_recorded(saved):
    from personascan.hashes import file_sha256

    for name in ("one", "many"):
        model = load(saved / name)
        weights = weights_of(saved / name)
        assert {file.name for file in weights.files} < set(model.files)
        for file, sha256 in model.files.items():
            assert sha256 == file_sha256(saved / name / file)
        assert {"config.json", "tokenizer.json", "chat_template.jinja"} < set(model.files)


def test_a_tied_head_with_a_bias_may_be_missing(tmp_path):
    """A bare Phi has no bias of the head either."""
    import torch
    from tiny_models import save_tokenizer
    from transformers import PhiModel

    torch.manual_seed(0)
    config = small_config("phi")
    config.tie_word_embeddings = True
    PhiModel(config).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    assert not load(tmp_path).config.has_head


def test_an_adapter_beside_a_model_is_said_to_be_left_out(folder, saved, capsys):
    (folder / "adapter_config.json").write_text("{}")
    assert same_backbone(load(folder), load(saved / "one"))
    assert "holds an adapter (LoRA) beside the model" in capsys.readouterr().err
