"""Pages in a browser: fixtures that make and open them, and what tests do with them."""

import functools

import pytest
from browsers import chromium

HOSTILE = (
    "<script>window.hit = 1</script>", "<img src=x onerror='window.hit = 1'>", "</script></style>",
    "{{ 7 * 7 }} ${7 * 7} %s", "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "I \U0001f600 this & \"that\"", "javascript:window.hit=1", "=HYPERLINK(\"x\")",
    "a|b **bold** `code` [link](x)", "\u202eturned",
)  # fmt: skip


@functools.cache
def small_size():
    """A study that is small enough to be drawn many times."""
    from benchmarks.made_study import Size

    return Size(
        ("calm", "<b>bold</b>|../$x$", "plain"), layers=4, sites=("resid_post", "attn_out"),
        positions=("last",), rows=40, nodes=60, permutations=19, runs=8,
    )  # fmt: skip


@pytest.fixture(scope="session")
def made_page(tmp_path_factory):
    """The document and the page of a made study whose statements are hostile."""
    from benchmarks.made_study import made_study
    from personascan.report.document import document
    from personascan.report.render import page_html

    content = document(made_study(small_size(), HOSTILE))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_html(content), encoding="utf-8")
    return content, path


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
    assert not said, said
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert len([url for url in asked if url.startswith("file:")]) == len(contexts)


def draw_all(page):
    """Every picture that is not hidden, as when a reader has unfolded and scrolled through."""
    page.evaluate("for (const one of document.querySelectorAll('details.fold')) one.open = true")
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
