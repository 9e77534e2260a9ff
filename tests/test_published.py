"""Configurations of released models: read strictly, and of the known number of parameters."""

import json
import pathlib

import pytest

from personascan.models.checkpoint import parameter_count
from personascan.models.families import FAMILIES, read_config

PUBLISHED = json.loads(
    (pathlib.Path(__file__).parent / "published/configs.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_parameters_are_as_many_as_published(name):
    """Shapes only: nothing of that size is made."""
    config = read_config(PUBLISHED[name]["config"], name)
    assert parameter_count(config) == PUBLISHED[name]["parameters"]


def test_every_family_is_among_them():
    assert {model["config"]["model_type"] for model in PUBLISHED.values()} == set(FAMILIES)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_key_more_is_refused_by_name(name):
    from personascan import InputError

    with pytest.raises(InputError, match="the key 'attention_twist'"):
        read_config(PUBLISHED[name]["config"] | {"attention_twist": 1}, name)
