"""The document of a study's page: its words and sheets.

It is stored beside the tables, so that the page can be made again, or set beside others, without
the units, the model or the statements' files.
"""

import gzip
import hashlib
import io
import json
import pathlib
import zlib

from personascan.errors import InputError
from personascan.hashes import SEAL, sealed_files
from personascan.report.captions import captions
from personascan.report.page import part_page
from personascan.report.sections.separation import differences_section
from personascan.report.sheets.columns import Sheet
from personascan.report.sheets.edits import acts_sheet, edit_sheets, specificity_sheet
from personascan.report.sheets.nodes import overlap_sheets, returned_sheets
from personascan.report.sheets.places import place_sheets, validation_sheet, ways_sheet
from personascan.report.sheets.special import special_sheet
from personascan.report.words import QUOTED, SWEPT, WRITTEN
from personascan.study.results import Study
from personascan.visible import visible

FILE = "report.json.gz"
LAYOUT = 3  # of the document: a change of its form is a new number
FORM = {"title": str, "parts": list, "across": list, "rows": str, "seed": int, "sheets": dict}
MOST_BYTES = 2**30  # unpacked; no browser opens a page that comes near it


def document(study: Study) -> dict:
    """Returns everything that the page shows, as JSON holds it."""
    differences = differences_section(study)
    first = study.part if len(study.parts) == 1 else None
    return {
        "layout": LAYOUT,
        "title": part_page(first).title if first else f"{len(study.parts)} parts of one study",
        "parts": [part_page(part).packed() | {"captions": captions(part)} for part in study.parts],
        "across": [differences.packed()] if differences else [],
        "rows": study.parts[0].terms.rows,
        "seed": study.config.seed,
        "sheets": {name: sheet.packed() for name, sheet in sheets_of(study).items()},
    }


def sheets_of(study: Study) -> dict[str, Sheet]:
    """Returns the sheets of all parts, by name."""
    return {
        **place_sheets(study),
        **returned_sheets(study),
        **overlap_sheets(study),
        "validation": validation_sheet(study),
        "ways": ways_sheet(study),
        "special": special_sheet(study),
        **edit_sheets(study),
        "specificity": specificity_sheet(study),
        "acts": acts_sheet(study),
    }


def pack_document(content: dict) -> bytes:
    """Returns a document as it is stored. The same content gives the same bytes."""
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    return gzip.compress(text.encode(), mtime=0)


def unpacked_bytes(packed: bytes) -> bytes:
    """Returns the unpacked bytes. Raises ValueError beyond `MOST_BYTES`: 4 MB can hold 4 GB."""
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it unpacks to more than {MOST_BYTES} bytes")
    return content


def is_formed(content: dict) -> bool:
    """Returns whether a document has the fields of every study's document."""
    return all(isinstance(content[k], kind) for k, kind in FORM.items()) and bool(content["parts"])


def without_texts(content: dict) -> dict:
    """Returns the document with each row's id in place of its text."""
    texts = content["sheets"]["texts"]
    columns = {**texts["columns"], "text": texts["columns"]["id"]}
    parts = [
        {
            **part,
            "sections": [section_without_texts(one) for one in part["sections"]],
            "placed": {at: section_without_texts(one) for at, one in part["placed"].items()},
        }
        for part in content["parts"]
    ]
    sheets = {**content["sheets"], "texts": {**texts, "columns": columns}}
    return {**content, "parts": parts, "sheets": sheets}


def section_without_texts(section: dict) -> dict:
    """Returns a section without the tables that quote rows or the model, and shaded texts."""
    blocks = [
        one
        for one in section["blocks"]
        if not {QUOTED, SWEPT, WRITTEN} & set(one.get("header", ())) and "shaded" not in one
    ]
    return {**section, "blocks": blocks}


def read_document(folder) -> dict:
    """Returns the document of a study's folder.

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
                else "holds no study; give the folder that a study wrote (--config.out)"
            )
        )
    try:
        packed = path.read_bytes()
        content = json.loads(unpacked_bytes(packed))
        layout = content["layout"]
        digest, seal = hashlib.sha256(packed).hexdigest(), path.parent / SEAL
        whole = not seal.exists() or sealed_files(path.parent).get(FILE) == digest
        whole &= layout != LAYOUT or is_formed(content)
    except (OSError, EOFError, ValueError, KeyError, TypeError, RecursionError, zlib.error):
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
