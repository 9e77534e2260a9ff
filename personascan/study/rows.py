"""The rows of a pool at a place, by their files on disk, so that any process can read them."""

from dataclasses import dataclass

import numpy as np

from personascan.study.comparisons import Pool
from personascan.study.store import Store, read_stored
from personascan.study.units import Unit, sha256_of


def activations_unit(source, group: str, place) -> Unit:
    """Returns the unit that holds a group's rows at a place."""
    return Unit("activations", source.identity(group, place))


@dataclass(frozen=True)
class StoredRows:
    """Rows [N, D] by the files that hold them and the units that decide them."""

    parts: tuple[tuple[str, np.ndarray], ...]  # (file, its rows), one after the other
    keys: tuple[str, ...]  # of the units that hold them
    shape: tuple[int, int]

    def array(self) -> np.ndarray:
        """Returns the rows in memory: [N, D]. Raises InputError for a file that was changed."""
        return np.concatenate([read_stored(path)[rows] for path, rows in self.parts])

    def inputs(self, positive_N) -> dict:
        """Returns what decides a result of these rows and their labels, as JSON holds it."""
        rows = [np.asarray(rows).tolist() for _, rows in self.parts]
        labels = np.asarray(positive_N, int).tolist()
        return {"activations": list(self.keys), "rows": sha256_of([rows, labels])}


def stored_rows(store: Store, source, pool: Pool, place) -> StoredRows:
    """Returns the rows of a pool at a place of a source."""
    units = [activations_unit(source, group, place) for group, _ in pool.members]
    return StoredRows(
        tuple(
            (str(store.array_path(unit, "rows")), rows)
            for unit, (_, rows) in zip(units, pool.members, strict=True)
        ),
        tuple(unit.key for unit in units),
        (len(pool.ids), source.shape(pool.members[0][0], place)[1]),
    )
