"""Permutation tests of where two labelled sides differ: a family of places, and their nodes.

The labels are known, so that no search is needed: every statistic is a few matrix products for all
labellings together. If rows must be searched for as well, use `calibrate` and the scans.
Letters: P places, N rows, D nodes, T permutations (index 0 of T + 1 is observed).
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from personascan.calibration.family import (
    FAMILIES,
    common_scale,
    conservative_family_p,
    conservative_step_down_p,
    permutation_z,
    tie_limit,
)
from personascan.calibration.label_exchange import Exchange, draw_exchanges, exchange_of
from personascan.calibration.node_tests import Nodes, effect_of, node_tests
from personascan.calibration.pool import as_places, place_key
from personascan.calibration.statistics import STATISTICS, LabelContrasts, place_statistics
from personascan.direction import Direction
from personascan.errors import InputError
from personascan.places import Place
from personascan.scan.runs import Pool
from personascan.showing import Shown, plot_places

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

ALWAYS = ("direction", "nodes")  # computed together, whichever statistic is asked for
SIGNIFICANCE = 0.05


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
            f"permutations, statistic {self.statistic}: "
            f"highest at {self.keys[at]} (z {self.z[at]:.1f}, "
            f"family-wise p {self.p_family[at]:.3g}, least possible {self.floor:.2g}); "
            f"{count_text(len(self.found), 'place')} with family-wise p <= {SIGNIFICANCE:g}"
        )

    def plot(self, axes: "Axes | None" = None) -> "Axes":
        """Draws z by layer on matplotlib axes, above what permuted labels give."""
        limit = float(np.quantile(self.z_PT[:, 1:].max(0), 1 - SIGNIFICANCE))
        return plot_places(self.keys, self.z, limit, axes)

    def to_frame(self) -> "pandas.DataFrame":
        """Returns a row for each place."""
        import pandas  # not before: it takes as long to import as a scan takes

        return pandas.DataFrame(
            {"place": list(map(str, self.keys)), "z": self.z, "p": self.p,
             "p_family": self.p_family, "p_step_down": self.p_step_down}
            | {name: values_PT[:, 0] for name, values_PT in self.values.items()}
        )  # fmt: skip


@dataclass(frozen=True, repr=False)
class Located(PlaceTests):
    """The tests of all places (`PlaceTests`), and the nodes of any of them, as `locate` returns.

    places: the pool. labels: its labellings.
    """

    places: Mapping[Any, Any] = field(repr=False, kw_only=True)
    labels: LabelContrasts = field(repr=False, kw_only=True)

    def nodes(self, key: Any = None) -> Nodes:
        """Returns the nodes of a place, by default of the best.

        A `Place` may be given by its name, such as "resid_post 7 last". Raises InputError if there
        is no such place.
        """
        key = self.keys[self.best] if key is None else place_key(self.places, key)
        return node_tests(f"place {key} of the pool", self.places[key], self.labels)

    def direction(self, key: Any = None, nodes: npt.ArrayLike | None = None) -> Direction:
        """Returns the mean of H1 less the mean of H0 at a place, to steer along.

        Strength 1 moves a row from one mean to the other. The rows that chose the place and made
        the direction say nothing of how well it works: judge it on others.

        Args:
          key: the place, by default the best; also by its name.
          nodes: numbers or a mask of the nodes to keep, such as those with a small q; None: all.

        Raises:
          InputError: a key that is not there, or names no place of a language model.
        """
        key = self.keys[self.best] if key is None else place_key(self.places, key)
        if not isinstance(key, Place) or key.network:
            raise InputError(
                f"{key!r} names no place of a language model, along which it can be steered; give "
                "activations of extract or read_torch"
            )
        shift_D = np.array(self.nodes(key).mean_difference, np.float32)
        if nodes is not None:
            kept_D = np.zeros(shift_D.size, bool)
            kept_D[np.asarray(nodes)] = True
            shift_D = np.where(kept_D, shift_D, np.float32(0))
        made = {"kind": "mean difference", "place": [key.site, key.layer, key.position]}
        return Direction(f"H1 less H0 at {key}", {(key.site, key.layer): shift_D}, record=made)


def locate(
    pool: Pool,
    positive: npt.ArrayLike,
    *,
    pairs: npt.ArrayLike | None = None,
    entities: npt.ArrayLike | None = None,
    within: npt.ArrayLike | None = None,
    statistic: str = "direction",
    permutations: int = 999,
    family: str = "studentised",
    seed: int = 0,
) -> Located:
    """Tests where labelled rows differ: permutation p-values of places, and of the nodes of each.

    Args:
      pool: activations [P, N, D], [N, D], a sequence of [N, D], or a mapping {key: [N, D]} of any
        widths and origins, such as what `extract` returns: the places of the family, read one at a
        time.
      positive: bool [N], True where a row belongs to H1.
      pairs: a name for each row; the two rows of a pair, one of each side, swap labels.
      entities: a name for each row; each entity has one label, which all its rows share.
      within: a name for each row; rows exchange labels only with rows of the same group.
      statistic: "direction" (a shrunken Hotelling statistic: differences of means along any
        direction), "nodes" (the largest |t| of a node: few strong nodes), "distribution" (energy
        distance: also differences of spread) or "node scan" (the best nodes over every alpha:
        spread in few nodes). The first two are always computed (`by`).
      permutations: number of labellings besides the observed one; if fewer exist, all of them are
        used, and `floor` is the least p that they give.
      family: how places are made comparable: "studentised" (each by its own T + 1 values) or
        "min_p" (each by its rank among them, which needs 499 permutations or more).
      seed: seed of the labellings.

    Returns:
      Located. A labelling that equals the observed value counts as one that reaches it (Phipson
      and Smyth 2010). The family-wise p compares a place with the maximum over places inside each
      labelling (Westfall and Young 1993, single step).

    Raises:
      InputError: labels that are no bools, fewer than two rows of a side, what `exchange_of`
        refuses, fewer than 19 permutations, NaN or Inf (names place, row and node), a place with
        another number of rows, all places constant, products beyond memory.
    """
    for choice, known, name in (
        (statistic, STATISTICS, "statistic"), (family, FAMILIES, "family"),
    ):  # fmt: skip
        if choice not in known:
            raise InputError(f"{name} {choice!r} is unknown; use one of {', '.join(known)}")
    exchange = exchange_of(positive, pairs=pairs, entities=entities, within=within)
    places = as_places(pool)
    labels = LabelContrasts(exchange, draw_exchanges(exchange, permutations, seed))
    names = dict.fromkeys((*ALWAYS, statistic))
    by_place = [statistics_at(places, key, labels, names) for key in places]
    values = {name: np.array([one[name] for one in by_place]) for name in names}
    if not values["nodes"].any():
        raise InputError("every node of every place is constant: nothing can differ")
    return Located(tuple(places), statistic, values, exchange, family, places=places, labels=labels)


def statistics_at(
    places: Mapping, key, labels: LabelContrasts, statistics
) -> dict[str, np.ndarray]:
    """Returns the statistics of one place. Raises InputError if rows and labels do not match."""
    name, rows = f"place {key} of the pool", labels.exchange.positive_N.size
    place_ND = places[key]
    shape = np.shape(place_ND)
    if shape[:1] != (rows,):
        count = f"{shape[0]} rows" if shape else "no rows"
        raise InputError(f"{name} has {count} and there are {rows} labels")
    return place_statistics(name, place_ND, labels, statistics)


def count_text(number: int, name: str) -> str:
    """Returns a number with its noun, such as "2 places"."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
