"""Are the lower bounds in pyproject.toml true? Installs exactly those and runs a part of the tests.

    python3.11 scripts/check_bounds.py

In a fresh environment: the lowest version of every dependency and of the extras `test` and `lint`,
whatever pip takes for the rest; then the linters and the tests below, which use each of them, but
for the type checkers: they read what NumPy says of its types, which older releases say in part.
About six minutes on one core; takes Python 3.11, the oldest. Exit code 1, and what failed in the
last line.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Fast ones, and those that told a release that is too old: of Transformers (Gemma 2), jax (SmolLM2
# above the bound), gguf (no SmolLM3) and orbax-checkpoint (no kept conversions).
TESTS = [
    "test_analysis.py",
    "test_checkpoint.py",
    "test_files.py",
    "test_folder_tokenizers.py",
    "test_gguf_models.py::test_a_file_has_the_numbers_of_its_model[smollm3]",
    "test_gguf_tokenizers.py",
    "test_golden.py",
    "test_hub.py",
    "test_loading.py",
    "test_notebooks.py",
    "test_order.py",
    "test_parity.py::test_a_short_prompt[gemma2]",
    "test_parity.py::test_a_short_prompt[gpt_neox]",
    "test_parity.py::test_smollm2_padded_in_a_batch",
    "test_prompts.py",
    "test_properties.py::test_duplicating_every_node_doubles_the_score",
    "test_scripts.py::test_a_study_is_planned_as_well",
    "test_study.py",
    "test_towers.py",
]
# An old release may use what a newer one of its own dependencies deprecates; the project does not.
PYTEST = ["-m", "pytest", "-n", "1", "-W", "default::DeprecationWarning"]
SLOW = "--deselect=tests/test_loading.py::test_eight_devices_give_the_answer_of_one"


def lowest(project: dict) -> list[str]:
    """The lower bounds as the one version; exits if a package has two of them."""
    extras = project["optional-dependencies"]
    bounds: dict[str, set[str]] = {}
    for requirement in sum(extras.values(), project["dependencies"]):
        bounds.setdefault(re.split(r"[\[>=]", requirement)[0], set()).add(
            requirement.split("=")[-1]
        )
    if two := [name for name, versions in bounds.items() if len(versions) > 1]:
        sys.exit(f"more than one lower bound of {', '.join(two)}")
    wanted = project["dependencies"] + extras["test"] + extras["lint"]
    return sorted({requirement.replace(">=", "==") for requirement in wanted})


def main() -> None:
    if "--help" in sys.argv:
        sys.exit(print(__doc__))
    wanted = lowest(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])
    with tempfile.TemporaryDirectory() as folder:
        python = f"{folder}/bin/python"
        install = [python, "-m", "pip", "install", "-q"]
        for command in (
            [sys.executable, "-m", "venv", folder],
            [*install, *wanted],
            [*install, "--no-deps", "-e", "."],
            [python, "-m", "pip", "check"],
            [python, "-m", "ruff", "check", "."],
            [f"{folder}/bin/lint-imports"],
            [python, *PYTEST, SLOW, *(f"tests/{test}" for test in TESTS)],
        ):
            if subprocess.run(command, cwd=ROOT).returncode:
                sys.exit(f"at the lower bounds this fails: {' '.join(command)}")
    print(f"true: {' '.join(wanted)}")


if __name__ == "__main__":
    main()
