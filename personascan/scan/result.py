"""The results of the scans: frozen records of NumPy arrays.

Letters: L layers, R runs, S starts, N rows, D nodes;
C counts the columns that were scanned: D nodes, or with signed tails D upper and D lower halves.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from personascan.showing import A, Shown, plot_values

if TYPE_CHECKING:
    import pandas

    from personascan.showing import FigureAxes


@dataclass(frozen=True)
class PValueRange:
    """The range of empirical p-values; p_max is the valid one, which the scans test."""

    p_min: np.ndarray  # [N, C] float64; signed: of the right tail, then of the left
    p_max: np.ndarray  # [N, C] float64


@dataclass(frozen=True, repr=False)
class SignedNodes(Shown):
    """Nodes of one place, each with the direction in which it is unusual."""

    high: np.ndarray  # sorted ints: nodes of unusually high values
    low: np.ndarray  # and of low ones; a node may be both

    @property
    def nodes(self) -> np.ndarray:
        """All nodes of either direction, sorted ints."""
        return np.union1d(self.high, self.low).astype(int)

    @property
    def tails(self) -> np.ndarray:
        """For each of `nodes` "right" (high values), "left" (low values) or "both"."""
        high, low = np.isin(self.nodes, self.high), np.isin(self.nodes, self.low)
        return np.array(["both", "right", "left"])[high.astype(int) - low]

    def summary(self) -> str:
        """Returns one line: how many nodes of either direction."""
        return f"{len(self.high)} high and {len(self.low)} low nodes"

    def to_frame(self) -> "pandas.DataFrame":
        """Returns a row for each node: its number and tail."""
        import pandas  # not before: it takes as long to import as a scan takes

        return pandas.DataFrame({"node": self.nodes, "tail": self.tails})

    def halves(self, nodes: int) -> np.ndarray:
        """Returns a mask of half-nodes: bool [2 D], D upper halves, then D lower ones.

        Args:
          nodes: D, the number of nodes of the place.
        """
        numbers = np.concatenate([self.high, nodes + self.low])
        return np.isin(np.arange(2 * nodes), numbers)


@dataclass(frozen=True, repr=False)
class NodeScan(SignedNodes):
    """The node set with the highest score for all evaluation rows together."""

    score: float
    alpha: float  # NaN where no set scores
    n_alpha: int  # p-values of the set at or below alpha
    size: int  # all p-values of the set: rows times columns

    def summary(self) -> str:
        """Returns one line: score, alpha and number of nodes."""
        return f"score {self.score:.4f} at alpha {self.alpha:.4f}: {len(self.nodes)} nodes"


@dataclass(frozen=True, repr=False)
class IndividualScan(Shown):
    """The best node set of every row scanned alone."""

    score: np.ndarray  # [N] float64
    alpha: np.ndarray  # [N] float64, NaN where no node is significant at any alpha
    size: np.ndarray  # [N] int64: number of nodes returned (signed: of half-nodes)
    high_rank_ND: np.ndarray  # unsigned: first alpha index at which a high value is significant
    low_rank_ND: np.ndarray  # and its low value; the number of alphas where it never is
    best_rank_N: np.ndarray  # [N] int32, -1 for an empty subset
    note: str = ""  # why no subset can score, whatever the data are

    def row(self, index: int) -> NodeScan:
        """Returns the node set of one row: its score and alpha, `nodes`, `high` and `low`."""
        high, low = (
            np.flatnonzero(rank_ND[index] <= self.best_rank_N[index])
            for rank_ND in (self.high_rank_ND, self.low_rank_ND)
        )
        size = int(self.size[index])
        return NodeScan(high, low, float(self.score[index]), float(self.alpha[index]), size, size)

    def to_frame(self) -> "pandas.DataFrame":
        """Returns a row for each row scanned: score, alpha and size of its best node set."""
        import pandas  # not before: it takes as long to import as a scan takes

        return pandas.DataFrame({"score": self.score, "alpha": self.alpha, "size": self.size})

    @overload
    def plot(self, axes: None = None) -> "FigureAxes": ...

    @overload
    def plot(self, axes: A) -> A: ...

    def plot(self, axes: Any = None) -> Any:
        """Draws a histogram of the rows' scores on matplotlib axes."""
        return plot_values(self.score, "score", axes)

    def summary(self) -> str:
        """Returns one line: mean and highest score."""
        if self.note:
            return self.note
        top = int(np.argmax(self.score))
        return (
            f"{len(self.score)} rows scanned alone: mean score {self.score.mean():.2f}, "
            f"highest {self.score[top]:.2f} (row {top}, {self.size[top]} nodes)"
        )


@dataclass(frozen=True, repr=False)
class ScanResult(SignedNodes):
    """The subset of rows and nodes with the highest score that the search reached.

    Two-sided, a node is high or low as most of its significant values are.
    """

    score: float
    alpha: float  # NaN for an empty subset
    rows: np.ndarray  # sorted ints into the evaluation rows
    start_scores: np.ndarray  # [S] float64: the score that each start of the ascent reached
    start_alphas: np.ndarray  # [S] float64: the alpha at which it began
    at_smallest_alpha: bool  # the optimum is the smallest alpha searched: alpha_min may matter
    note: str = ""  # why no subset can score, whatever the data are

    @property
    def starts_at_best(self) -> int:
        """Number of starts that reached the best score."""
        return int(np.isclose(self.start_scores, self.score, rtol=1e-6).sum())

    @property
    def alphas_at_best(self) -> int:
        """Number of alphas at which these began: starts at one alpha may share a basin."""
        at_best_S = np.isclose(self.start_scores, self.score, rtol=1e-6)
        return len(np.unique(self.start_alphas[at_best_S]))  # NaN, of an empty subset, is one

    def record(self) -> dict[str, Any]:
        """Returns the subset as values of JSON."""
        return {
            "score": self.score,
            "alpha": None if np.isnan(self.alpha) else self.alpha,
            "rows": self.rows.tolist(),
            "nodes": self.nodes.tolist(),
            "tails": self.tails.tolist(),
            "start_scores": self.start_scores.tolist(),
            "start_alphas": self.start_alphas.tolist(),
            "alphas_at_best": self.alphas_at_best,
            "at_smallest_alpha": self.at_smallest_alpha,
            "note": self.note,
        }

    def summary(self) -> str:
        if self.note:
            return self.note
        edge = ", the smallest alpha searched" if self.at_smallest_alpha else ""
        return (
            f"score {self.score:.4f} at alpha {self.alpha:.4f}{edge}: {len(self.rows)} rows x "
            f"{len(self.nodes)} nodes; {self.starts_at_best} of {len(self.start_scores)} starts"
            f", from {self.alphas_at_best} {'alpha' if self.alphas_at_best == 1 else 'alphas'}"
            ", reached it"
        )


@dataclass(frozen=True, repr=False)
class RunScans(Shown):
    """One group scan for each layer and run."""

    score: np.ndarray  # [L, R] float64
    alpha: np.ndarray  # [L, R] float64, NaN for an empty subset
    rows: np.ndarray  # [L, R, N] bool over the pool
    high_LRD: np.ndarray  # bool: nodes returned for high values; two-sided: mostly high ones
    low_LRD: np.ndarray  # bool: and for low ones
    start_scores: np.ndarray  # [L, R, S] float64, NaN where a run made fewer starts than others
    start_alphas: np.ndarray  # [L, R, S] float64: the alpha at which each began
    at_smallest_alpha: np.ndarray  # [L, R] bool
    note: str = ""  # why no subset can score, whatever the data are

    @property
    def nodes(self) -> np.ndarray:
        """Returned nodes: [L, R, D] bool."""
        return self.high_LRD | self.low_LRD

    @property
    def tails(self) -> np.ndarray:
        """1 where a node was returned for high values, -1 for low ones, else 0: [L, R, D] int8."""
        return self.high_LRD.astype(np.int8) - self.low_LRD.astype(np.int8)

    @property
    def starts_at_best(self) -> np.ndarray:
        """Number of starts that reached the best score: [L, R]."""
        return np.isclose(self.start_scores, self.score[..., None], rtol=1e-6).sum(-1)

    @property
    def alphas_at_best(self) -> np.ndarray:
        """Number of different alphas at which these began: [L, R]."""
        at_best_LRS = np.isclose(self.start_scores, self.score[..., None], rtol=1e-6)
        first_LRS = np.sort(np.where(at_best_LRS, self.start_alphas, np.inf), axis=-1)
        changes_LRS = np.diff(first_LRS, axis=-1, prepend=-1.0) > 0
        return (changes_LRS & np.isfinite(first_LRS)).sum(-1)

    def to_frame(self) -> "pandas.DataFrame":
        """Returns a row for each layer and run: score, alpha, and how many rows and nodes."""
        import pandas  # not before: it takes as long to import as a scan takes

        layer_LR, run_LR = np.indices(self.score.shape)
        columns = {
            "layer": layer_LR, "run": run_LR, "score": self.score, "alpha": self.alpha,
            "rows": self.rows.sum(-1), "nodes": self.nodes.sum(-1),
        }  # fmt: skip
        return pandas.DataFrame({name: values.ravel() for name, values in columns.items()})

    def layer(self, index: int) -> "RunScans":
        """Returns one layer, as a record with L = 1."""
        arrays = {name: getattr(self, name)[index : index + 1] for name in ARRAYS}
        return RunScans(**arrays, note=self.note)

    def run(self, layer: int, run: int) -> ScanResult:
        """Returns one run of one layer; its `rows` are row numbers of the pool."""
        at = layer, run
        made_S = ~np.isnan(self.start_scores[at])
        return ScanResult(
            score=float(self.score[at]),
            alpha=float(self.alpha[at]),
            rows=np.flatnonzero(self.rows[at]),
            high=np.flatnonzero(self.high_LRD[at]),
            low=np.flatnonzero(self.low_LRD[at]),
            start_scores=self.start_scores[at][made_S],
            start_alphas=self.start_alphas[at][made_S],
            at_smallest_alpha=bool(self.at_smallest_alpha[at]),
            note=self.note,
        )

    def summary(self) -> str:
        if self.note:
            return self.note
        layers, runs = self.score.shape
        return (
            f"{layers} layers x {runs} runs: mean score {self.score.mean():.2f}, "
            f"{self.rows.sum(-1).mean():.1f} rows and {self.nodes.sum(-1).mean():.1f} nodes a run"
        )


ARRAYS = tuple(name for name in RunScans.__dataclass_fields__ if name != "note")
