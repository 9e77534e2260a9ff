"""Directions and what they are made of, for the tests."""

import dataclasses

import numpy as np
import pytest

from personascan.direction import Direction
from personascan.errors import InputError
from personascan.models.config import DecoderConfig
from personascan.models.decoder import SITES

CONFIG = DecoderConfig(
    vocab_size=20, layers=5, width=8, heads=2, kv_heads=1, head_dim=6, mlp_width=16,
    max_positions=32,
)  # fmt: skip
POST_NORM = dataclasses.replace(CONFIG, norms=("attn_add_norm", "mlp_add_norm"))
PARALLEL = dataclasses.replace(CONFIG, parallel=True, norms=("attn_norm",))
EXPERTS = dataclasses.replace(CONFIG, experts=4, experts_per_token=2)
ENCODER = dataclasses.replace(CONFIG, causal=False)
NAN = np.array([np.nan] * 8, np.float32)
rng = np.random.default_rng(0)
MADE_OF = {"model": "pypi:x==1", "sha256": "ab" * 32, "half": 0, "units": ["ä", None, 1.5]}


def vector(site="resid_post"):
    return rng.normal(size=CONFIG.site_shape(site)[1]).astype(np.float32)


def everywhere():
    """At every site, with awkward numbers in it."""
    shift = {(site, 0 if site == "final_norm" else 3): vector(site) for site in SITES}
    shift["resid_post", 0] = np.array([-0.0, 1e-45, 3e38, 0.1, 1, 2, 3, -7], np.float32)
    nodes = {place: np.sign(np.round(x_D)).astype(np.int8) for place, x_D in shift.items()}
    return Direction("a dänger", shift, nodes, MADE_OF)


def stream(*layers):
    return Direction("s", {("resid_post", k): vector() for k in layers or (1, 4)}, record=MADE_OF)


def refused(match, call, *args, **kwargs):
    with pytest.raises(InputError, match=match) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)


def same(one: Direction, other: Direction):
    assert (one.name, one.record) == (other.name, other.record)
    same_values(one, other)


def same_values(one: Direction, other: Direction):
    for ours, theirs in ((one.shift, other.shift), (one.nodes, other.nodes)):
        assert ours.keys() == theirs.keys()
        for place, x_D in ours.items():
            assert (x_D.dtype, x_D.shape) == (theirs[place].dtype, theirs[place].shape)
            assert x_D.tobytes() == theirs[place].tobytes()
