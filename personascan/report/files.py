"""The files that a reader opens: the page, its short form, and pictures; also made again later."""

import contextlib
import os
import pathlib
import re

import jinja2

from personascan.errors import InputError
from personascan.files import is_free, partial_of, put_folder, real_path, whole_file
from personascan.hashes import SEAL, seal_again, sealed_files
from personascan.report.document import FILE, document, pack_document, read_document, without_texts
from personascan.report.pictures import map_picture
from personascan.report.render import CAPTIONS, as_png, filled_spec, page_html, picture_files
from personascan.report.sheets.columns import Sheets
from personascan.report.words import in_cell
from personascan.study.results import Study
from personascan.visible import visible

HTML, MARKDOWN = "report.html", "report.md"
FORMATS = ("html", "md", "pdf", "png")
CAPTION = re.compile(r"- `([\w-]+\.(?:pdf|png))`: ")  # as `picture_files` writes them


def page_files(study: Study) -> dict[str, bytes]:
    """Returns the page of a study, its short form, and the document that both are drawn from."""
    content = document(study)
    page = {FILE: pack_document(content), HTML: page_html(content).encode()}
    return page | markdown_files(content)


def markdown_files(content: dict) -> dict[str, bytes]:
    """Returns the short page and the maps that it shows, by name."""
    sheets = Sheets(content["sheets"])
    files = {MARKDOWN: page_markdown(content).encode()}
    for part in range(len(content["parts"])):
        picture = map_picture(sheets, part)
        spec = filled_spec(picture, sheets, {"part": part})
        files[f"figures/{picture.name}.png"] = as_png(spec)
    return files


def page_markdown(content: dict) -> str:
    """Returns the short page: the question and findings of every part, its map, and links."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("personascan.report"), trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined, autoescape=False,
    )  # fmt: skip
    environment.filters["in_cell"] = in_cell
    return environment.get_template("report.md.j2").render(content)


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
    with refuse_undrawable(folder):
        if not texts:
            content = without_texts(content)
        if format in ("pdf", "png"):
            files = picture_files(content, format)
        elif format == "md":
            files = {
                target if name == MARKDOWN else target.parent / name: bytes_
                for name, bytes_ in markdown_files(content).items()
            }
        else:
            files = {target: page_html(content).encode()}
    if format in ("pdf", "png"):
        write_folder(target, files, overwrite)
        return target
    refuse_others([path for path in files if not overwrite and not is_of_study(path, folder)])
    for path, bytes_ in files.items():
        write_file(path, bytes_)
    inside = [path.relative_to(folder).as_posix() for path in files if folder in path.parents]
    seal_again(folder, inside)
    return target


def is_of_study(path: pathlib.Path, folder: pathlib.Path) -> bool:
    """Returns whether a file is one that the study has written into its folder."""
    if folder not in path.parents or not (folder / SEAL).exists():
        return False
    return path.relative_to(folder).as_posix() in sealed_files(folder)


def refuse_others(paths: list[pathlib.Path]) -> None:
    """Raises InputError if one of the files exists."""
    for path in paths:
        if path.exists():
            raise InputError(
                f"{path} exists already; choose another path, or overwrite it (overwrite=True, "
                "--overwrite)"
            )


@contextlib.contextmanager
def refuse_undrawable(*folders: pathlib.Path):
    """Raises InputError if drawing fails in the block and a document may not be a study's.

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
    """Writes a folder of files; with `overwrite` they replace those of an earlier one.

    Pictures that the earlier captions name go with them; what else lies there is the user's.
    """
    refuse_others([] if overwrite else [target / name for name in files])
    if target.exists() and not (target / CAPTIONS).exists() and not is_free(target):
        raise InputError(f"{target} holds something else; choose another path (out, --out)")
    earlier = captioned_pictures(target / CAPTIONS)
    with partial_of(target, folder=True) as partial:
        for name, content in files.items():
            (partial / name).write_bytes(content)
        put_folder(partial, target)
        for name in earlier - files.keys():
            (target / name).unlink(missing_ok=True)


def captioned_pictures(captions: pathlib.Path) -> set[str]:
    """Returns the pictures that captions name; none where there are no captions."""
    if not captions.exists():
        return set()
    lines = captions.read_text(encoding="utf-8", errors="replace").splitlines()
    return {match[1] for line in lines if (match := CAPTION.match(line))}
