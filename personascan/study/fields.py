"""Records of options from nested dicts, field by field and type by type."""

import dataclasses
import json
import os
import typing
from typing import Any

import numpy as np
import pydantic

from personascan.errors import InputError

IN_FILES = "config.statements"  # what is often in memory already


def validate_fields(cls, raw: dict[str, Any]):
    """Returns a frozen dataclass from exactly its fields, each of its type.

    A path is its text, and one string stands for a list of one. Raises InputError, with the field's
    dotted name, for a field that is at fault.
    """
    plain = plain_fields(cls, raw)
    try:
        # As JSON, which tells true from 1 and has lists alone: strict in all that matters.
        content = json.dumps(plain)
        return pydantic.TypeAdapter(cls).validate_json(content, strict=True, extra="forbid")
    except pydantic.ValidationError as error:
        raise InputError(fault(cls, error.errors()[0])) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"config holds what no configuration can ({error})") from error


def plain_fields(cls, raw: Any, where: str = "config") -> Any:
    """Returns fields as JSON holds them. Raises InputError for a value that it cannot hold."""
    if not isinstance(raw, dict):
        return raw
    kinds = {f.name: f.type for f in dataclasses.fields(cls)}
    return {
        name: plain_value(kinds.get(name), value, f"{where}.{name}") for name, value in raw.items()
    }


def plain_value(kind: Any, value: Any, where: str) -> Any:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, dict) and dataclasses.is_dataclass(dataclass_of(kind)):
        return plain_fields(dataclass_of(kind), value, where)
    listed = typing.get_origin(kind) is tuple
    if isinstance(value, list | tuple) and listed:
        inner = typing.get_args(kind)[0]
        return [plain_value(inner, one, f"{where}.{i}") for i, one in enumerate(value)]
    if listed and isinstance(value, str) and holds_text(typing.get_args(kind)[0]):
        return [value]
    if where == IN_FILES and not isinstance(value, str | int | float | None):
        raise InputError(f"{where} is {shown_kind(value)}; {to_file(value)}")
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{where} is {shown_kind(value)}, which no configuration can hold ({error})"
        ) from error
    return value


def holds_text(kind: Any) -> bool:
    return str in (kind, *typing.get_args(kind))


def shown_kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def to_file(value: Any) -> str:
    """Returns how statements in memory become the file that a study reads."""
    made = {"DataFrame": "df", "list": "pandas.DataFrame(statements)"}.get(type(value).__name__)
    made = made or "pandas.DataFrame(personascan.load_statements(...))"
    return (
        "a study reads a file, so that it can go on where it ended: write "
        f'{made}.to_csv("statements.csv", index=False) and give statements="statements.csv"'
    )


def fault(cls, error: dict) -> str:
    """Returns an error of pydantic as one line."""
    where = ".".join(["config", *(str(p) for p in error["loc"] if p not in ("int", "str"))])
    kind = error["type"]
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        for name in error["loc"][:-1]:
            if isinstance(name, str) and dataclasses.is_dataclass(cls):
                cls = dataclass_of(next(f.type for f in dataclasses.fields(cls) if f.name == name))
        fields = ", ".join(f.name for f in dataclasses.fields(cls))
        return f"{where} is unknown; fields: {fields}"
    if kind in ("missing", "missing_argument"):
        return f"{where} is missing"
    wrong = error["msg"].removeprefix("Input should be ").replace("a valid array", "a list")
    return f"{where} must be {wrong}, got {error['input']!r}"


def dataclass_of(kind):
    """Returns the dataclass of a type, also of a union or of the members of a tuple."""
    inner = [k for k in typing.get_args(kind) if dataclasses.is_dataclass(k)]
    return inner[0] if inner else kind
