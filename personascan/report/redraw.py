"""A study's report made again from what the study stored, and studies set side by side."""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterable

from personascan.errors import InputError
from personascan.files import is_free, partial_of, put_folder, real_path, whole_file
from personascan.hashes import SEAL, seal_again, sealed_files
from personascan.report.compare import compared, compared_html
from personascan.report.document import FILE, read_document, without_texts
from personascan.report.files import HTML, MARKDOWN, markdown_files
from personascan.report.render import CAPTIONS, page_html, picture_files
from personascan.visible import visible

FORMATS = ("html", "md", "pdf", "png")
CAPTION = re.compile(r"- `([\w-]+\.(?:pdf|png))`: ")  # as `picture_files` writes them


def write_report(
    study: str | os.PathLike[str],
    format: str = "html",
    out: str | os.PathLike[str] = "",
    texts: bool = True,
    *,
    overwrite: bool = False,
) -> pathlib.Path:
    """Makes the report of a study's folder, from its report.json.gz alone.

    Args:
      study: the folder that `run_study` wrote.
      format: "html", one file that needs no network; "md", report.md and its pictures; "pdf", a
        folder of every picture as a vector figure as wide as one or two columns of a paper, with
        captions; "png", the same as PNG.
      out: where to write; "": into the study's folder, instead of what is there.
      texts: show what the rows say; False: their ids, for texts that are not to be passed on.
      overwrite: replace what is at `out`, unless it is a folder of other things.

    Returns:
      The file or folder that was written, whole.

    Raises:
      InputError: no study, a damaged one, an unknown format, a path that cannot be written or,
        without `overwrite`, that holds a file which is not the study's.
    """
    if format not in FORMATS:
        raise InputError(f"format {format!r} is unknown; use one of {', '.join(FORMATS)}")
    if not study:
        raise InputError("no study was named; give its folder (study, --study=out/demo)")
    folder = real_path(study)
    content = read_document(folder)
    target = real_path(out or folder / {"html": HTML, "md": MARKDOWN}.get(format, format))
    overwrite = overwrite or not out
    with drawn_from(folder):
        if not texts:
            content = without_texts(content)
        if format in ("pdf", "png"):
            files = picture_files(content, format)
        elif format == "md":
            files = {
                target if name == MARKDOWN else target.parent / name: made
                for name, made in markdown_files(content).items()
            }
        else:
            files = {target: page_html(content).encode()}
    if format in ("pdf", "png"):
        write_folder(target, files, overwrite)
        return target
    refuse_others([path for path in files if not overwrite and not of_study(path, folder)])
    for path, bytes_ in files.items():
        write_file(path, bytes_)
    inside = [path.relative_to(folder).as_posix() for path in files if folder in path.parents]
    seal_again(folder, inside)
    return target


def of_study(path: pathlib.Path, folder: pathlib.Path) -> bool:
    """Returns whether a file is one that the study has written into its folder."""
    if folder not in path.parents or not (folder / SEAL).exists():
        return False
    return path.relative_to(folder).as_posix() in sealed_files(folder)


def refuse_others(paths: list[pathlib.Path]) -> None:
    """Raises InputError where one of the files is there already."""
    for path in paths:
        if path.exists():
            raise InputError(
                f"{path} exists already; choose another path, or overwrite it (overwrite=True, "
                "--overwrite)"
            )


def compare_studies(
    folders: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str] = "compare.html",
    *,
    overwrite: bool = False,
) -> pathlib.Path:
    """Makes a page with several studies side by side, from their folders.

    Args:
      folders: those that `run_study` wrote, two or more.
      out: the page to write.
      overwrite: replace what is at `out`.

    Returns:
      The page that was written.

    Raises:
      InputError: as `write_report`; fewer than two folders, or one that is named twice.
    """
    folders = [real_path(folder) for folder in folders]
    if len(folders) < 2:
        raise InputError("one study has nothing beside it; name two folders or more (--compare)")
    if len(set(folders)) < len(folders):
        raise InputError("a study is named twice; name different folders (--compare)")
    documents = [(folder, read_document(folder)) for folder in folders]
    target = real_path(out)
    refuse_others([] if overwrite else [target])
    with drawn_from(*folders):
        page = compared_html(compared(documents)).encode()
    write_file(target, page)
    return target


@contextlib.contextmanager
def drawn_from(*folders: pathlib.Path):
    """Raises InputError where a document that no study wrote cannot be drawn.

    Where all are sealed they are as a study wrote them, and the fault is not theirs.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        if all((folder / SEAL).exists() for folder in folders):
            raise
        raise InputError(
            f"{', '.join(visible(folder / FILE) for folder in folders)} cannot be drawn "
            f"({type(error).__name__}: {error}); run the study's command again: what is finished "
            "is used"
        ) from error


def write_file(target: pathlib.Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target, overwrite=True) as file:
        file.write(content)


def write_folder(target: pathlib.Path, files: dict[str, bytes], overwrite: bool) -> None:
    """Writes a folder of files, instead of those of an earlier one where that is asked for.

    Pictures that the earlier captions name go with them; what else lies there is the user's.
    """
    refuse_others([] if overwrite else [target / name for name in files])
    if target.exists() and not (target / CAPTIONS).exists() and not is_free(target):
        raise InputError(f"{target} holds something else; choose another path (out, --out)")
    earlier = captioned(target / CAPTIONS)
    with partial_of(target, folder=True) as partial:
        for name, content in files.items():
            (partial / name).write_bytes(content)
        put_folder(partial, target)
        for name in earlier - files.keys():
            (target / name).unlink(missing_ok=True)


def captioned(captions: pathlib.Path) -> set[str]:
    """Returns the pictures that captions name; none where there are no captions."""
    if not captions.exists():
        return set()
    lines = captions.read_text(encoding="utf-8", errors="replace").splitlines()
    return {found[1] for line in lines if (found := CAPTION.match(line))}
