"""The tests of a family of places: statistics, z and p of each, under all labellings."""

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from scipy.special import ndtri

from personascan.calibration.family import (
    common_scale,
    conservative_family_p,
    conservative_step_down_p,
    permutation_z,
    tie_limit,
)
from personascan.calibration.label_exchange import Exchange
from personascan.calibration.node_tests import effect_of
from personascan.errors import InputError
from personascan.showing import A, Shown, plot_places

if TYPE_CHECKING:
    import pandas

    from personascan.showing import FigureAxes

SIGNIFICANCE = 0.05
STATISTIC_WORDS = {
    "direction": "by differences along any direction",
    "nodes": "by the largest difference of a node",
    "distribution": "by differences of any kind",
    "node scan": "by the best nodes at any alpha",
}
# Of a family without a finding: what else may look like one.
NOTHING = "; nothing is found: a p of one place, or of nodes within one, pays for no such search"


@dataclass(frozen=True, repr=False)
class PlaceTests(Shown):
    """Tests of a family of places under all labellings of a comparison.

    keys: the places, in the pool's order, which is that of every array [P]. statistic: the one that
    `p`, `z` and `score` are of. values: {statistic: [P, T + 1]}, the observed value first.
    exchange: how labels may be exchanged. family: how places are made comparable.
    """

    keys: tuple[Any, ...]  # of the places, in the pool's order
    statistic: str  # the one that p and z are of
    values: dict[str, np.ndarray] = field(repr=False)  # {statistic: [P, T + 1]}
    exchange: Exchange = field(repr=False)
    family: str = "studentised"

    @property
    def values_PT(self) -> np.ndarray:
        """Values of the statistic, observed and then under permuted labels: [P, T + 1]."""
        return self.values[self.statistic]

    @property
    def score(self) -> np.ndarray:
        """Observed statistic of each place: [P]."""
        return self.values_PT[:, 0]

    @property
    def null(self) -> np.ndarray:
        """Statistic under permuted labels: [P, T]."""
        return self.values_PT[:, 1:]

    @functools.cached_property
    def p(self) -> np.ndarray:
        """Permutation p of each place by itself; a tie counts against the labels: [P]."""
        return (self.values_PT >= tie_limit(self.values_PT)).mean(1)

    @functools.cached_property
    def p_family(self) -> np.ndarray:
        """Family-wise p over all places, single step: [P]."""
        return conservative_family_p(self.values_PT, self.family)

    @functools.cached_property
    def p_step_down(self) -> np.ndarray:
        """Family-wise p, step-down: a place is compared only with those not yet rejected: [P]."""
        return conservative_step_down_p(self.values_PT, self.family)

    @functools.cached_property
    def z_PT(self) -> np.ndarray:
        """All values in deviations from the mean of the permutations: [P, T + 1]."""
        return permutation_z(self.values_PT)

    @property
    def z(self) -> np.ndarray:
        """Observed z of each place: [P]."""
        return self.z_PT[:, 0]

    @property
    def best(self) -> int:
        """Index of the place furthest above its permutations; its key is `best_key`."""
        return int(self.z.argmax())

    @property
    def best_key(self) -> Any:
        """Key of the place furthest above its permutations, as `nodes` takes it."""
        return self.keys[self.best]

    @property
    def permutations(self) -> int:
        """Number of labellings besides the observed one: at most as many as were asked for."""
        return self.values_PT.shape[1] - 1

    @property
    def floor(self) -> float:
        """Least p that these labellings can give."""
        return self.exchange.floor(self.permutations)

    @property
    def found(self) -> tuple[Any, ...]:
        """Keys of places with family-wise p <= 0.05."""
        return tuple(k for k, p in zip(self.keys, self.p_family, strict=True) if p <= SIGNIFICANCE)

    def detectable(self, power: float = 0.8) -> float:
        """Returns the difference of one node's means, in deviations, that has this power.

        It follows from the permutations: the |correlation| that a node must reach at a typical
        place to pass 5% over all places, and the scatter of correlations around their mean
        (Fisher's z).
        """
        nodes, rows = self.by("nodes"), self.exchange.positive_N.size
        z_PT, _ = common_scale(nodes.values_PT, "studentised")
        limit = np.quantile(z_PT[:, 1:].max(0), 1 - SIGNIFICANCE, method="higher")
        values_PT = nodes.values_PT
        r = np.median(values_PT.mean(1) + limit * values_PT.std(1))
        r = np.tanh(np.arctanh(min(r, 1 - 1e-9)) + ndtri(power) / np.sqrt(max(rows - 3, 1)))
        return float(effect_of(r, self.exchange))

    def by(self, statistic: str) -> Self:
        """Returns these tests by another computed statistic. Raises InputError for any other."""
        if statistic not in self.values:
            raise InputError(f"{statistic!r} was not computed; there are {', '.join(self.values)}")
        return replace(self, statistic=statistic)

    def summary(self) -> str:
        at = self.best
        return (
            f"{count_text(len(self.keys), 'place')}, {self.exchange}, {self.permutations} "
            f"permutations, {STATISTIC_WORDS.get(self.statistic, self.statistic)}: "
            f"highest at {self.keys[at]} (z {self.z[at]:.1f}, "
            f"family-wise p {self.p_family[at]:.3g}, least possible {self.floor:.2g}); "
            f"{count_text(len(self.found), 'place')} with family-wise p <= {SIGNIFICANCE:g}"
            f"{'' if self.found else NOTHING}"
        )

    @overload
    def plot(self, axes: None = None) -> "FigureAxes": ...

    @overload
    def plot(self, axes: A) -> A: ...

    def plot(self, axes: Any = None) -> Any:
        """Draws z by layer on matplotlib axes, above what permuted labels give."""
        limit = float(np.quantile(self.z_PT[:, 1:].max(0), 1 - SIGNIFICANCE))
        return plot_places(self.keys, self.z, limit, axes)

    def to_frame(self) -> "pandas.DataFrame":
        """Returns a row for each place.

        Columns: `place`; `z`, `p`, `p_family` and `p_step_down`, as the properties; and of each
        statistic that was computed its observed value, named as in `locate`: `direction`, `nodes`
        (the largest |t| of a node there, and no number of nodes), ...
        """
        import pandas  # not before: it takes as long to import as a scan takes

        return pandas.DataFrame(
            {"place": list(map(str, self.keys)), "z": self.z, "p": self.p,
             "p_family": self.p_family, "p_step_down": self.p_step_down}
            | {name: values_PT[:, 0] for name, values_PT in self.values.items()}
        )  # fmt: skip


def count_text(number: int, name: str) -> str:
    """Returns a number with its noun, such as "2 places"."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
