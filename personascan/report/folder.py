"""The results folder of a study: written beside its place, then put there whole."""

import json
import os
import pathlib
import shutil
import tempfile

from personascan.errors import InputError
from personascan.report.figures import draw_figures
from personascan.report.page import report_page
from personascan.report.tables import write_tables
from personascan.study_config import StudyConfig


def refuse_other_study(config: StudyConfig, sha256: dict | None = None) -> None:
    """The output folder is new, empty, or holds this very study: configuration and inputs."""
    out = pathlib.Path(config.out)
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out} is a file; choose another --config.out")
    record = out / "study.json"
    if not record.exists():
        if any(out.iterdir()):
            raise InputError(f"{out} holds files that are not a study; choose another --config.out")
        return
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        other, inputs = dict(content["config"]), dict(content["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{record} is damaged; delete {out} or choose another one") from error
    differing = differences(other, config.to_dict())
    if not differing and sha256 is not None:
        differing = [f"contents of {n}" for n in differences(inputs, sha256)]
    if differing:
        raise InputError(
            f"{out} holds a study with another configuration (different: {', '.join(differing)}); "
            "choose another --config.out or delete that folder"
        )


def differences(a: dict, b: dict, prefix: str = "") -> list[str]:
    """Dotted names of the fields that differ."""
    found = []
    for name in sorted(a.keys() | b.keys()):
        x, y = a.get(name), b.get(name)
        if isinstance(x, dict) and isinstance(y, dict):
            found += differences(x, y, f"{prefix}{name}.")
        elif x != y:
            found.append(prefix + name)
    return found


def write_study(study, out: pathlib.Path) -> None:
    """Every file of the study, into a folder that appears whole or not at all."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = pathlib.Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise InputError(
            f"{out} cannot be written ({error}); choose another --config.out"
        ) from error
    try:
        partial.chmod(0o755)
        record = {"config": study.config.to_dict(), **study.provenance}
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        (partial / "study.json").write_text(text, encoding="utf-8")
        write_tables(study, partial)
        (partial / "figures").mkdir()
        figures = draw_figures(study, partial / "figures")
        (partial / "report.md").write_text(report_page(study, figures), encoding="utf-8")
        put_in_place(partial, out)
    except OSError as error:
        raise InputError(
            f"{out} cannot be written ({error}); choose another --config.out"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def put_in_place(partial: pathlib.Path, out: pathlib.Path) -> None:
    """Rename the new folder to `out`; an earlier one goes only once the new one is there."""
    if not out.exists():
        os.replace(partial, out)
        return
    earlier = partial.with_name(f"{partial.name}-earlier")
    os.replace(out, earlier)
    try:
        os.replace(partial, out)
    except BaseException:  # an interrupt as well: the earlier study must not stay hidden
        os.replace(earlier, out)
        raise
    shutil.rmtree(earlier)
