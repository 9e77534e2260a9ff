"""What pages say of files and names is so: every `file.py`, `file.py: name` and link is there."""

import ast
import importlib.util
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = ("", "personascan/", *(f"personascan/{name}/" for name in ("scan", "calibration")))
POINTER = re.compile(
    r"(?<![\w./*-])(?P<file>[\w./-]*\w\.py)\b(?:: (?P<name>\w+))?(?=[`)\s,;:]|$)", re.M
)


def found_files(file: str, page: pathlib.Path) -> list[pathlib.Path]:
    """The file that a page means: from the root, the package, the page, or by its own name."""
    places = [ROOT / f"{folder}{file}" for folder in FOLDERS] + [page.parent / file]
    named = [] if "/" in file else [
        path for top in ("personascan", "configs", "scripts") for path in (ROOT / top).rglob(file)
    ]  # fmt: skip
    return [path for path in [*places, *named] if path.is_file()]


def names_in(path: pathlib.Path) -> set[str]:
    """What a module defines at its top."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {
                n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)
            }
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_and_names_that_a_page_points_to_are_there(page):
    wrong = []
    for pointer in POINTER.finditer(page.read_text(encoding="utf-8")):
        files = found_files(pointer["file"], page)
        if not files or (pointer["name"] and pointer["name"] not in names_in(files[0])):
            wrong.append(pointer[0])
    assert not wrong


def test_pointers_are_seen():
    text = "`scan/tails.py: Tail`, `scores.py`, [x](configs/demo.py), scripts/study.py --config=x"
    assert [(m["file"], m["name"]) for m in POINTER.finditer(text)] == [
        ("scan/tails.py", "Tail"), ("scores.py", None), ("configs/demo.py", None),
        ("scripts/study.py", None),
    ]  # fmt: skip


def test_the_glossary_is_linked():
    for page in ("README.md", "CONTRIBUTING.md"):
        assert "docs/glossary.md" in (ROOT / page).read_text(encoding="utf-8")


def links(page: pathlib.Path) -> list[tuple[str, str]]:
    """The relative links of a page outside of its code: file ("" for the page) and heading."""
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)", text)


def headings(page: pathlib.Path) -> set[str]:
    """The names that forges and the site give to a page's headings."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_a_page_lead_to_files_and_headings_of_the_repository(page):
    wrong = []
    for file, heading in links(page):
        target = (page.parent / file) if file else page
        if not target.exists() or (heading and heading not in headings(target)):
            wrong.append((file, heading))
    assert not wrong


def test_files_from_above_are_pages_of_the_site_with_links_from_there():
    path = ROOT / "docs/_site/pages.py"
    spec = importlib.util.spec_from_file_location("pages", path)
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    shown = {
        above: pages.as_in_the_site(page.read_text(encoding="utf-8"), page)
        for above, page in pages.PAGE_OF.items()
    }
    readme = shown[ROOT / "README.md"]
    assert readme.startswith("# personascan")
    assert "](glossary.md)" in readme
    assert "](contributing.md)" in readme
    assert "(docs/" not in readme
    assert "](../configs/own_network.py)" in pages.as_in_the_site(
        "[x](../configs/own_network.py)", ROOT / "docs/studies.md"
    )
    assert all(text.startswith("# ") for text in shown.values())
