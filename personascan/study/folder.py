"""The results folder of a study: held from the start, written beside its place, then put there.

Whatever else stands in the folder is the user's, and stays.
"""

import contextlib
import itertools
import json
import logging
import os
import pathlib
import shlex
import sys
from collections.abc import Callable, Iterable

from personascan.errors import InputError
from personascan.files import PARTIAL, hold, partial_of, real_path, sweep, write_error
from personascan.hashes import (
    SEAL,
    damaged_files,
    file_sha256,
    folder_sha256,
    seal,
    sealed_files,
)
from personascan.placing import MOVING, merge, move, stage_files, unfinished_files
from personascan.reading import read_json
from personascan.study.config import StudyConfig
from personascan.study.results import Study
from personascan.study.run import journal
from personascan.study.store import Store
from personascan.study.tables import write_tables
from personascan.visible import visible

View = Callable[[Study], dict[str, bytes]]  # of a study, as files
RECORD = "study.json"
UNITS = "units"
JOURNAL = "study.log"
AGAIN = "delete it and run the same command again: what is finished is used"


class Folder:
    """The output folder of a study, which this process alone writes."""

    def __init__(self, config: StudyConfig, partial: pathlib.Path):
        self.out, self.partial = real_path(config.out), partial
        self.units = units_folder(config)

    @contextlib.contextmanager
    def opened(self):
        """The store of finished units, held, and the journal beside the results."""
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self.units.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(self.units, error, "choose another --config.units") from error
        with hold(self.units / UNITS), journal_in(self.out / JOURNAL):
            store = Store(self.units)
            store.sweep()
            yield store


def units_folder(config: StudyConfig) -> pathlib.Path:
    """Where the finished units of a study are."""
    return real_path(config.units) if config.units else real_path(config.out) / UNITS


@contextlib.contextmanager
def study_folder(config: StudyConfig, replace: bool = False, writes: bool = True):
    """A Folder, whose `partial` ends at `config.out` when the block ends well (if it `writes`).

    Raises InputError, before any work, for a place that cannot be written, that another process
    writes, or that holds something else.
    """
    out = real_path(config.out)
    advice = "choose another --config.out"
    refuse_other_study(config, replace=replace)
    with partial_of(out, folder=True, advice=advice) as partial:
        refuse_other_study(config, replace=replace)  # nobody else can write it from here on
        earlier = earlier_run(out)
        yield Folder(config, partial)
        if writes:
            seal(partial)
            put_in_place(partial, out, earlier)


@contextlib.contextmanager
def journal_in(path: pathlib.Path):
    """What happens is written into a file, a line at a time, behind what is there."""
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    journal.setLevel(logging.INFO)
    journal.propagate = False
    journal.addHandler(handler)
    try:
        journal.info("started: %s", visible(shlex.join(sys.argv)))
        yield
        journal.info("finished")
    except BaseException as error:
        journal.info("ended: %s", visible(" ".join((str(error) or type(error).__name__).split())))
        raise
    finally:
        journal.removeHandler(handler)
        handler.close()


def refuse_other_study(
    config: StudyConfig, sha256: dict | None = None, replace: bool = False
) -> None:
    """The output folder is new, empty, or holds this very study: configuration and inputs.

    With `replace` it may hold another study, whose units are used where they are the same.
    """
    out = real_path(config.out)
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out} is a file; choose another --config.out")
    record = out / RECORD
    if not record.exists():
        if holds_others_files(out):
            raise InputError(f"{out} holds files that are not a study; choose another --config.out")
        return
    try:
        content = read_json(record)
        other, inputs = dict(content["config"]), dict(content["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{record} is damaged; {AGAIN}") from error
    differing = differences(other, config.to_dict())
    if not differing and sha256 is not None:
        differing = [f"contents of {n}" for n in differences(inputs, sha256)]
    if differing and not replace:
        raise InputError(
            f"{out} holds a study with another configuration (different: {', '.join(differing)}); "
            "choose another --config.out, or say --replace: what has not changed is used again"
        )


def holds_others_files(out: pathlib.Path) -> bool:
    """Whether a folder without study.json is somebody else's: no study was ever written into it."""
    with contextlib.suppress(InputError):
        if RECORD in unfinished_files(out) or (
            (out / SEAL).exists() and RECORD in sealed_files(out)
        ):
            return False
    known = (UNITS, JOURNAL, MOVING)
    return any(p.name not in known and not PARTIAL.fullmatch(p.name) for p in out.iterdir())


def earlier_run(out: pathlib.Path) -> dict[str, list[str]]:
    """{file: hashes that it may have} of what earlier runs have written, as far as that is known.

    Raises InputError if a result was changed since.
    """
    if known := unfinished_files(out):
        return known
    if not (out / SEAL).exists():
        return {}
    try:
        changed = [name for name in damaged_files(out) if (out / name).exists()]
    except InputError as error:
        raise InputError(f"{out / SEAL} is damaged; {AGAIN}") from error
    if changed:
        raise InputError(
            f"{out / changed[0]} is not as the study wrote it (damaged, or edited); move it away "
            "or delete it, and run again"
        )
    return {name: [sha256] for name, sha256 in sealed_files(out).items()} | {
        SEAL: [file_sha256(out / SEAL)]
    }


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


def write_study(study: Study, folder: pathlib.Path, views: Iterable[View] = ()) -> None:
    """Every file of the study, into a new folder: its record, its tables, and what views show.

    Raises InputError where there is no room.
    """
    record = {"config": study.config.to_dict(), **study.provenance}
    try:
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        (folder / RECORD).write_text(text, encoding="utf-8")
        write_tables(study, folder)
        for view in views:
            for name, content in view(study).items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes(content)
    except OSError as error:
        raise write_error(study.config.out, error, "choose another --config.out") from error


def put_in_place(partial: pathlib.Path, out: pathlib.Path, earlier: dict[str, list[str]]) -> None:
    """Rename the new folder to `out`, or move its files into an earlier one, the seal last.

    A process that is ended in between leaves a list of the study's files and of what they may hold
    (`stage_files`), by which the next run completes it: whatever differs from that is the user's.
    """
    if not out.exists():
        os.replace(partial, out)
        return
    sweep(out)
    new = folder_sha256(partial) | {SEAL: file_sha256(partial / SEAL)}
    known = merge(earlier, {name: [sha256] for name, sha256 in new.items()})
    with stage_files(partial, out, known) as staged:
        (out / SEAL).unlink(missing_ok=True)
        for name in sorted(new, key=lambda name: (name == SEAL, name != RECORD, name)):
            target = out / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if is_others(target, known[name]):
                put_aside(target)
            move(staged / name, target)
        for name in known.keys() - new.keys():
            if not is_others(out / name, known[name]):
                (out / name).unlink(missing_ok=True)


def is_others(path: pathlib.Path, sha256: list[str]) -> bool:
    """Whether something is there that no run of the study has written."""
    return path.exists() and not (path.is_file() and file_sha256(path) in sha256)


def put_aside(path: pathlib.Path) -> None:
    """Keep what is the user's under another name."""
    names = (f"{path.name}.yours{number or ''}" for number in itertools.count())
    aside = next(found for name in names if not (found := path.with_name(name)).exists())
    print(
        f"note: {visible(path)} is not the study's; it is now {visible(aside.name)}",
        file=sys.stderr,
    )
    os.replace(path, aside)
