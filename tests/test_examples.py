"""The README's Python runs as it is pasted, and prints what the README says."""

import contextlib
import io
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
BLOCK = re.compile(r"```python\n(?P<code>.*?)```(\n\n```text\n(?P<printed>.*?)```)?", re.DOTALL)


def examples(page: str) -> list[tuple[str, str | None]]:
    """Returns each block of Python of a page, and what the page says that it prints."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(block["code"], block["printed"]) for block in BLOCK.finditer(text)]


def run_examples(page: str, blocks: list[tuple[str, str | None]]) -> None:
    """Runs blocks one after the other, and compares what they print but for line ends."""
    names = {}
    for code, expected in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, page, "exec"), names)
        if expected is not None:
            assert printed.getvalue().split() == expected.split(), printed.getvalue()


@pytest.mark.parametrize("page", ["README.md", "docs/locate.md", "docs/scan.md"])
def test_an_example_that_makes_its_own_arrays_runs_by_itself(page):
    blocks = [block for block in examples(page) if "default_rng(" in block[0]]
    assert blocks
    for block in blocks:
        run_examples(page, [block])


@pytest.mark.slow
def test_the_readme_runs_from_its_first_block_to_its_last(tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    run_examples("README.md", examples("README.md"))
    assert (tmp_path / "out/rows_study/report.html").exists()
