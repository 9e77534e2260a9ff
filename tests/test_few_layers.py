"""Pictures of one to three layers: tiles as wide as their names, ticks that can be told apart."""

import re

import pytest

from personascan.report.charts.across import profiles
from personascan.report.charts.places import map_of_places
from personascan.report.charts.theme import to_vega_lite
from personascan.report.render import as_svg


def svg_of(chart, name, rows):
    return as_svg({**to_vega_lite(chart), "datasets": {name: rows}})


@pytest.mark.parametrize(("layers", "width"), [(1, 48), (2, 48), (3, 48), (4, 26)])
def test_tiles_of_few_layers_are_as_wide_as_the_names_of_layers(layers, width):
    names = [str(10 * k) for k in range(1, layers + 1)]
    rows = [
        {"layer": one, "comparison": "calm", "of": 0, "line": "net", "z": 1.0, "p_family": None,
         "kept": 0, "cell": k}
        for k, one in enumerate(names)
    ]  # fmt: skip
    chart = map_of_places([{"line": "net", "layers": names}], 1, {"z": "z"})
    svg = svg_of(chart, "cells", rows)
    tiles = re.findall(r'<path aria-label="[^"]*" role="graphics-symbol"[^>]*d="M[^h]*h(\d+)', svg)
    assert [int(one) for one in tiles] == [width] * layers
    assert all(f">{name}</text>" in svg for name in names)


def test_depths_of_few_layers_have_few_ticks():
    """Two layers at 0.34 and 0.69 had nine, whose last two ran into each other."""
    row = {"comparison": "calm", "of": 0, "model": "m", "line": "l", "place": "p", "p_family": 1}
    rows = [row | {"z": 1.0 + depth, "depth": depth} for depth in (0.345, 0.69)]
    svg = svg_of(profiles(), "profiles", rows)
    shown = re.findall(r">(\d\.\d)</text>", svg)
    assert [one for one in ("0.0", "0.2", "0.4", "0.6", "0.8", "1.0") if one not in shown] == []
    assert not re.search(r">0\.\d\d</text>", svg)
