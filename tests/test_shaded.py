"""Shaded texts in a browser: readable in both themes, on a phone, and safe whatever they hold."""

import dataclasses
import re

import numpy as np
import pytest
from browsers import chromium

pytest.importorskip("playwright", reason="extra `browser` is not installed")
pytestmark = pytest.mark.skipif(chromium() is None, reason="no Chromium was found")

from benchmarks.made_study import Size, made_study  # noqa: E402
from personascan.places import Place  # noqa: E402
from personascan.report.document import document, without_texts  # noqa: E402
from personascan.report.render import page_html  # noqa: E402
from personascan.study.stages.promoted import Promoted, TokenList  # noqa: E402
from personascan.study.stages.tokens import ShadedStatement, ShadedStatements  # noqa: E402

SMALL = Size(
    ("calm", "<b>bold</b>|../$x$"), layers=3, sites=("resid_post",), positions=("last",), rows=40,
    nodes=30, permutations=19, runs=8,
)  # fmt: skip
PIECES = (
    "<s>", "I", " am", " <script>window.hit = 1</script>", "", " \u202e", " \u05e9\u05dc", "&amp;",
    " `a` **b** [c](d)", "\n", " {{ 7 }}", ".", "</s>",
)  # fmt: skip
PLACE = Place("resid_post", 2, "last")


def shaded(name: str) -> ShadedStatements:
    values = np.linspace(-4, 4, len(PIECES))
    statements = [
        ShadedStatement(
            f"{name}{i}", i % 2 == 0, i < 4, float(i), 1, len(PIECES) - 2, PIECES, values
        )
        for i in range(8)
    ]
    agreement = 0.5 if name == "calm" else np.nan
    return ShadedStatements(PLACE, 0.9, 0.8, 0.95, agreement, tuple(statements))


def token_lists() -> Promoted:
    chance = {kind: np.linspace(3, 5, 99) for kind in ("random", "shuffled")}
    z = np.array([6.0, 4.0, 2.0])
    ends = {
        end: TokenList(
            (1, 2, 3), (" a|b", "`", "<b>"), tuple(sign * z / 10), tuple(sign * z), chance
        )
        for end, sign in (("promoted", 1), ("suppressed", -1))
    }
    return Promoted(PLACE, ends)


@pytest.fixture(scope="module")
def content():
    study = made_study(SMALL)
    parts = [
        part.with_results(
            tokens={name: shaded(name) for name in SMALL.names},
            promoted={name: token_lists() for name in SMALL.names},
        )
        for part in study.parts
    ]
    return document(dataclasses.replace(study, parts=parts))


@pytest.fixture(scope="module")
def opened(content, tmp_path_factory):
    from playwright.sync_api import sync_playwright

    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_html(content), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])

        def begin(**options):
            page = browser.new_page(**options)
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready=yes]")
            return page

        yield begin
        browser.close()


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_axe_finds_nothing_serious_in_shaded_texts(opened, theme, width):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(color_scheme=theme, viewport={"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('.shaded').forEach((d) => { d.open = true; })")
    found = Axe().run(page, context=".shaded").response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    assert not serious, [(v["id"], v["nodes"][0]["html"][:200]) for v in serious]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("window.hit") is None
    page.close()


def test_words_have_their_numbers_and_shades(opened):
    page = opened()
    assert page.locator("details.shaded").count() == 2
    assert page.locator("details.shaded[open] summary").inner_text().startswith("calm at")
    text = page.locator("details.shaded[open] li").first
    assert text.locator("b").inner_text() == "H0 +1.0"
    spans = [
        (one.text_content(), one.get_attribute("title"), one.get_attribute("class"))
        for one in text.locator("span").all()
    ]
    assert spans[0] == ("I", "-3.3", "n4")
    assert spans[1] == (" am", "-2.7", "n4")
    assert spans[-1] == (".", "+3.3", "p4")
    assert len(spans) == len(PIECES) - 3  # less the two around it, and the one without text
    colours = [
        page.evaluate(
            f"getComputedStyle(document.querySelector('.shaded .{name}')).backgroundColor"
        )
        for name in ("n4", "n1", "p1", "p4")
    ]
    assert len(set(colours)) == 4
    page.close()


def test_without_texts_no_word_is_left(content):
    page = page_html(without_texts(content))
    assert "window.hit" in page_html(content)
    assert "window.hit" not in page
    assert 'class="shaded"' not in page


def test_lists_stand_beside_chance(content):
    section = content["parts"][0]["placed"]["nodes"]
    words = section["blocks"][2]["text"]
    assert re.search(
        r"4 of 4 lists have a p of 0\.05 or less .* \(about 0\.2 would by chance\)", words
    )
    header, rows = section["blocks"][3]["header"], section["blocks"][3]["rows"]
    row = dict(zip(header, rows[0], strict=True))
    assert row["tokens (logits per deviation)"] == "` a|b` +0.60, `` ` `` +0.40, `<b>` +0.20"
    assert [row["largest z"], row["random, 95%"], row["p"]] == ["6.0", "4.9", "0.010"]
