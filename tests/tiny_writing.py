"""Texts of tiny models, and what Transformers on torch goes on with, for the tests."""

import numpy as np
import torch
from tiny_models import VARIANTS, save_tiny

import personascan
from personascan.models import verify
from personascan.sources.language.generate import Writing

SAMPLED = Writing(30, temperature=1.2, top_k=40, top_p=0.9, seed=5)


def made(folder, name, **more):
    """Our model of a row of the parity test."""
    kind, overrides = VARIANTS[name]
    save_tiny(folder, kind, **overrides | more)
    return personascan.load_model(str(folder))


def made_pair(folder):
    """(ours, theirs) of a tiny model of heads wider than the stream."""
    return made(folder, "llama grouped"), verify.torch_model(folder)


def theirs_greedy(model, prompt, new_tokens):
    """What Transformers itself generates, token after token."""
    found = model.generate(
        torch.tensor([prompt.ids]), attention_mask=torch.ones(1, len(prompt.ids), dtype=torch.long),
        max_new_tokens=new_tokens, min_new_tokens=new_tokens, do_sample=False, eos_token_id=None,
        pad_token_id=0,
    )  # fmt: skip
    return found[0, len(prompt.ids) :].tolist()


def theirs_behind(model, prompt, new):
    """The likeliest token at each place of a text, in one pass of Transformers over all of it.

    These are the text's own tokens where, and only where, it is what Transformers writes greedily.
    """
    with torch.no_grad():
        logits_1TV = model(torch.tensor([[*prompt.ids, *new[:-1]]])).logits
    return logits_1TV[0, len(prompt.ids) - 1 :].argmax(dim=-1).tolist()


def theirs_logits(model, ids):
    """[V] float64: of the token behind some."""
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0, -1].numpy().astype(np.float64)
