"""The page and its pictures as bytes: report.html, and charts as PNG, SVG and PDF.

report.html is one file with its data, charts and code, that asks nothing of a network. Charts are
drawn without a display or a browser.
"""

import base64
import functools
import gzip
import hashlib
import io
import json
import re

import jinja2
import vl_convert
from markdown_it import MarkdownIt
from markupsafe import Markup
from PIL import Image

from personascan.report.charts.theme import INKS, VEGA_LITE, config
from personascan.report.pictures import (
    ACROSS,
    CORNERS,
    PLACE,
    Picture,
    feed_rows,
    map_picture,
    sentence,
    with_measures,
)
from personascan.report.sheets.columns import Sheets

SCRIPTS = ("sheets.js", "tables.js", "pictures.js", "place.js", "page.js")  # in their order
INLINE = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link"])
SCALE = 2.0  # pixels of a PNG for each of the chart's
POINTS_PER_MM = 72 / 25.4
COLUMN_MM, PAGE_MM = 85.0, 178.0  # of one and of two columns
CAPTIONS = "captions.md"
SMALL_UNITS = 520  # wider charts take two columns


def page_html(content: dict) -> str:
    """Returns the page of a document."""
    sheets = Sheets(content["sheets"])
    maps = [map_picture(sheets, part) for part in range(len(content["parts"]))]
    across = [with_measures(picture, sheets) for picture in ACROSS]
    pictures = {picture.name: picture for picture in (*maps, *PLACE, *across)}
    return page_of(
        "page.html.j2", SCRIPTS, pictures, content["sheets"],
        {"captions": [captions_as_text(part["captions"]) for part in content["parts"]]},
        **{name: content[name] for name in ("title", "parts", "across", "seed", "rows")},
        shown=shown_pictures(sheets),
    )  # fmt: skip


def page_of(
    template: str, scripts: tuple, pictures: dict[str, Picture], sheets: dict, more: dict, **words
) -> str:
    """Returns a page by a template, with its pictures, their data and the code that draws them."""
    embedded = {
        "sheets": sheets,
        "charts": {name: vega_chart(picture) for name, picture in pictures.items()},
        "pictures": {name: picture.packed() for name, picture in pictures.items()},
        "themes": {kind: {"ink": ink, "config": config(kind)} for kind, ink in INKS.items()},
        "corners": CORNERS,
        **more,
    }
    code, code_hash = code_and_hash(scripts)
    return environment().get_template(template).render(
        **words, pictures=pictures, style=Markup(source("page.css")), data=gzip_base64(embedded),
        code=Markup(code), code_hash=code_hash, licence=source("vega_licence.txt"),
    )  # fmt: skip


def captions_as_text(captions: dict[str, str]) -> dict[str, str]:
    """Returns captions as plain text: their Markdown is rendered, and its tags are stripped."""
    return {name: Markup(INLINE.renderInline(text)).striptags() for name, text in captions.items()}


def shown_pictures(sheets: Sheets) -> set[str]:
    """Returns the pictures across places that some part has rows for."""
    return {
        picture.name
        for picture in ACROSS
        if all(sheets.length(feed.sheet) for feed in picture.feeds.values())
    }


@functools.cache
def environment() -> jinja2.Environment:
    """Returns the templates, which escape all content of a study."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("personascan.report"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    templates.filters["inline"] = lambda text: Markup(INLINE.renderInline(text))
    templates.filters["number"] = lambda value, digits: (
        "-" if value is None else f"{value:.{digits}f}"
    )
    return templates


def source(name: str) -> str:
    """Returns a file of the templates as it is."""
    return environment().loader.get_source(environment(), name)[0]


@functools.cache
def code_and_hash(scripts: tuple[str, ...]) -> tuple[str, str]:
    """Returns the library with some of our scripts, and the hash for a content security policy."""
    code = "\n".join([library(), *map(source, scripts)])
    digest = hashlib.sha256(code.encode()).digest()
    return code, f"sha256-{base64.b64encode(digest).decode()}"


@functools.cache
def library() -> str:
    """Returns Vega, which draws the charts, with all that it needs."""
    code = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    return code.replace("</script", "<\\/script")


def vega_chart(picture: Picture) -> dict:
    """Returns the chart as Vega, so that the page need not compile it."""
    return json.loads(vega_of(json.dumps(picture.spec())))


@functools.lru_cache(maxsize=64)
def vega_of(spec: str) -> str:
    return json.dumps(vl_convert.vegalite_to_vega(spec, vl_version=VEGA_LITE))


def gzip_base64(embedded: dict) -> str:
    """Returns JSON, compressed, in base 64. The same content gives the same text."""
    text = json.dumps(embedded, ensure_ascii=True, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def filled_spec(picture: Picture, sheets: Sheets, chosen: dict) -> dict:
    """Returns the chart as Vega-Lite with its rows, on white paper."""
    rows = {
        name: CORNERS if name == "corners" else feed_rows(feed, sheets, chosen)
        for name, feed in picture.feeds.items()
    }
    spec = picture.spec()
    for param in spec.get("params", []):
        if param["name"] in chosen:
            param["value"] = chosen[param["name"]]
    return {**spec, "datasets": rows, "config": {**config("light"), "background": "#ffffff"}}


def as_png(spec: dict) -> bytes:
    """Returns a chart as PNG, compressed without loss."""
    drawn = Image.open(
        io.BytesIO(vl_convert.vegalite_to_png(json.dumps(spec), vl_version=VEGA_LITE, scale=SCALE))
    )
    packed = io.BytesIO()
    drawn.convert("RGB").save(packed, "PNG", optimize=True)
    return packed.getvalue()


def as_svg(spec: dict) -> str:
    return vl_convert.vegalite_to_svg(json.dumps(spec), vl_version=VEGA_LITE)


def as_pdf(spec: dict, width: float) -> bytes:
    """Returns a chart as PDF with vectors and text; `width` is in points."""
    svg = as_svg(spec)
    size = re.search(r'width="([\d.]+)" height="([\d.]+)"', svg)
    height = float(size[2]) * width / float(size[1])
    scaled = f'width="{width:.2f}" height="{height:.2f}"'
    return vl_convert.svg_to_pdf(svg.replace(size[0], scaled, 1))


def natural_width(spec: dict) -> float:
    """Returns the width of a chart in its own units."""
    return float(re.search(r'width="([\d.]+)"', as_svg(spec))[1])


def picture_files(content: dict, kind: str) -> dict[str, bytes]:
    """Returns a PDF or PNG by name for each picture with rows, and captions.md."""
    drawn = {"pdf": column_pdf, "png": as_png}[kind]
    sheets, files, captions = Sheets(content["sheets"]), {}, ["# Captions\n"]
    for part in range(len(content["parts"])):
        before = f"{part}-" if len(content["parts"]) > 1 else ""
        for picture, chosen in chosen_pictures(sheets, part):
            spec = filled_spec(picture, sheets, chosen)
            if not all(spec["datasets"].values()):
                continue
            name = f"{before}{picture.name.split('-')[0]}.{kind}"
            files[name] = drawn(spec)
            own = content["parts"][part]["captions"].get(picture.name.split("-")[0])
            said = own or sentence(picture, sheets, chosen)
            captions.append(f"- `{name}`: {picture.title}. {said}".rstrip())
    return {**files, CAPTIONS: ("\n".join(captions) + "\n").encode()}


def chosen_pictures(sheets: Sheets, part: int) -> list[tuple[Picture, dict]]:
    """Returns every picture of a part with its choices: the clearest comparison's best place."""
    chosen = first_choices(sheets, part)
    across = [with_measures(picture, sheets) for picture in ACROSS]
    profiles = next(picture for picture in across if picture.name == "profiles")
    ((measure, words), *_) = profiles.choices[0].options
    chosen |= {"measure": measure, "measured": words}
    return [(picture, chosen) for picture in (map_picture(sheets, part), *PLACE, *across)]


def first_choices(sheets: Sheets, part: int) -> dict:
    """Returns the choices with which the page of a part opens."""
    compared = sheets.rows("comparisons", {"part": part})
    best = max(compared, key=lambda row: -1 if row["best_z"] is None else row["best_z"])
    cell = best["furthest"]
    parts = sheets.every("parts")
    level = parts[part]["level"]

    def first(sheet: str, column: str, default=-1, **where):
        rows = sheets.rows(sheet, {"part": part})
        fitting = [r[column] for r in rows if all(r[k] == v for k, v in where.items())]
        return fitting[0] if fitting else default

    return {
        "part": part, "level": level, "cell": cell, "here": -1,
        "scan": first("scans", "scan", cell=cell), "cloud": first("clouds", "cloud", cell=cell),
        "shared": first("shared", "shared"), "edit": first("edits", "edit"),
        "act": first("acts", "act", ""), "several": [p["level"] for p in parts].count(level) > 1,
    }  # fmt: skip


def column_pdf(spec: dict) -> bytes:
    """Returns a chart as PDF, as wide as one column, or as two where it is wide."""
    millimetres = COLUMN_MM if natural_width(spec) <= SMALL_UNITS else PAGE_MM
    return as_pdf(spec, millimetres * POINTS_PER_MM)
