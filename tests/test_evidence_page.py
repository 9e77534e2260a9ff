"""The evidence of a page in a browser: its place, statements and nodes; the map; a phone."""

from dataclasses import replace

import pytest
from browser_pages import draw_all, settle, small_size
from browsers import chromium

pytest.importorskip("playwright", reason="extra `browser` is not installed")
pytestmark = pytest.mark.skipif(chromium() is None, reason="no Chromium was found")

from benchmarks.made_study import made_study  # noqa: E402
from personascan.report.document import document  # noqa: E402
from personascan.report.render import page_html  # noqa: E402

SMALL = small_size()


@pytest.fixture(scope="module")
def path(made_page):
    return made_page[1]


def test_the_place_that_the_sentence_names_is_open_with_its_statements(opened, path):
    page = opened(path)
    draw_all(page)
    said = page.inner_text(".lead li:first-child")
    name, place = page.inner_text("#place-title").split(" at ", 1)
    assert f"Most clearly {name} at {place}" in said
    assert page.is_visible("[data-picture=statements] svg")
    assert len(page.query_selector_all("#statement-table tbody tr")) == 10
    assert page.query_selector("[data-picture=volcano][data-drawn=yes]")


def test_an_address_opens_its_place(opened, path):
    page = opened(path)
    page.select_option("#comparison", label="<b>bold</b>|../$x$")
    page.select_option("#at", index=5)
    title, address = page.inner_text("#place-title"), page.url
    assert "#place=%3Cb%3Ebold%3C%2Fb%3E%7C..%2F%24x%24/" in address
    page.click("#furthest")
    assert page.url != address
    page.goto(address)  # the same file: only what follows the # is another
    page.wait_for_function(
        "title => document.getElementById('place-title').textContent === title", arg=title
    )
    card = page.locator(".card a.place").first
    card.click()
    name = page.inner_text(".card h2 >> nth=0")
    page.wait_for_function(
        "name => document.getElementById('place-title').textContent.startsWith(name)", arg=name
    )


def test_surprising_statements_come_first_and_a_stretch_is_listed(opened, path):
    page = opened(path)
    draw_all(page)
    lines = "#statement-table tbody tr"

    def rows():
        return [[c.inner_text() for c in r.query_selector_all("td")]
                for r in page.query_selector_all(lines)]  # fmt: skip

    surprise = [float(score) * (1 if side == "H0" else -1) for side, _, score, _ in rows()]
    assert surprise == sorted(surprise, reverse=True)
    assert surprise[0] > 0
    page.click("#statement-table th button:text-is('score')")
    scores = [float(row[2]) for row in rows()]
    assert scores == sorted(scores, reverse=True)
    chart = page.locator("[data-picture=statements] svg .background").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 5, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 3, y, steps=5)
    page.mouse.up()
    page.wait_for_function(
        "() => document.querySelector('#statement-table [role=status]').textContent"
        ".includes('with scores of')"
    )
    low, high = map(float, page.inner_text("#statement-table [role=status]")
                    .split("scores of ")[1].split(". ")[0].split(" to "))  # fmt: skip
    assert all(low - 0.01 <= float(row[2]) <= high + 0.01 for row in rows())
    page.fill("#statement-table input", "bold")
    assert all("bold" in row[1] for row in rows())


def test_a_node_is_opened_with_its_values(opened, path):
    page = opened(path)
    draw_all(page)
    page.click("#nodes th button:text-is('node')")
    page.click("#nodes tbody tr:nth-child(3) td button")
    settle(page)
    assert "Node 2 in every row" in page.inner_text("[data-picture=histogram] figcaption")
    assert len(page.query_selector_all("#node-high li")) == 4
    page.select_option("#at", index=0)  # where nothing of single nodes is kept
    assert not page.is_visible("#tested") or page.inner_text("#node-none")


def test_the_map_is_in_the_order_that_is_chosen(opened, path):
    page = opened(path)

    def names():
        axis = "[data-picture=map-0] .role-axis-label text"
        found = [(text.bounding_box()["y"], text.text_content())
                 for text in page.query_selector_all(axis)]  # fmt: skip
        return [name for _, name in sorted(found) if not name.isdecimal()]

    assert names() == list(SMALL.names)
    page.select_option("[data-picture=map-0] [data-choice=order]", "name")
    settle(page)
    assert names() == sorted(SMALL.names, key=str.casefold)


def test_on_a_phone_the_map_has_rows_for_layers_and_nothing_scrolls_sideways(opened, path):
    page = opened(path, viewport={"width": 390, "height": 900})
    draw_all(page)
    wide = "[...document.querySelectorAll('.sideways')].map((one) => one.dataset.picture)"
    assert page.evaluate(wide) == []
    axes = page.query_selector_all("[data-picture=map-0] .role-axis")
    titles = [axis.query_selector(".role-axis-title text") for axis in axes]
    tall = [a for a, t in zip(axes, titles, strict=True) if t and t.text_content() == "layer"]
    assert tall
    assert all(a.bounding_box()["height"] > a.bounding_box()["width"] for a in tall)


def test_the_theme_button_says_what_it_does(opened, path):
    page = opened(path)
    assert page.inner_text("#theme") == "Dark theme"
    page.click("#theme")
    assert page.inner_text("#theme") == "Light theme"


def test_where_nothing_was_permuted_the_page_shows_what_there_is(opened, tmp_path):
    study = made_study(replace(SMALL, edited=0))
    scans = {
        name: [replace(scan, tested=None, choice=None) for scan in own]
        for name, own in study.part.scans.items()
    }
    part = study.part.with_results(
        calibrations={},
        evidence={},
        scans=scans,
        validations={name: [] for name in scans},
        overlaps={},
    )
    path = tmp_path / "plain.html"
    path.write_text(page_html(document(replace(study, parts=[part]))), encoding="utf-8")
    page = opened(path)
    draw_all(page)
    assert "nothing is claimed" in page.inner_text(".lead")
    for gone in (".card", "#statements", "#special", "[data-picture=volcano]", "#statements-none"):
        assert not page.is_visible(gone), gone
    assert page.query_selector_all("#nodes tbody tr")
    assert page.is_visible("[data-picture=map-0] svg")
