"""Configurations of released models: read strictly, and of the known number of parameters."""

import json
import pathlib
import re

import pytest
from tiny_models import parameter_count
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from personascan.models.families import ENCODERS, FAMILIES, read_config
from personascan.models.families.keys import class_defaults
from personascan.models.families.training import is_training_key

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


# Of every family's class, and more that released files hold; the values are none of the defaults.
OF_TRAINING = {
    "attention_dropout": 0.33, "attention_probs_dropout_prob": 0.33, "attn_pdrop": 0.33,
    "classifier_dropout": 0.33, "classifier_dropout_prob": 0.33, "dropout": 0.33,
    "embd_pdrop": 0.33, "embedding_dropout": 0.33, "hidden_dropout": 0.33,
    "hidden_dropout_prob": 0.0, "qa_dropout": 0.33, "resid_pdrop": 0.33, "residual_dropout": 0.33,
    "seq_classif_dropout": 0.33, "layerdrop": 0.33, "drop_path_rate": 0.33, "dropout_rate": 0.33,
    "init_std": 0.5, "initializer_range": 0.5, "initializer_factor": 3.0,
    "router_aux_loss_coef": 0.5, "aux_loss_alpha": 0.5, "router_z_loss_coef": 0.5,
    "router_jitter_noise": 0.5, "input_jitter_noise": 0.5, "seq_aux": True, "loss_type": "x",
    "gradient_checkpointing": True, "use_gradient_checkpointing": True, "label_smoothing": 0.5,
    "output_router_logits": True,
}  # fmt: skip


@pytest.mark.parametrize("kind", FAMILIES)
def test_what_only_training_reads_may_have_any_value(kind):
    """And no family's class has a key beside these that sounds of training and is refused."""
    raw = {
        "model_type": kind, "vocab_size": 99, "hidden_size": 128, "intermediate_size": 80,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
        "ffn_dim": 80, "hidden_dim": 80, "n_embd": 128, "n_layer": 2, "n_head": 4,
        "num_local_experts": 4, "num_experts": 4, "num_experts_per_tok": 2,
        "moe_intermediate_size": 24, "embedding_size": 20, "dim": 128, "n_layers": 2, "n_heads": 4,
    }  # fmt: skip
    declared = class_defaults(CONFIG_MAPPING[kind]).keys()
    raw = {k: v for k, v in raw.items() if k in declared | {"model_type"}}
    config = read_config(raw, kind)
    for key, value in OF_TRAINING.items():
        assert read_config(raw | {key: value}, kind) == config, key
    sounding = {key for key in declared if re.search("drop|init|loss|aux|jitter|checkpoint", key)}
    assert sounding <= OF_TRAINING.keys() | {"summary_first_dropout"}


def test_what_sounds_like_training_alone_may_be_more():
    for key in ("dropout_free_width", "glossary", "drop_layers", "init_values", "logit_scale"):
        assert not is_training_key(key)
