"""Edits of every token, for the tests."""

import numpy as np

from personascan.models.tap import Edit, Edits


def at_every_token(site, scale_LD, shift_LD, tokens_BT) -> Edits:
    """One way, at all layers of a site."""
    layers = np.arange(len(scale_LD), dtype=np.int32)
    edit = Edit(layers, scale_LD[:, None], shift_LD[:, None])
    way_B = np.zeros(len(tokens_BT), np.int32)
    return Edits({site: edit}, way_B, np.ones(np.shape(tokens_BT), bool))
