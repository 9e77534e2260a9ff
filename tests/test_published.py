"""Configurations of released models: read strictly, and of the known number of parameters."""

import json
import pathlib

import pytest

from personascan.models.checkpoint import parameter_count
from personascan.models.families import ENCODERS, FAMILIES, read_config

PUBLISHED = json.loads(
    (pathlib.Path(__file__).parent / "published/configs.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_parameters_are_as_many_as_published(name):
    """Shapes only: nothing of that size is made."""
    config = read_config(PUBLISHED[name]["config"], name)
    assert parameter_count(config) == PUBLISHED[name]["parameters"]


def test_every_family_of_decoders_is_among_them():
    """Encoders are small enough to be loaded whole: test_parity.py and test_encoders.py do."""
    published = {model["config"]["model_type"] for model in PUBLISHED.values()}
    assert published == set(FAMILIES) - set(ENCODERS)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_key_more_is_refused_by_name(name):
    from personascan import InputError

    with pytest.raises(InputError, match="the key 'attention_twist'"):
        read_config(PUBLISHED[name]["config"] | {"attention_twist": 1}, name)


@pytest.mark.parametrize(
    ("scaling", "longest"),
    [
        ({"type": "dynamic", "factor": 2.0}, 8192),
        ({"type": "linear", "factor": 4.0}, 16384),
        ({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048}, 8192),
        (None, 4096),
    ],
)
def test_scaled_rotations_reach_further(scaling, longest):
    config = PUBLISHED["meta-llama/Llama-2-7b-hf"]["config"] | {"rope_scaling": scaling}
    assert read_config(config, "x").max_positions == longest


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("meta-llama/Llama-2-7b-hf", {"rotary_pct": 0.5}, "the key 'rotary_pct'"),
        ("meta-llama/Llama-2-7b-hf", {"partial_rotary_factor": 0.5}, "not handled for llama"),
        ("meta-llama/Llama-2-7b-hf", {"rope_local_base_freq": 1e4}, "'rope_local_base_freq'"),
        ("google/gemma-2-2b-it", {"sliding_window_pattern": 3}, "'sliding_window_pattern'"),
        ("google/gemma-2-2b-it", {"sliding_window_pattern": 2}, None),
        ("google/gemma-3-1b-it", {"sliding_window_pattern": 4}, None),
        ("google/gemma-3-1b-it", {"_sliding_window_pattern": 6}, None),
        ("google/gemma-3-1b-it", {"attn_logit_softcapping": 2.0}, "attn_logit_softcapping = 2.0"),
        ("CohereForAI/c4ai-command-r7b-12-2024", {"layer_switch": 3}, "layer_switch = 3"),
    ],
)
def test_a_spelling_that_transformers_would_not_use_is_refused(name, changes, message):
    from personascan import InputError

    raw = PUBLISHED[name]["config"] | changes
    if message is None:
        assert any(read_config(raw, name).windows)
    else:
        with pytest.raises(InputError, match=message):
            read_config(raw, name)
