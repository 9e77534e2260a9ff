"""The likelihood of statements against what torch gives of the same model."""

import dataclasses
import pathlib

import numpy as np
import pytest
import torch
from tiny_models import VARIANTS, save_tiny, save_tiny_llama
from tiny_studies import recipe, run_study, write_statements

import personascan
from personascan.models import verify
from personascan.sources.language.likelihood import log_likelihoods
from personascan.sources.language.prompts import tokenize
from personascan.sources.language.templates import PromptOptions

STATEMENTS = pathlib.Path(__file__).parents[1] / "data/statements"


@pytest.mark.parametrize("role", ["none", "system"])
def test_the_mean_over_own_tokens_is_torch_s(tmp_path, role):
    save_tiny_llama(tmp_path)
    model = personascan.load_model(str(tmp_path))
    statements = personascan.load_statements(STATEMENTS, persona="optimism", limit=4)
    found = log_likelihoods(model, statements, PromptOptions(role=role), 128)
    theirs = verify.torch_model(tmp_path)
    prompts = tokenize(model.tokenizer, statements, role, model.config.max_positions)
    for prompt, value in zip(prompts, found, strict=True):
        with torch.no_grad():
            log = torch.log_softmax(theirs(torch.tensor([prompt.ids])).logits[0].float(), -1)
        own = range(max(prompt.first, 1), prompt.last + 1)
        expected = np.mean([log[i - 1, prompt.ids[i]].item() for i in own])
        assert value == pytest.approx(expected, abs=2e-5)


def test_a_likelihood_that_is_no_number_is_refused(tmp_path):
    """In the shapes of the test above."""
    save_tiny_llama(tmp_path)
    model = personascan.load_model(str(tmp_path))
    statements = personascan.load_statements(STATEMENTS, persona="optimism", limit=4)
    params = model.params | {"embedding": np.full_like(model.params["embedding"], np.nan)}
    broken = dataclasses.replace(model, params=params)
    with pytest.raises(personascan.InputError, match=r"likelihood of statement .* is not finite"):
        log_likelihoods(broken, statements, PromptOptions(role="none"), 128)


def test_an_encoder_has_no_likelihood(tmp_path):
    model_type, overrides = VARIANTS["bert"]
    save_tiny(tmp_path, model_type, **overrides)
    model = personascan.load_model(str(tmp_path))
    statements = personascan.load_statements(STATEMENTS, persona="optimism", limit=2)
    with pytest.raises(personascan.InputError, match="no lm_head, and so no likelihood"):
        log_likelihoods(model, statements, PromptOptions(role="none"), 128)


@pytest.mark.slow
def test_a_study_sets_length_and_likelihood_beside_its_scans(tmp_path):
    """Positive statements end in another text, which length does not tell."""
    save_tiny_llama(tmp_path / "model")
    write_statements(tmp_path / "statements", ("calm",))
    config = recipe(
        tmp_path, baselines=("length", "log-likelihood"),
        scan={"places": ("resid_post 0",)}, where={"permutations": 0},
    )  # fmt: skip
    part = run_study(config).part
    assert list(part.baselines["calm"]) == ["characters", "low log-likelihood"]
    place, told = part.baselines["calm"]["low log-likelihood"]
    assert place.name == "log_likelihood"
    assert 0.0 <= told.auroc_low <= told.auroc <= told.auroc_high <= 1.0
    assert abs(part.baselines["calm"]["characters"][1].auroc - 0.5) < 0.2
    with pytest.raises(personascan.InputError, match="'colour' is unknown"):
        run_study(config | {"baselines": ("colour",)})
