"""The recipe of a study that is given by --statements, --model and --out alone."""

from ml_collections import ConfigDict

import personascan


def get_config() -> ConfigDict:
    """Returns every field with its default; the command fills in these three."""
    return ConfigDict(personascan.recipe(models=("MODEL",), statements="FILE", out="OUT"))
