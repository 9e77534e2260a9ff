"""The page in a browser: drawn, silent, alone, usable by keyboard, safe against what it shows.

Needs the extra `browser` and Chromium (Debian's package); conftest says what was left out without.
"""

import csv
import io

import pytest
from browsers import chromium

pytest.importorskip("playwright", reason="extra `browser` is not installed")
pytestmark = pytest.mark.skipif(chromium() is None, reason="no Chromium was found")

from benchmarks.made_study import Size, made_study  # noqa: E402
from personascan.report.compare import comparison_content, comparison_html  # noqa: E402
from personascan.report.document import document  # noqa: E402
from personascan.report.render import page_html  # noqa: E402

HOSTILE = (
    "<script>window.hit = 1</script>", "<img src=x onerror='window.hit = 1'>", "</script></style>",
    "{{ 7 * 7 }} ${7 * 7} %s", "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "I \U0001f600 this & \"that\"", "javascript:window.hit=1", "=HYPERLINK(\"x\")",
    "a|b **bold** `code` [link](x)", "\u202eturned",
)  # fmt: skip
SMALL = Size(
    ("calm", "<b>bold</b>|../$x$", "plain"), layers=4, sites=("resid_post", "attn_out"),
    positions=("last",), rows=40, nodes=60, permutations=19, runs=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def content():
    return document(made_study(SMALL, HOSTILE))


@pytest.fixture(scope="module")
def path(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_html(content), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser):
    """Opens pages, and sees to it that they said nothing and asked for nothing but themselves."""
    contexts, said, asked = [], [], []

    def begin(path, **options):
        context = browser.new_context(accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready=yes]")
        # What is far below the screen is drawn once it comes near.
        page.locator(".map:visible").first.scroll_into_view_if_needed()
        page.wait_for_selector(".map[data-drawn=yes]")
        return page

    yield begin
    for context in contexts:
        context.close()
    assert not said
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert len([url for url in asked if url.startswith("file:")]) == len(contexts)


def draw_all(page):
    """Every picture that is not hidden, as when a reader has scrolled through."""
    page.evaluate(
        "async () => { for (const f of personascan.pictures.drawn.keys())"
        " await personascan.pictures.draw(f) }"
    )
    settle(page)


def settle(page):
    page.evaluate(
        "() => Promise.all([...personascan.pictures.drawn.values()].map((one) => one.ready))"
        ".then(() => 0)"
    )


def figures(page):
    return [f for f in page.query_selector_all("figure.picture") if f.is_visible()]


def test_every_picture_is_drawn_with_a_sentence_of_numbers(opened, path):
    page = opened(path)
    draw_all(page)
    seen = {}
    for figure in figures(page):
        name = figure.get_attribute("data-picture")
        marks = figure.evaluate(
            "f => f.querySelectorAll('.chart .role-mark path, .chart .role-mark text,"
            " .chart .role-mark line, .chart canvas').length"
        )
        seen[name] = marks
        said = figure.query_selector("figcaption").inner_text()
        assert name == "venn" or any(c.isdigit() for c in said), (name, said)
    assert set(seen) == {
        "map-0", "null", "roc", "cloud", "frequency", "profiles", "expected", "upset", "venn",
        "validation", "effects", "doses", "specificity",
    }  # fmt: skip
    assert all(marks > 1 for marks in seen.values()), seen


def test_what_a_page_shows_is_text(opened, path):
    page = opened(path)
    draw_all(page)
    listed = page.inner_text("#most") + page.inner_text("#least")
    assert "<script>window.hit = 1</script>" in listed or "onerror='window.hit = 1'" in listed
    assert "49" not in {word for word in listed.split() if word.isdecimal()}
    page.select_option("#comparison", label="<b>bold</b>|../$x$")
    assert page.inner_text("#place-title").startswith("<b>bold</b>|../$x$ at ")
    for row in page.query_selector_all("[data-picture=cloud] .role-mark path")[:12]:
        row.hover(force=True)
    assert page.evaluate("window.hit") is None
    assert not page.query_selector("#most b, #place-title b, #tip img, #tip script")


def test_pointing_at_a_row_shows_its_text(opened, path):
    page = opened(path)
    draw_all(page)
    page.query_selector_all("[data-picture=cloud] .role-mark path")[3].hover(force=True)
    page.wait_for_selector("#tip:not([hidden])")
    assert any(text[:12] in page.inner_text("#tip") for text in HOSTILE)


def test_a_click_on_the_map_opens_the_place(opened, path):
    page = opened(path)
    before = page.inner_text("#place-title")
    tile = page.query_selector_all("[data-picture=map-0] .mark-rect.role-mark path")[3]
    tile.click(force=True)
    settle(page)
    assert page.inner_text("#place-title") != before
    assert page.inner_text("#place-title") == "calm at resid_post 3, last"
    assert "p of the place by itself" in page.inner_text("[data-picture=null] figcaption")


def test_the_map_is_coloured_by_what_is_chosen(opened, path):
    page = opened(path)

    def fills():
        tiles = page.query_selector_all("[data-picture=map-0] .mark-rect.role-mark path")
        return [tile.get_attribute("fill") for tile in tiles]

    z = fills()
    select = page.locator("[data-picture=map-0] [data-choice=shown]")
    select.select_option("auroc")
    settle(page)
    auroc = fills()
    assert len(auroc) == len(z)
    assert auroc != z
    select.select_option("z")
    settle(page)
    assert fills() == z


def test_nodes_are_sorted_filtered_and_saved(opened, path, content):
    page = opened(path)
    rows = "#nodes tbody tr"
    total = SMALL.nodes  # each in the direction of its effect
    assert f"{total} of {total}" in page.inner_text("#nodes [role=status]")
    page.click("#nodes th button:text-is('node')")
    first = [page.inner_text(f"{rows}:nth-child({i}) td:first-child") for i in (1, 2, 3)]
    assert first == ["0", "1", "2"]
    assert page.get_attribute("#nodes th:first-child", "aria-sort") == "ascending"
    page.select_option("[data-filter=direction]", "low")
    low = [one.inner_text() for one in page.query_selector_all(f"{rows} td:first-child")]
    page.fill("[data-filter=node]", f"{low[0]}, {low[1]}")
    assert len(page.query_selector_all(rows)) == 2
    with page.expect_download() as download:
        page.click("#nodes-csv")
    saved = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert [(row["node"], row["direction"]) for row in saved] == [(n, "low") for n in low[:2]]
    page.fill("[data-filter=node]", "")
    page.select_option("[data-filter=direction]", "")
    page.check("[data-filter=in_set]")
    shown = int(page.inner_text("#nodes [role=status]").split()[0])
    assert 0 < shown < total
    page.fill("[data-filter=q]", "-1")
    assert page.inner_text("#nodes [role=status]").startswith("0 of")


@pytest.mark.parametrize(("kind", "begins"), [("png", b"\x89PNG"), ("svg", b"<svg"), ("csv", b"")])
def test_pictures_are_saved(opened, path, kind, begins):
    page = opened(path)
    for name in ("map-0", "roc"):
        with page.expect_download() as download:
            page.click(f"[data-picture={name}] [data-save={kind}]")
        content = download.value.path().read_bytes()
        assert content.startswith(begins)
        assert len(content) > 100
    if kind == "csv":
        curve = list(csv.DictReader(io.StringIO(content.decode())))
        assert [curve[0]["fpr"], curve[-1]["tpr"]] == ["0", "1"]
        cells = "\r\n".join(content.decode().splitlines())
        assert "undefined" not in cells
        assert "NaN" not in cells


def test_the_keyboard_is_enough(opened, path):
    page = opened(path)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"theme", "comparison", "at", "furthest", "scan"} <= reached
    page.focus("#comparison")
    before = page.inner_text("#place-title")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#place-title") != before
    page.focus("#theme")
    page.keyboard.press("Enter")
    assert page.get_attribute("html", "data-theme") == "dark"
    page.focus("[data-picture=map-0] summary")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-picture=map-0] .numbers tbody tr")


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_axe_finds_nothing_serious(opened, path, theme, width):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(path, color_scheme=theme, viewport={"width": width, "height": 900})
    assert page.get_attribute("html", "data-theme") == theme
    draw_all(page)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for figure in figures(page):
        behind = figure.query_selector("svg").evaluate("s => getComputedStyle(s).backgroundColor")
        rect = figure.query_selector("svg > rect")
        behind = rect.evaluate("r => getComputedStyle(r).fill") if rect else behind
        assert behind == paper, figure.get_attribute("data-picture")
    found = Axe().run(page).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert not serious, [(v["id"], v["nodes"][0]["html"][:200]) for v in serious]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_paper_shows_every_picture(opened, path):
    page = opened(path, color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    settle(page)
    assert all(figure.query_selector("svg, canvas") for figure in figures(page))
    assert page.get_attribute("html", "data-theme") == "light"
    assert len(page.pdf()) > 50_000


def test_models_are_laid_over_one_another(opened, tmp_path):
    size = Size(**{**vars(SMALL), "models": ("one", "two"), "edited": 0})
    path = tmp_path / "two.html"
    path.write_text(page_html(document(made_study(size))), encoding="utf-8")
    page = opened(path)
    draw_all(page)
    legend = page.inner_text("[data-picture=profiles] .chart")
    assert {"one", "two"} <= set(legend.split())
    page.select_option("#part", "1")
    settle(page)
    assert page.is_visible("[data-picture=map-1]")
    assert not page.is_visible("[data-picture=map-0]")
    assert "`two`" not in page.inner_text("h1:visible")
    assert page.inner_text("h1:visible").endswith("in two")


def test_studies_stand_side_by_side(opened, content, tmp_path):
    other = document(made_study(SMALL, seed=1))
    path = tmp_path / "beside.html"
    made = comparison_content([(tmp_path / "a", content), (tmp_path / "b", other)])
    path.write_text(comparison_html(made), encoding="utf-8")
    page = opened(path)
    draw_all(page)
    assert page.query_selector("[data-picture=map-1][data-drawn=yes]")
    assert len(page.query_selector_all("main > section tbody tr")) == 2 * len(SMALL.names)
    assert {"a", "b"} <= set(page.inner_text("[data-picture=profiles] .chart").split())
