"""The results folder of a study: locked from the start, written beside its place, then moved there.

Any other file in the folder is the user's, and stays.
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

View = Callable[[Study], dict[str, bytes]]  # {file: content} made of a study
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
        """Opens the store of finished units, locked, and the journal beside the results."""
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
    """Returns the folder of a study's finished units."""
    return real_path(config.units) if config.units else real_path(config.out) / UNITS


@contextlib.contextmanager
def study_folder(config: StudyConfig, replace: bool = False, writes: bool = True):
    """Opens a Folder whose `partial` is moved to `config.out` when the block succeeds.

    writes: False: nothing is moved. Raises InputError, before any work, for a place that cannot be
    written, that another process writes, or that holds something else.
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
    """Appends what happens to a file, a line at a time."""
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
    """Raises InputError unless the output folder is new, empty, or holds this very study.

    A study is the same by its configuration and inputs (`sha256`). With `replace` the folder may
    hold another study, whose units are used where they are the same.
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
    differing = differing_fields(config, sha256)
    if differing and not replace:
        raise InputError(
            f"{out} holds a study with another configuration (different: {', '.join(differing)}); "
            "choose another --config.out, or say --replace: what has not changed is used again"
        )


def differing_fields(config: StudyConfig, sha256: dict | None = None) -> list[str]:
    """Returns what differs in the study that the output folder holds; [] without such a study.

    These are fields of the configuration, or else the inputs (`sha256`). Raises InputError if the
    folder's record is damaged.
    """
    record = real_path(config.out) / RECORD
    if not record.exists():
        return []
    try:
        content = read_json(record)
        other, inputs = dict(content["config"]), dict(content["sha256"])
        asked = other | dict(content.get("fitted", {}).get("asked", {}))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{record} is damaged; {AGAIN}") from error
    # Samples that were made smaller may be asked for as they were, or as they became.
    differing = min((differences(one, config.to_dict()) for one in (other, asked)), key=len)
    if not differing and sha256 is not None:
        differing = [f"contents of {n}" for n in differences(inputs, sha256)]
    return differing


def holds_others_files(out: pathlib.Path) -> bool:
    """Returns whether a folder without study.json was never written by a study."""
    with contextlib.suppress(InputError):
        if RECORD in unfinished_files(out) or (
            (out / SEAL).exists() and RECORD in sealed_files(out)
        ):
            return False
    known = (UNITS, JOURNAL, MOVING)
    return any(p.name not in known and not PARTIAL.fullmatch(p.name) for p in out.iterdir())


def earlier_run(out: pathlib.Path) -> dict[str, list[str]]:
    """Returns {file: hashes that it may have} of the files that earlier runs wrote, if known.

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
    """Returns the dotted names of the fields that differ."""
    names = []
    for name in sorted(a.keys() | b.keys()):
        x, y = a.get(name), b.get(name)
        if isinstance(x, dict) and isinstance(y, dict):
            names += differences(x, y, f"{prefix}{name}.")
        elif x != y:
            names.append(prefix + name)
    return names


def write_study(study: Study, folder: pathlib.Path, views: Iterable[View] = ()) -> None:
    """Writes every file of the study into a new folder: its record, its tables, its views.

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
    """Renames the new folder to `out`, or moves its files into an earlier one, the seal last.

    A process that is ended in between leaves a list of the study's files and of their hashes
    (`stage_files`), by which the next run completes the move: any file that differs is the user's.
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
            if is_foreign(target, known[name]):
                rename_foreign(target)
            move(staged / name, target)
        for name in known.keys() - new.keys():
            if not is_foreign(out / name, known[name]):
                (out / name).unlink(missing_ok=True)


def is_foreign(path: pathlib.Path, sha256: list[str]) -> bool:
    """Returns whether a path holds something that no run of the study has written."""
    return path.exists() and not (path.is_file() and file_sha256(path) in sha256)


def rename_foreign(path: pathlib.Path) -> None:
    """Gives a file of the user's another name."""
    names = (f"{path.name}.yours{number or ''}" for number in itertools.count())
    aside = next(free for name in names if not (free := path.with_name(name)).exists())
    print(
        f"note: {visible(path)} is not the study's; it is now {visible(aside.name)}",
        file=sys.stderr,
    )
    os.replace(path, aside)
