"""Records of options from nested dicts, field by field and type by type."""

import dataclasses
import json
import typing
from typing import Any

import pydantic

from personascan.errors import InputError


def validate_fields(cls, raw: dict[str, Any]):
    """Returns a frozen dataclass from exactly its fields, each of its type.

    Raises InputError, with the field's dotted name, for a field that is at fault.
    """
    try:
        # As JSON, which tells true from 1 and has lists alone: strict in all that matters.
        content = json.dumps(raw)
        return pydantic.TypeAdapter(cls).validate_json(content, strict=True, extra="forbid")
    except pydantic.ValidationError as error:
        raise InputError(fault(cls, error.errors()[0])) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"config holds what no configuration can ({error})") from error


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
