"""Charts as files: PNG, SVG and PDF, drawn without a display or a browser."""

import io
import json
import re

import vl_convert
from PIL import Image

from personascan.report.charts.theme import VEGA_LITE, config
from personascan.report.pictures import CORNERS, Picture, fed
from personascan.report.sheets import Sheets

SCALE = 2.0  # pixels of a PNG for each of the chart's


def filled_spec(picture: Picture, sheets: Sheets, chosen: dict) -> dict:
    """The chart as Vega-Lite with its rows, on white paper."""
    rows = {
        name: CORNERS if name == "corners" else fed(feed, sheets, chosen)
        for name, feed in picture.feeds.items()
    }
    spec = picture.spec()
    for param in spec.get("params", []):
        if param["name"] in chosen:
            param["value"] = chosen[param["name"]]
    return {**spec, "datasets": rows, "config": {**config("light"), "background": "#ffffff"}}


def as_png(spec: dict) -> bytes:
    """A chart as pixels, packed as small as they go without a change of colour."""
    drawn = Image.open(
        io.BytesIO(vl_convert.vegalite_to_png(json.dumps(spec), vl_version=VEGA_LITE, scale=SCALE))
    )
    packed = io.BytesIO()
    drawn.convert("RGB").save(packed, "PNG", optimize=True)
    return packed.getvalue()


def as_svg(spec: dict) -> str:
    return vl_convert.vegalite_to_svg(json.dumps(spec), vl_version=VEGA_LITE)


def as_pdf(spec: dict, width: float) -> bytes:
    """A chart with vectors and text, so many points wide."""
    svg = as_svg(spec)
    size = re.search(r'width="([\d.]+)" height="([\d.]+)"', svg)
    height = float(size[2]) * width / float(size[1])
    scaled = f'width="{width:.2f}" height="{height:.2f}"'
    return vl_convert.svg_to_pdf(svg.replace(size[0], scaled, 1))


def natural_width(spec: dict) -> float:
    """Of a chart, in its own units."""
    return float(re.search(r'width="([\d.]+)"', as_svg(spec))[1])
