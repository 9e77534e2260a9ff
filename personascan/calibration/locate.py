"""Where two labelled sides differ, and in which nodes: permutation tests over a family of places.

The labels are known, so that nothing is scanned for: every statistic is a few matrix products for
all labellings at once. Where rows must be found as well, `calibrate` and the scans do that.
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
    conservative_family_p,
    conservative_step_down_p,
    least_tied,
    on_one_scale,
    permutation_z,
)
from personascan.calibration.label_exchange import Exchange, draw_exchanges, exchange_of
from personascan.calibration.node_tests import Nodes, effect_of, node_tests
from personascan.calibration.pool import as_places, place_key
from personascan.calibration.statistics import STATISTICS, Labelled, place_statistics
from personascan.errors import InputError
from personascan.scan.runs import Pool

if TYPE_CHECKING:
    import pandas

ALWAYS = ("direction", "nodes")  # computed together, so that both are there
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class PlaceTests:
    """A family of places, each beside all labellings of a comparison.

    keys: the places, in the pool's order, as every array [P] here has them. statistic: the one
    whose `p`, `z` and `score` these are. values: {statistic: [P, T + 1]}, the observed value first.
    exchange: how labels may be exchanged. family: how places are made comparable.
    """

    keys: tuple[Any, ...]  # of the places, in the pool's order
    statistic: str  # whose p and z these are
    values: dict[str, np.ndarray] = field(repr=False)  # {statistic: [P, T + 1]}
    exchange: Exchange = field(repr=False)
    family: str = "studentised"

    @property
    def values_PT(self) -> np.ndarray:
        """Of the statistic: the observed value, then those under permuted labels."""
        return self.values[self.statistic]

    @property
    def score(self) -> np.ndarray:
        """The observed statistic of each place: [P]."""
        return self.values_PT[:, 0]

    @property
    def null(self) -> np.ndarray:
        """The statistic under permuted labels: [P, T]."""
        return self.values_PT[:, 1:]

    @functools.cached_property
    def p(self) -> np.ndarray:
        """The permutation p of each place by itself; a tie counts against the labels: [P]."""
        return (self.values_PT >= least_tied(self.values_PT)).mean(1)

    @functools.cached_property
    def p_family(self) -> np.ndarray:
        """The same over the search among all places, single step: [P]."""
        return conservative_family_p(self.values_PT, self.family)

    @functools.cached_property
    def p_step_down(self) -> np.ndarray:
        """The same, step-down: a place is compared only with those not yet rejected: [P]."""
        return conservative_step_down_p(self.values_PT, self.family)

    @functools.cached_property
    def z_PT(self) -> np.ndarray:
        """All values in deviations of the permutations from their mean: [P, T + 1]."""
        return permutation_z(self.values_PT)

    @property
    def z(self) -> np.ndarray:
        """The observed z of each place: [P]."""
        return self.z_PT[:, 0]

    @property
    def best(self) -> int:
        """The index of the place furthest above its permutations; its key is `best_key`."""
        return int(self.z.argmax())

    @property
    def best_key(self) -> Any:
        """The key of that place, as `nodes` takes it."""
        return self.keys[self.best]

    @property
    def permutations(self) -> int:
        """Labellings beside the observed: all that there are, where these are fewer than asked."""
        return self.values_PT.shape[1] - 1

    @property
    def floor(self) -> float:
        """The least p that these labellings can give."""
        return self.exchange.floor(self.permutations)

    @property
    def found(self) -> tuple[Any, ...]:
        """The keys of places with family-wise p <= 0.05."""
        return tuple(k for k, p in zip(self.keys, self.p_family, strict=True) if p <= SIGNIFICANCE)

    def detectable(self, power: float = 0.8) -> float:
        """The difference of one node's means, in deviations, that is found with this probability.

        From the permutations: the |correlation| that a node must reach at a typical place to pass
        5% over all places, and how far correlations scatter around their mean (Fisher's z).
        """
        nodes, rows = self.by("nodes"), self.exchange.positive_N.size
        z_PT, _ = on_one_scale(nodes.values_PT, "studentised")
        limit = np.quantile(z_PT[:, 1:].max(0), 1 - SIGNIFICANCE, method="higher")
        values_PT = nodes.values_PT
        r = np.median(values_PT.mean(1) + limit * values_PT.std(1))
        r = np.tanh(np.arctanh(min(r, 1 - 1e-9)) + ndtri(power) / np.sqrt(max(rows - 3, 1)))
        return float(effect_of(r, self.exchange))

    def by(self, statistic: str) -> Self:
        """The same by another statistic that was computed. Raises InputError for any other."""
        if statistic not in self.values:
            raise InputError(f"{statistic!r} was not computed; there are {', '.join(self.values)}")
        return replace(self, statistic=statistic)

    def summary(self) -> str:
        at = self.best
        return (
            f"{counted(len(self.keys), 'place')}, {self.exchange}, {self.permutations} "
            f"permutations, statistic {self.statistic}: "
            f"highest at {self.keys[at]} (z {self.z[at]:.1f}, "
            f"family-wise p {self.p_family[at]:.3g}, least possible {self.floor:.2g}); "
            f"{counted(len(self.found), 'place')} with family-wise p <= {SIGNIFICANCE:g}"
        )

    def to_frame(self) -> "pandas.DataFrame":
        """A row for each place."""
        import pandas  # not before: it takes as long to import as a scan takes

        return pandas.DataFrame(
            {"place": list(map(str, self.keys)), "z": self.z, "p": self.p,
             "p_family": self.p_family, "p_step_down": self.p_step_down}
            | {name: values_PT[:, 0] for name, values_PT in self.values.items()}
        )  # fmt: skip


@dataclass(frozen=True)
class Located(PlaceTests):
    """What `locate` returns: the tests of all places (`PlaceTests`), and the nodes of any of them.

    places: the pool; labels: its labellings.
    """

    places: Mapping[Any, Any] = field(repr=False, kw_only=True)
    labels: Labelled = field(repr=False, kw_only=True)

    def nodes(self, key: Any = None) -> Nodes:
        """The nodes of a place, by default of the best.

        A `Place` may be named by text, such as "resid_post 7 last". Raises InputError if there is
        no such place.
        """
        key = self.keys[self.best] if key is None else place_key(self.keys, key)
        return node_tests(f"place {key} of the pool", self.places[key], self.labels)

    def __repr__(self) -> str:
        return f"Located({self.summary()})"


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
    """Where labelled rows differ: permutation p-values of places, and of the nodes of each.

    Args:
      pool: activations [P, N, D], [N, D], a sequence of [N, D], or a mapping {key: [N, D]} of any
        widths and origins, such as what `extract` returns: the places of the family, read one at a
        time.
      positive: bool [N], True where a row belongs to H1.
      pairs: a label a row; the two rows of a pair, one of each side, swap their labels.
      entities: a label a row; each entity has one label, which its rows keep together.
      within: a label a row; labels move among the rows of one group alone.
      statistic: "direction" (a shrunken Hotelling statistic: differences of means along any
        direction), "nodes" (the largest |t| of a node: few strong nodes), "distribution" (energy
        distance: also differences of spread) or "node scan" (the best nodes over every alpha:
        spread in few nodes). The first two are always there (`by`).
      permutations: number of labellings beside the observed one; if fewer exist, all of them are
        used, and `floor` is the least p that they give.
      family: how places are made comparable: "studentised" (each by its own T + 1 values) or
        "min_p" (each by its rank among them, which wants 499 permutations or more).
      seed: of the labellings.

    Returns:
      Located. A labelling that equals the observed value counts as beaten (Phipson and Smyth
      2010), and the family-wise p is the maximum's over places inside each labelling (Westfall and
      Young 1993, single step).

    Raises:
      InputError: labels that are no bools, fewer than two rows of a side, what `exchange_of`
        refuses, fewer than 19 permutations, NaN or Inf (names place, row and node), rows of
        another number, all places constant, products beyond memory.
    """
    for given, known, name in (
        (statistic, STATISTICS, "statistic"), (family, FAMILIES, "family"),
    ):  # fmt: skip
        if given not in known:
            raise InputError(f"{name} {given!r} is unknown; use one of {', '.join(known)}")
    exchange = exchange_of(positive, pairs=pairs, entities=entities, within=within)
    places = as_places(pool)
    labelled = Labelled(exchange, draw_exchanges(exchange, permutations, seed))
    asked = dict.fromkeys((*ALWAYS, statistic))
    found = [statistics_at(places, key, labelled, asked) for key in places]
    values = {name: np.array([one[name] for one in found]) for name in asked}
    if not values["nodes"].any():
        raise InputError("every node of every place is constant: nothing can differ")
    return Located(
        tuple(places), statistic, values, exchange, family, places=places, labels=labelled
    )


def statistics_at(places: Mapping, key, labelled: Labelled, statistics) -> dict[str, np.ndarray]:
    """Returns the statistics of one place. Raises InputError if rows and labels do not match."""
    name, rows = f"place {key} of the pool", labelled.exchange.positive_N.size
    place_ND = places[key]
    shape = np.shape(place_ND)
    if shape[:1] != (rows,):
        given = f"{shape[0]} rows" if shape else "no rows"
        raise InputError(f"{name} has {given} and there are {rows} labels")
    return place_statistics(name, place_ND, labelled, statistics)


def counted(number: int, name: str) -> str:
    """A number of things, in words."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
