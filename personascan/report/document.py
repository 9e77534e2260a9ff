"""What a study's page shows, as one document: words, sheets, and where they come from.

It is stored beside the tables, so that the page can be made again, or set beside others, without
the units, the model or the statements' files.
"""

import gzip
import json
import pathlib
import zlib

from personascan.errors import InputError
from personascan.hashes import SEAL, file_sha256, sealed_files
from personascan.report.captions import captions
from personascan.report.gathered import gathered
from personascan.report.overview import differences_section
from personascan.report.page import part_page
from personascan.study.results import Study
from personascan.visible import visible

FILE = "report.json.gz"
LAYOUT = 2  # of the document: a change of its form is a new number


def document(study: Study) -> dict:
    """Everything that the page shows, as JSON holds it."""
    differences = differences_section(study)
    first = study.part if len(study.parts) == 1 else None
    return {
        "layout": LAYOUT,
        "title": part_page(first).title if first else f"{len(study.parts)} parts of one study",
        "parts": [part_page(part).packed() | {"captions": captions(part)} for part in study.parts],
        "across": [differences.packed()] if differences else [],
        "rows": study.parts[0].terms.rows,
        "seed": study.config.seed,
        "sheets": {name: sheet.packed() for name, sheet in gathered(study).items()},
    }


def write_document(content: dict, folder: pathlib.Path) -> None:
    """The same content gives the same bytes."""
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    (folder / FILE).write_bytes(gzip.compress(text.encode(), mtime=0))


def without_texts(content: dict) -> dict:
    """The document with each row's id in place of its text."""
    texts = content["sheets"]["texts"]
    columns = {**texts["columns"], "text": texts["columns"]["id"]}
    return {**content, "sheets": {**content["sheets"], "texts": {**texts, "columns": columns}}}


def read_document(folder) -> dict:
    """The document of a study's folder.

    Raises:
      InputError: no study there, one of an earlier version, or a damaged file.
    """
    path = pathlib.Path(folder) / FILE
    if not path.exists():
        known = (pathlib.Path(folder) / "study.json").exists()
        raise InputError(
            f"{visible(str(folder))} "
            + (
                f"is a study without {FILE}, which earlier versions did not write; run its command "
                "again: what is finished is used"
                if known
                else "holds no study; give the folder that scripts/study.py wrote (--config.out)"
            )
        )
    try:
        content = json.loads(gzip.decompress(path.read_bytes()))
        layout = content["layout"]
        seal = path.parent / SEAL
        whole = not seal.exists() or sealed_files(path.parent).get(FILE) == file_sha256(path)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error):
        whole = False
    if not whole:
        raise InputError(
            f"{visible(str(path))} is not as the study wrote it; delete it and run the study's "
            "command again: what is finished is used"
        )
    if layout != LAYOUT:
        raise InputError(
            f"{visible(str(path))} is of layout {layout!r}, this version reads {LAYOUT}; run the "
            "study's command again: what is finished is used"
        )
    return content
