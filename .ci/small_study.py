"""Rows and a recipe of a small study in this folder, by the package that is installed here."""

import pathlib
import sys

import numpy as np

import personascan

place = pathlib.Path(personascan.__file__)
if not place.is_relative_to(sys.prefix):
    sys.exit(f"error: {place} is not the package that was installed into {sys.prefix}")
rng = np.random.default_rng(0)
positive = np.arange(80) % 2 == 0
places = {name: rng.normal(size=(80, 8)).astype(np.float32) for name in ("early", "late")}
places["late"][positive, :3] += 1.5
personascan.write_rows("rows", places, positive, groups="moods")
pathlib.Path("recipe.py").write_text(
    """
import personascan
from ml_collections import ConfigDict


def get_config():
    return ConfigDict(
        personascan.recipe(
            rows=("rows",), out="out",
            runs={"background": 10, "clean": 4, "positive": 4, "runs": 6},
            scan={"places": ("late",), "starts": "3"},
            where={"permutations": 99, "fold_permutations": 19},
            separation={"seeds": 1, "components": 2, "hull_components": 2},
        )
    )
"""
)
