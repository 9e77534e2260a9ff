"""What pages say of files and names is so: every `file.py` and `file.py: name` is there."""

import ast
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
