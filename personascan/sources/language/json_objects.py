"""JSON objects in files that people write: UTF-8, each key once, no NaN, no misspelt key."""

import difflib
import functools
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from personascan.errors import InputError
from personascan.reading import refuse_special
from personascan.sources.language.statement_formats import reject_duplicate_keys
from personascan.visible import is_shown

ALIKE = 0.8  # difflib's ratio from which a key is taken for another one, misspelt


def json_lines(path: pathlib.Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the objects of a file, one a line, each with its place for messages.

    Raises InputError for a line that is none.
    """
    for number, line in enumerate(text_of(path).split("\n"), 1):
        if line.strip():
            where = f"{path}, line {number}"
            yield where, parse_object(line, where)


def json_object(path: pathlib.Path) -> dict[str, Any]:
    """Returns the object in a file. Raises InputError if there is none."""
    return parse_object(text_of(path), str(path))


def text_of(path: pathlib.Path) -> str:
    """Returns the text of a file. Raises InputError if it is not UTF-8, or cannot be read."""
    refuse_special(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise InputError(f"{path} is not UTF-8 text ({error}); save it as UTF-8") from error
        raise InputError(f"{path} cannot be read ({error}); check the path") from error


def parse_object(text: str, where: str) -> dict[str, Any]:
    try:
        content = json.loads(
            text, object_pairs_hook=reject_duplicate_keys, parse_constant=refuse_constant
        )
    except KeyError as error:
        raise InputError(f"{where} has the key {error} twice; keep one") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not valid JSON ({error}); correct it") from error
    if not isinstance(content, dict):
        raise InputError(f"{where} is not a JSON object, {{...}}")
    return content


def refuse_constant(name: str):
    raise ValueError(f"{name} is no number of JSON")


def refuse_misspelt(row: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    """Raises InputError for an unknown key that looks like a known one; others are not read."""
    for key in row:
        if key not in known and (near := meant(key, known)):
            raise InputError(f"{where} has the unknown key {key!r}; write {near!r}")


@functools.lru_cache  # a file has the same keys in every row
def meant(key: str, known: tuple[str, ...]) -> str:
    """Returns the known key that looks like a key, or "".

    `persona_id` is another field beside `persona`, and not a misspelt one.
    """
    near = difflib.get_close_matches(key.lower(), known, 1, ALIKE)
    return near[0] if near and not key.startswith(f"{near[0]}_") else ""


def shown_text(value: Any, what: str) -> str:
    """Returns a text without the space around it. Raises InputError for none, and an empty one."""
    text = whole_text(value, what).strip()
    if not is_shown(text):
        raise InputError(f"{what} is empty; write a text")
    return text


def whole_text(value: Any, what: str) -> str:
    """Returns a text as it is. Raises InputError for what is none, and for half a character."""
    if not isinstance(value, str):
        raise InputError(f"{what} is {value!r}; write a text")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise InputError(f"{what} holds half a character (a lone surrogate); correct the text")
    return value
