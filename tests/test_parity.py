"""Every layer of every site against Transformers on torch reading the same files."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from tiny_models import VARIANTS, save_tiny

import personascan
from personascan.models import verify
from personascan.models.config import Rope
from personascan.models.decoder import SITES
from personascan.models.families import ENCODERS, FAMILIES

BOUND = 1e-5


def worst(model, found, states, caught):
    rows = verify.agreements(model, found, states, caught)
    missing = {"mlp_hidden"} if model.config.experts else set()
    assert {row.site for row in rows} == set(SITES) - missing
    return max(rows, key=lambda a: a.error)


def worst_inner_token(found, caught):
    """Heads and neurons token by token, which random models allow; `agreements` has layers."""
    return max(verify.token_error(found[s], caught[s]) for s in verify.READS if s in caught)


@pytest.fixture(scope="module", params=VARIANTS)
def tiny(request, tmp_path_factory):
    """A tiny random model: (ours, theirs)."""
    model_type, overrides = VARIANTS[request.param]
    folder = tmp_path_factory.mktemp("tiny")
    save_tiny(folder, model_type, **overrides)
    return personascan.load_model(str(folder), cache=False), verify.torch_model(folder)


def test_every_family_has_a_row():
    assert {model_type for model_type, _ in VARIANTS.values()} == set(FAMILIES)


def test_a_short_prompt(tiny):
    """8 tokens; the logits, if any, of what Transformers has last."""
    model, theirs = tiny
    tokens_BT = np.random.default_rng(8).integers(3, model.config.vocab_size, (2, 8))
    states, caught, logits = verify.torch_states(theirs, model.config, tokens_BT)
    found = verify.our_states(model, tokens_BT)
    assert worst(model, found, states, caught).error <= BOUND
    assert worst_inner_token(found, caught) <= BOUND
    final = jnp.asarray(found["final_norm"])
    if logits is None:
        with pytest.raises(personascan.InputError, match="encoder predicts no next token"):
            model.decoder().apply({"params": model.params}, final, method="logits")
        return
    head = model.decoder().apply({"params": model.params}, final, method="logits")
    assert verify.token_error(np.asarray(head), logits) <= BOUND


@pytest.mark.parametrize("name", ["llama grouped", "gemma3_text", "phi"])
def test_a_loop_over_blocks_and_its_unrolled_form(name, tmp_path):
    """The three ways of a block: one stream, norms behind sublayers and windows, side by side."""
    model_type, overrides = VARIANTS[name]
    save_tiny(tmp_path, model_type, **overrides)
    model, theirs = personascan.load_model(str(tmp_path)), verify.torch_model(tmp_path)
    tokens_BT = np.random.default_rng(8).integers(3, model.config.vocab_size, (2, 8))
    states, caught, _ = verify.torch_states(theirs, model.config, tokens_BT)
    found = verify.our_states(model, tokens_BT, unroll=model.config.layers)
    assert worst(model, found, states, caught).error <= BOUND


# Where a block does something else at the 500th token than at the 8th, or sees padding.
OF_LENGTH = {"rope_parameters", "sliding_window", "no_rope_layers", "alibi"}


def by_length(name):
    """A row; where 500 tokens are only more of the same, one for after the rest."""
    model_type, overrides = VARIANTS[name]
    learned = model_type in (*ENCODERS, "gpt2", "opt")
    rotated_otherwise = any(overrides.get(key) for key in OF_LENGTH)
    return pytest.param(name, marks=() if learned or rotated_otherwise else pytest.mark.slow)


@pytest.mark.parametrize("tiny", [by_length(name) for name in VARIANTS], indirect=True)
def test_a_long_prompt_beside_a_short_one(tiny):
    """500 tokens, and 11 that are padded to 500 with other tokens: as each is alone."""
    model, theirs = tiny
    tokens_BT = np.random.default_rng(500).integers(3, model.config.vocab_size, (2, 500))
    lengths_B = np.array([500, 11])
    found = verify.our_states(model, tokens_BT, lengths_B=lengths_B)
    for row, length in enumerate(lengths_B):
        alone = tokens_BT[row : row + 1, :length]
        states, caught, _ = verify.torch_states(theirs, model.config, alone)
        ours = {site: a[..., row : row + 1, :length, :] for site, a in found.items()}
        assert worst(model, ours, states, caught).error <= BOUND
        assert worst_inner_token(ours, caught) <= BOUND


WITHOUT = {
    "llama biases": dict(biases=()),
    "llama dynamic": dict(ropes=(Rope(dim=12, theta=1e4),)),
    "llama llama3": dict(ropes=(Rope(dim=12, theta=1e4),)),
    "llama yarn": dict(ropes=(Rope(dim=12, theta=1e4),)),
    "phi3 longrope": dict(ropes=(Rope(dim=12, theta=1e4),)),
    "mistral window": dict(windows=()),
    "gemma2": dict(attn_softcap=0.0),
    "gemma3_text": dict(rope_of_layer=(0,) * 7),
    "smollm3": dict(rope_of_layer=(0,) * 3),
    "granite": dict(attn_scale=0.0),
    "falcon biases by distance": dict(alibi=False),
    "olmoe": dict(normalize_router=True),
    "bert": dict(causal=True),
    "bert bare": dict(token_types=0),
    "roberta": dict(position_offset=0, max_positions=600),
    "distilbert": dict(embed_norm=False),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_the_rows_are_sharp(name, tmp_path):
    """Without what a row is there to show, the model is far from Transformers'."""
    model_type, overrides = VARIANTS[name]
    save_tiny(tmp_path, model_type, **overrides)
    model, theirs = personascan.load_model(str(tmp_path)), verify.torch_model(tmp_path)
    tokens_BT = np.random.default_rng(8).integers(3, model.config.vocab_size, (1, 400))
    states, caught, _ = verify.torch_states(theirs, model.config, tokens_BT)
    blunt = dataclasses.replace(model, config=dataclasses.replace(model.config, **WITHOUT[name]))
    found = verify.our_states(blunt, tokens_BT)
    assert worst(model, found, states, caught).error > 100 * BOUND
