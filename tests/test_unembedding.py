"""What a vector adds to the logits, against the head and the final norm of torch's own model."""

import numpy as np
import pytest
import torch
from tiny_models import VARIANTS, save_tiny

import personascan
from personascan.models import verify
from personascan.models.unembedding import logit_changes, stream_lengths, through_final_norm

NORMS = {  # of torch's model
    "llama multi-head": "model.norm",
    "llama multi-query, tied": "model.norm",
    "granite": "model.norm",
    "gemma2": "model.norm",
    "gpt2": "transformer.ln_f",
    "phi": "model.final_layernorm",
    "opt": "model.decoder.final_layer_norm",
    "opt 350m": "",
    "cohere": "model.norm",
}
SCALE = {"granite": 1 / 5.0, "cohere": 0.3}


@pytest.fixture(scope="module", params=NORMS)
def pair(request, tmp_path_factory):
    """A row of the parity test, its model, and torch's."""
    folder = tmp_path_factory.mktemp("model")
    model_type, overrides = VARIANTS[request.param]
    save_tiny(folder, model_type, **overrides)
    return request.param, personascan.load_model(str(folder)), verify.torch_model(folder)


def vectors(model, count=5):
    return np.random.default_rng(0).normal(size=(count, model.config.width)).astype(np.float32)


def test_logits_are_the_product_with_the_unembedding(pair):
    name, model, theirs = pair
    rows_ND = vectors(model)
    weight = theirs.get_output_embeddings().weight.detach().double().numpy()
    written_ND = rows_ND.astype(np.float64)
    if name == "opt 350m":
        written_ND = (
            written_ND @ theirs.model.decoder.project_out.weight.detach().double().numpy().T
        )
    expected_NV = SCALE.get(name, 1.0) * written_ND @ weight.T
    found_NV = np.concatenate(list(logit_changes(model, rows_ND)))
    np.testing.assert_allclose(found_NV, expected_NV, atol=1e-5)


def test_many_vectors_give_what_each_gives_alone(pair):
    _, model, _ = pair
    rows_ND = vectors(model, 33)
    found_NV = np.concatenate(list(logit_changes(model, rows_ND)))
    alone_NV = np.concatenate([next(logit_changes(model, row_1D[None])) for row_1D in rows_ND])
    np.testing.assert_allclose(found_NV, alone_NV, atol=1e-5)


def test_the_final_norm_is_its_derivative_where_the_length_stays(pair):
    """A change at right angles to the row leaves its length as it is, to first order."""
    name, model, theirs = pair
    row_D, change_D = vectors(model, 2).astype(np.float64)
    if not NORMS[name]:
        assert through_final_norm(model, change_D[None], 3.0)[0] == pytest.approx(change_D)
        return
    centred_D = row_D - row_D.mean() if model.config.norm == "layer" else row_D
    change_D -= centred_D * (change_D @ centred_D) / (centred_D @ centred_D)
    norm = theirs.get_submodule(NORMS[name]).double()
    _, expected = torch.autograd.functional.jvp(
        norm, torch.tensor(row_D[None]), torch.tensor(change_D[None])
    )
    (length,) = stream_lengths(model.config, row_D[None])
    found_1D = through_final_norm(model, change_D[None], length)
    np.testing.assert_allclose(found_1D, expected.numpy(), atol=1e-5)


def test_an_encoder_writes_no_tokens(tmp_path):
    model_type, overrides = VARIANTS["bert"]
    save_tiny(tmp_path, model_type, **overrides)
    model = personascan.load_model(str(tmp_path))
    with pytest.raises(personascan.InputError, match="no unembedding, and so writes no tokens"):
        next(logit_changes(model, vectors(model)))
