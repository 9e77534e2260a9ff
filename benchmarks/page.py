"""How large a study's page is, and how soon a browser shows and answers."""

import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Iterator

import numpy as np

from benchmarks.made_study import Size, made_study
from personascan.errors import InputError
from personascan.report.document import document
from personascan.report.render import page_html

DRAWN = ".map[data-drawn=yes]"
# Opens a place as a click does, until every picture that is drawn shows it.
OPEN = """async (cell) => {
  const began = performance.now();
  personascan.pictures.page.open(cell);
  await Promise.all([...personascan.pictures.drawn.values()].map((one) => one.ready));
  return performance.now() - began;
}"""


def measure_page(personas: int, nodes: int, repeats: int) -> Iterator[dict]:
    """A line for a page of 14 personas (say) x 32 layers x 4 sites x 3 positions.

    Seconds to make it, megabytes, seconds to its first screen with the map, and milliseconds from a
    click on the map until all pictures in sight show the place. Raises InputError without the extra
    `browser` or Chromium.
    """
    names = tuple(f"persona-{i}" for i in range(personas))
    study = made_study(Size(names, nodes=nodes))
    began = time.perf_counter()
    content = document(study)
    page = page_html(content)
    made = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "report.html"
        path.write_text(page, encoding="utf-8")
        cells = np.random.default_rng(0).integers(0, personas * len(study.part.places), repeats)
        shown, answered = in_browser(path, cells.tolist(), repeats)
    yield {
        "page": f"{personas} personas x {len(study.part.places)} places x {nodes} nodes",
        "megabytes": round(len(page.encode()) / 1e6, 2), "seconds_to_make": round(made, 1),
        "seconds_to_first_screen": round(float(np.median(shown)), 2),
        "milliseconds_of_a_click": round(float(np.median(answered))),
        "slowest_click": round(max(answered)),
    }  # fmt: skip


def in_browser(path, cells: list[int], repeats: int) -> tuple[list[float], list[float]]:
    """Seconds to the first screen, and milliseconds of every click."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as error:
        raise InputError("playwright is not installed; pip install -e '.[browser]'") from error
    chromium = os.environ.get("PERSONASCAN_BROWSER") or shutil.which("chromium")
    if not chromium:
        raise InputError("no Chromium was found; install it, or set PERSONASCAN_BROWSER")
    shown, answered = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(repeats):
            page = browser.new_page()
            began = time.perf_counter()
            page.goto(path.as_uri())
            page.wait_for_selector(DRAWN, timeout=60_000)
            shown.append(time.perf_counter() - began)
            if len(shown) == repeats:
                page.evaluate("document.getElementById('place').scrollIntoView()")
                page.wait_for_timeout(500)
                answered += [page.evaluate(OPEN, cell) for cell in cells]
            page.close()
        browser.close()
    return shown, answered
