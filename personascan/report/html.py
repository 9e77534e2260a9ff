"""report.html: one file with its data, charts and code, that asks nothing of a network."""

import base64
import functools
import gzip
import hashlib
import json

import jinja2
import vl_convert
from markdown_it import MarkdownIt
from markupsafe import Markup

from personascan.report.charts.theme import INKS, VEGA_LITE, config
from personascan.report.pictures import ACROSS, CORNERS, PLACE, Picture, map_picture, measured
from personascan.report.sheets import Sheets

SCRIPTS = ("sheets.js", "tables.js", "pictures.js", "place.js", "page.js")  # in their order
INLINE = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link"])


def page_html(content: dict) -> str:
    """The page of a document."""
    sheets = Sheets(content["sheets"])
    maps = [map_picture(sheets, part) for part in range(len(content["parts"]))]
    across = [measured(picture, sheets) for picture in ACROSS]
    pictures = {picture.name: picture for picture in (*maps, *PLACE, *across)}
    embedded = {
        "sheets": content["sheets"],
        "charts": {name: compiled(picture) for name, picture in pictures.items()},
        "pictures": {name: picture.packed() for name, picture in pictures.items()},
        "themes": {kind: {"ink": ink, "config": config(kind)} for kind, ink in INKS.items()},
        "corners": CORNERS,
        "captions": [captions_as_text(part["captions"]) for part in content["parts"]],
    }
    code, code_hash = code_and_hash(SCRIPTS)
    return environment().get_template("page.html.j2").render(
        **{name: content[name] for name in ("title", "parts", "across", "seed", "rows")},
        pictures=pictures, shown=shown_pictures(sheets), style=Markup(source("page.css")),
        data=gzip_base64(embedded), code=Markup(code), code_hash=code_hash,
        licence=source("vega_licence.txt"),
    )  # fmt: skip


def captions_as_text(captions: dict[str, str]) -> dict[str, str]:
    """Captions as text alone: their Markdown set, then stripped."""
    return {name: Markup(INLINE.renderInline(text)).striptags() for name, text in captions.items()}


def shown_pictures(sheets: Sheets) -> set[str]:
    """The pictures across places that some part has rows for."""
    return {
        picture.name
        for picture in ACROSS
        if all(sheets.length(feed.sheet) for feed in picture.feeds.values())
    }


@functools.cache
def environment() -> jinja2.Environment:
    """Templates; whatever comes from a study is escaped."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("personascan.report"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters["inline"] = lambda text: Markup(INLINE.renderInline(text))
    made.filters["number"] = lambda value, digits: "-" if value is None else f"{value:.{digits}f}"
    return made


def source(name: str) -> str:
    """A file of the templates as it is."""
    return environment().loader.get_source(environment(), name)[0]


@functools.cache
def code_and_hash(scripts: tuple[str, ...]) -> tuple[str, str]:
    """The library and some of our scripts, and their hash as a content security policy has it."""
    code = "\n".join([library(), *map(source, scripts)])
    digest = hashlib.sha256(code.encode()).digest()
    return code, f"sha256-{base64.b64encode(digest).decode()}"


@functools.cache
def library() -> str:
    """Vega, which draws the charts, with all that it needs."""
    code = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    return code.replace("</script", "<\\/script")


def compiled(picture: Picture) -> dict:
    """The chart as Vega, so that the page need not compile it."""
    return json.loads(vega_of(json.dumps(picture.spec())))


@functools.lru_cache(maxsize=64)
def vega_of(spec: str) -> str:
    return json.dumps(vl_convert.vegalite_to_vega(spec, vl_version=VEGA_LITE))


def gzip_base64(embedded: dict) -> str:
    """JSON, compressed, in base 64. The same content gives the same text."""
    text = json.dumps(embedded, ensure_ascii=True, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
