"""Numbers that are none are refused on every path; 64 bits change nothing."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_edits import prompts_of
from tiny_writing import made

import personascan
from personascan.interventions.edits import UNEDITED, NamedEdit, add_vector
from personascan.interventions.outcomes import Margin
from personascan.interventions.passes import Reading, edited_passes, refuse_not_finite
from personascan.models import verify
from personascan.models.image import Classifier, activations, initial_params
from personascan.models.training import train_classifier
from personascan.sources.language.generate import Writing, write_tokens

PUSH = NamedEdit("random nodes", "steer", 1.0, changes={("resid_post", 1): add_vector(np.ones(48))})


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return made(tmp_path_factory.mktemp("numbers"), "llama grouped")


@pytest.fixture(scope="module")
def prompts(model):
    return prompts_of(model.config.vocab_size)


def test_no_text_is_written_by_logits_that_are_none(model, prompts):
    """One row of the embedding is damaged, which the second prompt alone reads."""
    token = next(t for t in prompts[1].ids if t not in prompts[0].ids)
    embedding = np.array(model.params["embedding"])
    embedding[token] = np.nan
    params = model.params | {"embedding": jnp.array(embedding)}
    broken = dataclasses.replace(model, params=params)
    with pytest.raises(personascan.InputError, match="behind prompt 2 of 2 are not finite"):
        write_tokens(broken, prompts, Writing(40), stop=())


def test_what_comes_of_an_edited_pass_is_a_number():
    own_NT = np.array([[True, False], [False, True], [False, False]])
    reading = Reading(np.array([4, 7, 8]), *[None] * 6, own_NT)
    made_WN2 = np.ones((2, 3, 2))
    made_WN2[:, 2] = np.nan  # a text of which nothing is looked at
    refuse_not_finite(made_WN2, reading, [UNEDITED, PUSH])
    made_WN2[1, 1, 0] = np.inf
    with pytest.raises(personascan.InputError, match=r"text 7 .*steer\); use a smaller strength"):
        refuse_not_finite(made_WN2, reading, [UNEDITED, PUSH])
    made_WN2[0, 0, 1] = np.nan
    with pytest.raises(personascan.InputError, match=r"text 4 is not finite \(the model\); use dt"):
        refuse_not_finite(made_WN2, reading, [UNEDITED, PUSH])


def test_nothing_agrees_with_what_is_not_finite():
    """NaN is never the largest of several numbers by comparison, and so was within the bound."""
    states = {"resid_post": np.ones((3, 1, 2, 4)), "final_norm": np.ones((1, 2, 4))}
    verify.refuse_not_finite(states)
    states["resid_post"][2, 0, 1] = np.nan
    with pytest.raises(personascan.InputError, match="resid_post 2 of the model is not finite"):
        verify.refuse_not_finite(states)
    zero = np.zeros((1, 2, 4))
    assert verify.token_error(zero, zero) == verify.layer_error(zero, zero) == 0
    assert verify.token_error(zero + 1, zero) == verify.layer_error(zero + 1, zero) == np.inf


def test_images_give_numbers():
    params = jax.eval_shape(lambda: initial_params(Classifier(2), 0, (8, 8)))
    params = jax.tree.map(lambda w: np.full(w.shape, np.nan, w.dtype), params)
    with pytest.raises(personascan.InputError, match="activation at conv1 is not finite"):
        activations(Classifier(2), params, np.zeros((3, 8, 8), np.float32), ("conv1",))


@pytest.mark.slow
def test_training_that_diverges_is_no_network():
    pixels_NHW, labels_N = np.full((3, 8, 8), np.nan, np.float32), np.array([0, 1, 0])
    with pytest.raises(personascan.InputError, match=r"diverged .*use a smaller learning_rate"):
        train_classifier(pixels_NHW, labels_N, epochs=1, classes=2, progress=False)


@pytest.mark.slow
def test_texts_and_edits_are_the_same_where_jax_may_use_64_bits(model, prompts):
    def found():
        texts = write_tokens(model, prompts, Writing(40), stop=())
        return texts, edited_passes(model, prompts, [UNEDITED, PUSH], Margin(5, 6))

    texts, margins = found()
    # Types as users have them: the strict ones of these tests know no sum of 32 and 64 bits.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        wide_texts, wide_margins = found()
    assert texts == wide_texts
    np.testing.assert_allclose(wide_margins, margins, rtol=1e-4)
