"""Where Chromium is, for tests of the page."""

import functools
import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@functools.cache
def chromium() -> str | None:
    """PERSONASCAN_BROWSER, or the first that is installed; None without."""
    chosen = os.environ.get("PERSONASCAN_BROWSER")
    return chosen or next(filter(None, map(shutil.which, NAMES)), None)
