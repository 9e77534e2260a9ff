"""Which columns of a row hold the fields of a statement: those of known names, or named ones."""

from collections.abc import Iterable, Mapping
from typing import Any

from personascan.errors import InputError
from personascan.sources.language.sides import OTHER_WORDS, UNDERSTOOD, plain

# The names that people give to the fields of a statement, each as it is looked for; the rest of a
# row (id, topic, question, entity, pair) has one name.
NAMES = {
    "text": ("statement", "text"),
    "direction": ("direction", "label", "positive", "answer_matching_behavior"),
    "persona": ("persona", "persona_dim"),
    "confidence": ("label_confidence", "confidence"),
}
OPTIONAL = ("id", "topic", "question", "entity", "pair")
FIELDS = (*NAMES, *OPTIONAL)
NEEDED = ("text", "direction")
HOW = 'columns={"text": "NAME", "direction": "NAME"}, --columns=text=NAME,direction=NAME'


def parse_columns(words: Iterable[str]) -> dict[str, str]:
    """Returns {field: column} of words such as "text=sentence".

    Raises InputError for a word of another form, or a field that stands twice.
    """
    columns = {}
    for word in words:
        field, equals, column = word.partition("=")
        if not equals or field.strip() in columns:
            raise InputError(f"columns: {word!r}; write FIELD=NAME, each field once, as in {HOW}")
        columns[field.strip()] = column
    return columns


class Columns:
    """The names of the column of each field, which a caller may have named."""

    def __init__(self, named: Mapping[str, str] | None = None):
        named = {} if named is None else named
        for field, column in named.items():
            if field not in FIELDS or not isinstance(column, str) or not plain(column):
                raise InputError(
                    f"columns: {field!r} = {column!r}; name the column of one of "
                    f"{', '.join(FIELDS)}, as in {HOW}"
                )
        self.own = {field: plain(column) for field, column in named.items()}
        if len(set(self.own.values())) < len(self.own):
            raise InputError(f"columns: {dict(named)} names a column twice; name each once")
        self.names = {field: NAMES.get(field, (field,)) for field in FIELDS}
        # A column that holds a named field is not read as another one.
        taken = set(self.own.values())
        self.names = {f: tuple(n for n in names if n not in taken) for f, names in
                      self.names.items()} | {f: (n,) for f, n in self.own.items()}  # fmt: skip
        self.unseen = set(self.own.values())

    def value(self, row: Mapping[str, Any], field: str, where: str) -> Any:
        """Returns a field of a row whose names are in lower case; None where it has none."""
        self.unseen -= row.keys()
        return named(row, field, self.names[field], where)

    def known(self) -> set[str]:
        """Returns the names of columns that are read."""
        return {name for names in self.names.values() for name in names}

    def needed(self) -> str:
        """Returns which columns a row needs, and how others are named."""
        text, direction = (" or ".join(self.names[field]) for field in NEEDED)
        return (
            f"a text (named {text}) and a direction (named {direction}: {UNDERSTOOD}, "
            f"{OTHER_WORDS}); for other names of columns, {HOW}"
        )

    def lower_named(self, row: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Returns a row whose named columns are in lower case, as they are looked for.

        Raises InputError for a row that has one of them twice.
        """
        own = set(self.own.values())
        lowered = {plain(name) if plain(name) in own else name: row[name] for name in row}
        if len(lowered) < len(row):
            raise InputError(f"{where} has a named column twice, in other letters; keep one")
        return lowered

    def refuse_unseen(self, source: Any) -> None:
        """Raises InputError for a named column that no row has."""
        if self.unseen:
            raise InputError(
                f"no row of {source} has the column {min(self.unseen)!r}, which columns names; "
                "leave it out, or correct it"
            )


def shown_row(row: Mapping[str, Any]) -> str:
    """Returns the fields of a row with their values, each cut short."""
    return ", ".join(f"{name} = {str(value)[:30]!r}" for name, value in row.items()) or "nothing"


def named(row: Mapping[str, Any], field: str, names: tuple[str, ...], where: str) -> Any:
    """Returns a field under whichever of its names the row has. Raises InputError for two."""
    there = [name for name in names if row.get(name) is not None]
    if len(there) > 1:
        raise InputError(f"{where} has {field} twice, as {' and '.join(there)}; keep one")
    return row[there[0]] if there else None
