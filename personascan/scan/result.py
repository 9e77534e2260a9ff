"""What the scans return: frozen records of NumPy arrays. Letters as in design: L R S N D.

C counts the columns that were scanned: D nodes, or with signed tails D upper and D lower halves.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PValueRange:
    """The range of empirical p-values; p_max is the valid one, and the one the scans test."""

    p_min: np.ndarray  # [N, C] float64; signed: of the right tail, then of the left
    p_max: np.ndarray  # [N, C] float64


@dataclass(frozen=True)
class IndividualScan:
    """The best node set of every row scanned alone."""

    score: np.ndarray  # [N] float64
    alpha: np.ndarray  # [N] float64, NaN where no node is significant at any alpha
    size: np.ndarray  # [N] int64: number of nodes returned (signed: of half-nodes)
    high_ND: np.ndarray  # unsigned: first alpha index at which a node's high value is significant
    low_ND: np.ndarray  # and its low value; the number of alphas where it never is
    best_level_N: np.ndarray  # [N] int32, -1 for an empty subset
    note: str = ""  # why nothing can be found, whatever the data are

    def high(self, row: int) -> np.ndarray:
        """The nodes returned for the row's high values, ascending."""
        return np.flatnonzero(self.high_ND[row] <= self.best_level_N[row])

    def low(self, row: int) -> np.ndarray:
        """The nodes returned for the row's low values, ascending."""
        return np.flatnonzero(self.low_ND[row] <= self.best_level_N[row])

    def nodes(self, row: int) -> np.ndarray:
        """The nodes returned for one row, ascending."""
        return np.union1d(self.high(row), self.low(row))

    def summary(self) -> str:
        if self.note:
            return self.note
        top = int(np.argmax(self.score))
        return (
            f"{len(self.score)} rows scanned alone: mean score {self.score.mean():.2f}, "
            f"highest {self.score[top]:.2f} (row {top}, {self.size[top]} nodes)"
        )


@dataclass(frozen=True)
class ScanResult:
    """The subset of rows and nodes with the highest score found."""

    score: float
    alpha: float  # NaN for an empty subset
    rows: np.ndarray  # sorted ints into the evaluation rows
    high: np.ndarray  # sorted ints: nodes returned for high values
    low: np.ndarray  # and for low ones; two-sided: what most significant values of a node are
    start_scores: np.ndarray  # [S] float64: what each start of the ascent reached
    start_alphas: np.ndarray  # [S] float64: the alpha at which it began
    at_smallest_alpha: bool  # the optimum is the smallest alpha searched: alpha_min may matter
    note: str = ""  # why nothing can be found, whatever the data are

    @property
    def nodes(self) -> np.ndarray:
        """The nodes returned, sorted ints."""
        return np.union1d(self.high, self.low).astype(int)

    @property
    def tails(self) -> np.ndarray:
        """Of each returned node "right" (high values), "left" (low values) or "both"."""
        high, low = np.isin(self.nodes, self.high), np.isin(self.nodes, self.low)
        return np.array(["both", "right", "left"])[high.astype(int) - low]

    @property
    def starts_at_best(self) -> int:
        """How many starts reached the best score."""
        return int(np.isclose(self.start_scores, self.score, rtol=1e-6).sum())

    @property
    def alphas_at_best(self) -> int:
        """From how many different alphas they began: starts of one alpha may share a basin."""
        at_best_S = np.isclose(self.start_scores, self.score, rtol=1e-6)
        return len(np.unique(self.start_alphas[at_best_S]))  # NaN, of an empty subset, is one

    def record(self) -> dict:
        """The subset as JSON holds it."""
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
            f", from {self.alphas_at_best} alphas, reached it"
        )


@dataclass(frozen=True)
class RunScans:
    """One group scan for each layer and run."""

    score: np.ndarray  # [L, R] float64
    alpha: np.ndarray  # [L, R] float64, NaN for an empty subset
    rows: np.ndarray  # [L, R, N] bool over the pool
    high: np.ndarray  # [L, R, D] bool: nodes returned for high values
    low: np.ndarray  # [L, R, D] bool: and for low ones; two-sided: what most of a node's are
    start_scores: np.ndarray  # [L, R, S] float64, NaN where a run made fewer starts than others
    start_alphas: np.ndarray  # [L, R, S] float64: the alpha at which each began
    at_smallest_alpha: np.ndarray  # [L, R] bool
    note: str = ""  # why nothing can be found, whatever the data are

    @property
    def nodes(self) -> np.ndarray:
        """The nodes returned: [L, R, D] bool."""
        return self.high | self.low

    @property
    def tails(self) -> np.ndarray:
        """1 where a node was returned for high values, -1 for low ones, else 0: [L, R, D] int8."""
        return self.high.astype(np.int8) - self.low.astype(np.int8)

    @property
    def starts_at_best(self) -> np.ndarray:
        """How many starts reached the best score: [L, R]."""
        return np.isclose(self.start_scores, self.score[..., None], rtol=1e-6).sum(-1)

    @property
    def alphas_at_best(self) -> np.ndarray:
        """From how many different alphas they began: [L, R]."""
        at_best_LRS = np.isclose(self.start_scores, self.score[..., None], rtol=1e-6)
        first_LRS = np.sort(np.where(at_best_LRS, self.start_alphas, np.inf), axis=-1)
        changes_LRS = np.diff(first_LRS, axis=-1, prepend=-1.0) > 0
        return (changes_LRS & np.isfinite(first_LRS)).sum(-1)

    def layer(self, index: int) -> "RunScans":
        """One layer, as a record with L = 1."""
        arrays = {name: getattr(self, name)[index : index + 1] for name in ARRAYS}
        return RunScans(**arrays, note=self.note)

    def summary(self) -> str:
        if self.note:
            return self.note
        layers, runs = self.score.shape
        return (
            f"{layers} layers x {runs} runs: mean score {self.score.mean():.2f}, "
            f"{self.rows.sum(-1).mean():.1f} rows and {self.nodes.sum(-1).mean():.1f} nodes a run"
        )


ARRAYS = tuple(name for name in RunScans.__dataclass_fields__ if name != "note")
