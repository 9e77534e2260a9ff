"""Edits, and prompts to make them in, for the tests."""

import dataclasses

import numpy as np

from personascan.interventions.edits import UNEDITED, NamedEdit, add_vector, project_out
from personascan.models.tap import Edit, Edits
from personascan.sources.language.prompt_tokens import Prompt


def at_every_token(site, scale_LD, shift_LD, tokens_BT) -> Edits:
    """One edit, at all layers of a site."""
    layers = np.arange(len(scale_LD), dtype=np.int32)
    edit = Edit(layers, scale_LD[:, None], shift_LD[:, None])
    edit_B = np.zeros(len(tokens_BT), np.int32)
    return Edits({site: edit}, edit_B, np.ones(np.shape(tokens_BT), bool))


def prompts_of(vocab_size, lengths=(10, 5)):
    rng = np.random.default_rng(3)
    return [Prompt(rng.integers(3, vocab_size, n).tolist(), 0, n - 1) for n in lengths]


def edited_prompts(model):
    return [
        dataclasses.replace(p, first=2, last=len(p.ids) - 3)
        for p in prompts_of(model.config.vocab_size, (10, 9, 7, 8, 10, 6, 9, 10))
    ]


def edits_of(strength=1.0):
    rng = np.random.default_rng(7)
    vectors = rng.normal(size=(3, 48)).astype(np.float32)
    changes = [
        add_vector(strength * vectors[0]), add_vector(2 * strength * vectors[1]),
        project_out(vectors[2], vectors[0]),
    ]  # fmt: skip
    return [UNEDITED] + [
        NamedEdit("w", str(n), changes={("resid_post", layer): change})
        for n, (layer, change) in enumerate(zip((0, 1, 1), changes, strict=True))
    ]
