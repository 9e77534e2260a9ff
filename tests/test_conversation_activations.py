"""Activations of the model's turns: means of their own tokens, and as they were written."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from tiny_conversations import (
    ASKED,
    OPTIONS,
    conversation,
    read,
    told,
)
from tiny_models import save_tiny_llama

import personascan
from personascan.models import verify
from personascan.models.tap import Kept
from personascan.sources.language import conversation_prompts
from personascan.sources.language.conversation_prompts import openings
from personascan.sources.language.conversations import Response
from personascan.sources.language.likelihood import log_likelihoods


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_tiny_llama(folder)
    return personascan.load_model(str(folder))


@pytest.fixture(scope="module")
def rows(model):
    stop = model.tokenizer.eos_token_id
    return [
        conversation("a", *told(1, False, True)),
        conversation("b", *told(2, False, False)),
        conversation("c", ASKED, response=Response((70, 71, 200, 72, stop), "", "stop")),
    ]


POSITIONS = ("last_prompt", "first_response", "mean_response", "mean_response@1")


@pytest.fixture(scope="module")
def extracted(model, rows, tmp_path_factory):
    return personascan.extract(
        model, rows, sites=("resid_post", "final_norm"), positions=("all", *POSITIONS),
        out=tmp_path_factory.mktemp("extracted") / "a", progress=False,
    )  # fmt: skip


def test_activations_are_means_of_the_turns_own_tokens(model, rows, extracted):
    assert extracted.ids == ["a", "b", "c"]
    for number, prompt in enumerate(read(model.tokenizer, rows)):
        last, first = prompt.turns[-1], prompt.turns[0]
        spans = {
            "last_prompt": (last.first - 1, last.first),
            "first_response": (last.first, last.first + 1),
            "mean_response": (last.first, last.last + 1),
            "mean_response@1": (first.first, first.last + 1),
        }
        for site in ("resid_post", "final_norm"):
            every = extracted.stacks[site, "all"][:, extracted.offsets[number] :]
            for position, span in spans.items():
                wanted = every[:, slice(*span)].astype(np.float64).mean(1)
                own = extracted.stacks[site, position][:, number]
                np.testing.assert_allclose(own, wanted, rtol=0, atol=1e-6 * np.abs(every).max())


def test_activations_are_those_of_writing_with_a_cache(model, rows, extracted):
    (opening,) = openings(model.tokenizer, rows[2:], OPTIONS, 500)
    decoder, kept = model.decoder(), Kept(jnp.zeros((1, 1), jnp.int32))

    @jax.jit
    def write(params, before_BT, written_BT):
        """The states of the last token before, and of those that are written behind it."""
        variables, start = {"params": params}, jnp.zeros(1, jnp.int32)
        cache = decoder.apply(variables, 1, 100, method="empty_cache")
        first_BTD, cache = decoder.apply(variables, before_BT, start, cache, kept, method="go_on")
        states = [first_BTD[0, -1]]
        for number in range(written_BT.shape[1]):
            token_BT, at = written_BT[:, number : number + 1], start + before_BT.shape[1] + number
            next_BTD, cache = decoder.apply(variables, token_BT, at, cache, kept, method="go_on")
            states.append(next_BTD[0, -1])
        return jnp.stack(states)

    ids = rows[2].response.ids[:-1]
    states = np.asarray(write(model.params, jnp.array([opening.ids]), jnp.array([ids])))
    wanted = dict(zip(POSITIONS, (states[0], states[1], *[states[1:].mean(0)] * 2), strict=True))
    for position, state in wanted.items():
        own = extracted.stacks["final_norm", position][0, 2]
        np.testing.assert_allclose(own, state, rtol=0, atol=1e-5)


def test_a_response_that_changes_the_rotation_is_refused(model, rows):
    config = model.config
    rope = dataclasses.replace(config.ropes[0], kind="longrope", original_positions=27)
    changed = dataclasses.replace(config, ropes=(rope,))
    prompts = read(model.tokenizer, rows[2:])
    assert prompts[0].turns[0].first <= 27 < len(prompts[0].ids)
    with pytest.raises(personascan.InputError, match=r"conversation c with .* gets there by its"):
        conversation_prompts.refuse_crossing(changed, rows[2:], prompts)
    conversation_prompts.refuse_crossing(config, rows[2:], prompts)


def test_torch_gives_the_same_activations_and_likelihoods(model, rows, extracted):
    theirs = verify.torch_model(model.path)
    places = [f"resid_post {position}" for position in POSITIONS]
    found = personascan.read_torch(theirs, model.tokenizer, rows, places, progress=False)
    for position in POSITIONS:
        wanted = extracted.stacks["resid_post", position]
        error = np.abs(found.stacks["resid_post", position] - wanted).max()
        assert error <= 1e-5 * np.abs(wanted).max()
    likelihoods = log_likelihoods(model, rows, OPTIONS, 4096)
    for prompt, likelihood in zip(read(model.tokenizer, rows), likelihoods, strict=True):
        with torch.no_grad():
            log_TV = torch.log_softmax(theirs(torch.tensor([prompt.ids])).logits[0].float(), -1)
        turn = prompt.turns[-1]
        own = [log_TV[i - 1, prompt.ids[i]].item() for i in range(turn.first, turn.last + 1)]
        assert likelihood == pytest.approx(np.mean(own), abs=2e-5)
