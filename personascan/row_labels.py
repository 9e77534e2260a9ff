"""What rows say of themselves where they are given as labels: sides, pairs and entities.

Rows are statements, conversations, or anything else with a `positive`; other labels stay as given.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from personascan.array_like import ArrayLike
from personascan.errors import InputError


class Row(Protocol):
    """A row that says its side, such as a statement; it may have `pair`, `entity` and `id`."""

    @property
    def positive(self) -> bool: ...


RowLabels = ArrayLike | Sequence[Row]  # bool [N], or rows


def are_rows(labels: Any) -> bool:
    """Returns whether labels are rows that say their side."""
    return isinstance(labels, list | tuple) and any(hasattr(row, "positive") for row in labels)


def sides_of(labels: Any) -> Any:
    """Returns the side of each row: bool [N]; labels that are no rows as they are.

    Raises InputError where only some have a side.
    """
    if not are_rows(labels):
        return labels
    for number, row in enumerate(labels):
        if not isinstance(getattr(row, "positive", None), bool | np.bool_):
            raise InputError(
                f"positive: row {number} is {str(row)[:60]!r}, and others are rows with a side; "
                "give rows, or a bool for each"
            )
    return np.array([row.positive for row in labels], bool)


def names_of(labels: Any, name: str) -> list[str]:
    """Returns the pair or the entity of each row; [] where no row has one, or there are no rows."""
    names = [getattr(row, name, "") or "" for row in labels] if are_rows(labels) else []
    return names if any(names) else []


def exchange_by_rows(labels: Any) -> dict[str, list[str]]:
    """Returns how labels are exchanged, by the pairs or else the entities of rows: as of `locate`.

    A row without entity is one of its own. Raises InputError for a row without pair beside others
    with one, and for a pair with rows on one side alone.
    """
    if pairs := names_of(labels, "pair"):
        return {pair_kind(pairs, labels): pairs}
    if entities := names_of(labels, "entity"):
        # No name of a source begins so: rows without one have no entity in common with any other.
        return {"entities": [one or f"\0{number}" for number, one in enumerate(entities)]}
    return {}


def pair_kind(pairs: list[str], rows: Any) -> str:
    """Returns "pairs" where each is a row of either side, "within" where some have more rows."""
    if "" in pairs:
        raise InputError(
            f"positive: row {pairs.index('')} has no pair, and others have; give every row one, "
            "or bools as positive"
        )
    sides = [Counter(p for p, row in zip(pairs, rows, strict=True) if row.positive is side)
             for side in (True, False)]  # fmt: skip
    if alone := sorted(sides[0].keys() ^ sides[1].keys()):
        raise InputError(
            f"positive: pair {alone[0]} has rows on one side alone ({len(alone)} such pairs); drop "
            "them, or give bools as positive"
        )
    return "pairs" if max(max(side.values()) for side in sides) == 1 else "within"


def clusters_by_rows(labels: Any, clusters_N: Any = None) -> Any:
    """Returns clusters as they are given, or else the entities of rows as numbers; None: none.

    Raises InputError for an entity with rows on both sides.
    """
    entities = names_of(labels, "entity")
    if clusters_N is not None or not entities or any(names_of(labels, "pair")):
        return clusters_N
    side = {}
    for entity, row in zip(entities, labels, strict=True):
        if entity and side.setdefault(entity, row.positive) != row.positive:
            raise InputError(
                f"positive: the entity {entity} is on both sides; leave out its rows of one side, "
                "as a study does, or give bools as positive"
            )
    return np.unique(exchange_by_rows(labels)["entities"], return_inverse=True)[1]


def refuse_other_rows(pool: Any, labels: Any) -> None:
    """Raises InputError if activations that know their rows' ids are not those of these rows."""
    ids = getattr(pool, "ids", None)
    if not are_rows(labels) or ids is None or not all(hasattr(row, "id") for row in labels):
        return
    for number, (id_, row) in enumerate(zip(ids, labels, strict=False)):
        if id_ != row.id:
            raise InputError(
                f"positive: row {number} is {row.id!r}, and that of the activations {id_!r}; give "
                "the rows that were extracted, in their order"
            )
