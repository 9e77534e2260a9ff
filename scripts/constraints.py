"""The versions of every package, by Python: interpreters -> constraints.txt.

    python scripts/constraints.py python3.11 python3.12 python3.13 [--check]

Installs the project with its extras EXTRAS in a fresh environment for each Python and writes what
pip took; then installs `.[test,lint]` with these constraints, again in fresh environments. --check
does the second half alone. Exit code 1 if an install fails or takes anything else.

A release of torch may be built with or without CUDA: its version stands without the build, and the
CUDA packages, whose versions torch itself fixes, are left out. So one file serves either build.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = ROOT / "constraints.txt"
EXTRAS = "test,lint,verify,browser,docs"
# The project, what an environment starts with, and what comes with a CUDA build of torch.
LEFT_OUT = re.compile(r"personascan|pip|setuptools|wheel|triton|(nvidia|cuda)-.+")


def install(python: str, *arguments: str) -> tuple[str, dict[str, str]]:
    """Install into a fresh environment; returns "3.11", say, and the versions that pip took."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        inside = f"{folder}/bin/python"
        pip = [inside, "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "-q", *arguments], check=True, cwd=ROOT)
        listed = subprocess.check_output([*pip, "list", "--format=freeze"], text=True)
        show = "import sys; print('%d.%d' % sys.version_info[:2])"
        minor = subprocess.check_output([inside, "-c", show], text=True).strip()
    pairs = (line.split("==") for line in listed.split())
    named = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}
    kept = {name: v.split("+")[0] for name, v in named.items() if not LEFT_OUT.fullmatch(name)}
    return minor, kept


def constraints(taken: dict[str, dict[str, str]]) -> str:
    """One line for a package of one version; else one for each of its versions, with a marker."""
    lines = [f"# Written by: python scripts/constraints.py python{' python'.join(taken)}"]
    for name in sorted(set().union(*taken.values())):
        minors: dict[str, list[str]] = {}
        for minor, versions in taken.items():
            if name in versions:
                minors.setdefault(versions[name], []).append(minor)
        for version, its in minors.items():
            marker = " or ".join(f'python_version == "{minor}"' for minor in its)
            lines.append(f"{name}=={version}" + (f"; {marker}" if len(minors) > 1 else ""))
    return "\n".join(lines) + "\n"


def expected(minor: str) -> dict[str, str]:
    """What constraints.txt says for this Python."""
    versions = {}
    for line in FILE.read_text().splitlines():
        wanted, _, marker = line.partition(";")
        if not line.startswith("#") and (not marker or f'"{minor}"' in marker):
            name, _, version = wanted.partition("==")
            versions[name] = version
    return versions


def main() -> None:
    if "--help" in sys.argv:
        sys.exit(print(__doc__))
    pythons = [argument for argument in sys.argv[1:] if argument != "--check"]
    if not pythons:
        sys.exit(__doc__)
    if "--check" not in sys.argv:
        taken = dict(install(python, "-e", f".[{EXTRAS}]") for python in pythons)
        FILE.write_text(constraints(taken))
    for python in pythons:
        minor, versions = install(python, "-c", FILE.name, "-e", ".[test,lint]")
        differ = sorted(dict(versions.items() - expected(minor).items()))
        if differ:
            sys.exit(f"Python {minor}: {', '.join(differ)} not as in {FILE.name}")
        print(f"Python {minor}: {len(versions)} packages as in {FILE.name}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed: {' '.join(error.cmd)}")
