"""Every runtime dependency has its reason in CONTRIBUTING.md, and no other package is used."""

import ast
import importlib.metadata
import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEADING = "**Runtime dependencies.**"


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirements) -> list[str]:
    """The packages of requirements, as they are spelled."""
    return [re.match(r"[\w.-]+", requirement)[0] for requirement in requirements]


def test_each_dependency_has_its_reason():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split(HEADING)[1]
    rows = re.findall(r"^\| ([\w.-]+) \| (.+) \|$", text.split("\n\n")[1], re.MULTILINE)
    assert rows.pop(0) == ("package", "for")
    assert [name for name, _ in rows] == sorted(named(PROJECT["dependencies"]))


def imported() -> set[str]:
    """What the package imports from elsewhere, inside functions too, as distributions."""
    modules = set()
    for file in (ROOT / "personascan").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add(node.module.split(".")[0])
    modules -= {*sys.stdlib_module_names, "personascan"}
    known = importlib.metadata.packages_distributions()
    return {canonical(name) for module in modules for name in known.get(module, [module])}


def test_what_the_package_imports_is_a_dependency():
    asked = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    known = {canonical(name) for requirements in asked for name in named(requirements)}
    assert imported() <= known
