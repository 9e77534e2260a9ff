"""A study's report made again from what the study stored, and studies set side by side."""

import pathlib
import re

from personascan.errors import InputError
from personascan.files import partial_of, put_folder, real_place, whole_file
from personascan.hashes import seal_again
from personascan.report.beside import compared, compared_html
from personascan.report.document import read_document, without_texts
from personascan.report.files import HTML, MARKDOWN, markdown_files
from personascan.report.html import page_html
from personascan.report.paper import CAPTIONS, picture_files

FORMATS = ("html", "md", "pdf", "png")
CAPTION = re.compile(r"- `([\w-]+\.(?:pdf|png))`: ")  # as `picture_files` writes them


def write_report(study, format: str = "html", out: str = "", texts: bool = True) -> pathlib.Path:
    """The report of a study's folder, from its report.json.gz alone.

    Args:
      study: the folder that `run_study` wrote.
      format: "html", one file that needs no network; "md", report.md and its pictures; "pdf", a
        folder of every picture as a vector figure as wide as one or two columns of a paper, with
        captions; "png", the same as PNG.
      out: where to write; "": into the study's folder, in place of what is there.
      texts: show what the rows say; False: their ids, for texts that are not to be passed on.

    Returns:
      The file or folder that was written, whole.

    Raises:
      InputError: no study, a damaged one, an unknown format, a place that cannot be written.
    """
    if format not in FORMATS:
        raise InputError(f"format {format!r} is unknown; use one of {', '.join(FORMATS)}")
    if not study:
        raise InputError("no study was named; give its folder (study, --study=out/demo)")
    folder = real_place(study)
    content = read_document(folder)
    if not texts:
        content = without_texts(content)
    place = real_place(out or folder / {"html": HTML, "md": MARKDOWN}.get(format, format))
    if format == "html":
        write_file(place, page_html(content).encode())
        written = [place]
    elif format == "md":
        files = markdown_files(content)
        written = [place, *(place.parent / name for name in files if name != MARKDOWN)]
        for name, bytes_ in files.items():
            write_file(place if name == MARKDOWN else place.parent / name, bytes_)
    else:
        write_folder(place, picture_files(content, format))
        return place
    inside = [path.relative_to(folder).as_posix() for path in written if folder in path.parents]
    seal_again(folder, inside)
    return place


def compare_studies(folders, out: str = "compare.html") -> pathlib.Path:
    """A page with several studies side by side, from their folders.

    Raises InputError as `write_report`, and for fewer than two folders.
    """
    folders = [real_place(folder) for folder in folders]
    if len(folders) < 2:
        raise InputError("one study has nothing beside it; name two folders or more (--compare)")
    if len(set(folders)) < len(folders):
        raise InputError("a study is named twice; name different folders (--compare)")
    content = compared([(folder, read_document(folder)) for folder in folders])
    place = real_place(out)
    write_file(place, compared_html(content).encode())
    return place


def write_file(place: pathlib.Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(place, overwrite=True) as file:
        file.write(content)


def write_folder(place: pathlib.Path, files: dict[str, bytes]) -> None:
    """A folder of these files, in place of the earlier one if that is of the same kind.

    Pictures that the earlier captions name go with them; what else lies there is the user's.
    """
    if place.exists() and not (place / CAPTIONS).exists() and any(place.iterdir()):
        raise InputError(f"{place} holds something else; choose another place (out, --out)")
    earlier = captioned(place / CAPTIONS)
    with partial_of(place, folder=True) as partial:
        for name, content in files.items():
            (partial / name).write_bytes(content)
        put_folder(partial, place)
        for name in earlier - files.keys():
            (place / name).unlink(missing_ok=True)


def captioned(captions: pathlib.Path) -> set[str]:
    """The pictures that captions name; none where there are no captions."""
    if not captions.exists():
        return set()
    lines = captions.read_text(encoding="utf-8", errors="replace").splitlines()
    return {found[1] for line in lines if (found := CAPTION.match(line))}
