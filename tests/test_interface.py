"""The public names: as they are imported, as editors see them, and what is said of others."""

import ast
import importlib
import inspect
import pathlib
import re
import subprocess
import sys
import textwrap

import pytest

import personascan

ROOT = pathlib.Path(__file__).parents[1]
SOURCE = pathlib.Path(personascan.__file__)


def test_editors_see_the_names_that_are_imported():
    """The imports that only type checkers read are those of the lazy table, each as itself."""
    (block,) = (
        node
        for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {}
    for line in block.body:
        (name,) = line.names
        assert name.asname == name.name
        seen[name.name] = line.module
    assert seen == {name: f"personascan.{home}" for name, home in personascan.HOME.items()}
    assert SOURCE.with_name("py.typed").exists()


def test_every_public_name_is_where_the_table_says_and_is_described():
    assert list(personascan.HOME) == personascan.__all__ == sorted(personascan.HOME)
    for name, home in personascan.HOME.items():
        thing = getattr(importlib.import_module(f"personascan.{home}"), name)
        assert getattr(personascan, name) is thing
        assert thing.__module__ == f"personascan.{home}", name
        assert inspect.getdoc(thing), name


@pytest.mark.parametrize("name", [n for n in personascan.HOME if n[0].islower()])
def test_a_public_function_names_the_type_of_everything_it_takes(name):
    signature = inspect.signature(getattr(personascan, name))
    assert signature.return_annotation is not inspect.Signature.empty
    untyped = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
    assert not untyped


def test_signatures_name_arrays_in_a_word():
    shown = str(inspect.signature(personascan.locate))
    assert "positive: numpy.typing.ArrayLike | " in shown
    assert len(shown) < 700


def test_dir_lists_the_public_names_alone():
    assert {n for n in dir(personascan) if not n.startswith("__")} == set(personascan.HOME)


def test_a_name_that_is_none_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'personascan' has no attribute 'extrct'"):
        personascan.extrct  # noqa: B018
    assert not hasattr(personascan, "whole_file")


def test_a_missing_dependency_is_named_as_such():
    """And not taken for a name that personascan lacks: sys.modules says None of what is absent."""
    code = """if True:
        import sys
        sys.modules["jax"] = None
        import personascan
        personascan.device_mesh
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: import of jax"), done.stderr
    assert "has no attribute" not in done.stderr


def test_nothing_heavy_is_imported_before_it_is_used():
    code = "import sys, personascan; print({'jax', 'transformers', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_examples_of_the_readme_are_those_that_type_checkers_read():
    """But for the recipe, which is a file of its own (tests/test_recipes.py)."""
    typed = (ROOT / "tests/typed/readme.py").read_text(encoding="utf-8")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    examples = [b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "torch" not in b]
    assert examples
    for example in examples:
        body = re.sub(r"^import .*\n", "", example, flags=re.MULTILINE).strip("\n")
        assert textwrap.indent(body, "    ") in typed, f"write this into tests/typed:\n{body}"


def test_every_public_function_is_used_in_front_of_the_type_checkers():
    typed = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/typed/*.py"))
    assert not [n for n in personascan.HOME if not re.search(rf"\b{n}\b", typed)]


def test_notebooks_need_public_names_alone():
    for path in (ROOT / "docs/notebooks").glob("*.ipynb"):
        assert not re.findall(r"from personascan\.\S+ import", path.read_text(encoding="utf-8"))
