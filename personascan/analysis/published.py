"""Reader of the published code's run files, so that old results can be compared with new ones."""

import os
import pathlib
from dataclasses import dataclass

import numpy as np

from personascan.errors import InputError
from personascan.reading import refuse_special

FIELDS = ("score", "precision", "recall", "row count", "node count", "alpha", "nodes", "rows")


@dataclass(frozen=True)
class PublishedRuns:
    """The runs of one published file, in the order of its lines."""

    score: np.ndarray  # [R] float64; the published code can write inf
    precision: np.ndarray  # [R]
    recall: np.ndarray  # [R]
    alpha: np.ndarray  # [R]
    rows: list[np.ndarray]  # sorted ints into the scanned sample of each run
    nodes: list[np.ndarray]  # sorted ints

    def nodes_RD(self, n_nodes: int) -> np.ndarray:
        """Returns the nodes of each run as masks [R, D], for `selection_frequency` and `overlaps`.

        Raises:
          InputError: a node number outside D.
        """
        return as_masks(self.nodes, n_nodes, "node")

    def rows_RN(self, n_rows: int) -> np.ndarray:
        """Returns the rows of each run as masks [R, N]."""
        return as_masks(self.rows, n_rows, "row")

    def first(self, runs: int) -> "PublishedRuns":
        """Returns the first runs alone (the published reader drops the last line)."""
        return PublishedRuns(*(getattr(self, name)[:runs] for name in self.__dataclass_fields__))

    def summary(self) -> str:
        """Formats means and deviations over runs, as published."""
        rows, nodes = ([len(one) for one in part] for part in (self.rows, self.nodes))
        return (
            f"{len(self.score)} runs: precision {self.precision.mean():.4f} ± "
            f"{self.precision.std():.4f}, recall {self.recall.mean():.4f} ± "
            f"{self.recall.std():.4f}, {np.mean(rows):.2f} rows, {np.mean(nodes):.1f} nodes, "
            f"score {self.score.mean():.2f}"
        )


def read_deepscan_output(path: str | os.PathLike[str]) -> PublishedRuns:
    """Reads all runs of a file of the published code.

    A line holds score, precision, recall, number of rows, number of nodes, alpha, the node list and
    the row list, separated by blanks; entries of lists are separated by commas.

    Raises:
      InputError: no such file, or a line of another form (named by number).
    """
    refuse_special(pathlib.Path(path))
    try:
        lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a run file: {error}") from error
    runs = [read_line(path, i, line) for i, line in enumerate(lines, 1) if line.strip()]
    if not runs:
        raise InputError(f"{path} holds no runs")
    numbers, rows, nodes = zip(*runs, strict=True)
    return PublishedRuns(*np.array(numbers).T, rows=list(rows), nodes=list(nodes))


def read_line(path, number: int, line: str):
    """Reads one line: ((score, precision, recall, alpha), rows, nodes)."""
    parts = line.split()
    # An empty subset leaves its lists out.
    parts += [""] * (len(FIELDS) - len(parts)) if len(parts) == len(FIELDS) - 2 else []
    try:
        if len(parts) != len(FIELDS):
            raise ValueError(f"{len(parts)} fields instead of {len(FIELDS)}")
        score, precision, recall, n_rows, n_nodes, alpha = map(float, parts[:6])
        nodes, rows = (
            np.sort(np.array([int(x) for x in part.split(",") if x], int)) for part in parts[6:]
        )
        if (len(rows), len(nodes)) != (n_rows, n_nodes):
            raise ValueError(
                f"it lists {len(rows)} rows and {len(nodes)} nodes, not {n_rows:g} and {n_nodes:g}"
            )
    except ValueError as error:
        raise InputError(f"{path} line {number} is not a run ({error})") from error
    return (score, precision, recall, alpha), rows, nodes


def as_masks(lists: list[np.ndarray], size: int, name: str) -> np.ndarray:
    masks = np.zeros((len(lists), size), bool)
    for run, chosen in enumerate(lists):
        if len(chosen) and not 0 <= chosen[0] <= chosen[-1] < size:
            raise InputError(f"run {run} holds {name} {chosen[-1]}; there are only {size}")
        masks[run, chosen] = True
    return masks
