"""Where two labelled sides differ, and in which nodes: permutation tests over a family of places.

The labels are known, so that nothing is scanned for: every statistic is a few matrix products for
all labellings at once. Where rows must be found as well, `calibrate` and the scans do that.
Letters: P places, N rows, D nodes, T permutations (index 0 of T + 1 is observed).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from personascan.calibration.calibrate import as_places, listed
from personascan.calibration.exchangeable import Exchange, draw_exchanges, exchange_of
from personascan.calibration.family import studentised
from personascan.calibration.node_tests import TIE, Nodes, node_tests
from personascan.calibration.statistics import STATISTICS, Labelled, place_statistics
from personascan.errors import InputError

ALWAYS = ("direction", "nodes")  # they share their products
FAMILIES = ("studentised", "min_p")
LEVEL = 0.05


@dataclass(frozen=True)
class Located:
    """A comparison beside its labellings, at every place of a family."""

    keys: tuple  # of the places, in the pool's order
    statistic: str  # whose p and z these are
    values: dict[str, np.ndarray] = field(repr=False)  # {statistic: [P, T + 1]}
    p: np.ndarray  # [P]: of each place by itself
    p_family: np.ndarray  # [P]: over the search among all places
    z: np.ndarray  # [P]: observed, in deviations of the permutations from their mean
    exchange: Exchange = field(repr=False)
    places: Mapping = field(repr=False)  # the activations, for the nodes of any place
    labels: Labelled = field(repr=False)
    family: str = "studentised"

    @property
    def permutations(self) -> int:
        """Labellings beside the observed."""
        return len(self.labels.labels_TN) - 1

    @property
    def floor(self) -> float:
        """The least p that these labellings can give."""
        return self.exchange.floor(self.permutations)

    @property
    def best(self):
        """The key of the place furthest above its permutations; the first of equals."""
        return self.keys[int(self.z.argmax())]

    @property
    def found(self) -> tuple:
        """The keys of places with family-wise p <= 0.05."""
        return tuple(k for k, p in zip(self.keys, self.p_family, strict=True) if p <= LEVEL)

    def by(self, statistic: str) -> "Located":
        """The same with another statistic that was computed. Raises InputError for any other."""
        if statistic not in self.values:
            raise InputError(f"{statistic!r} was not computed; there are {', '.join(self.values)}")
        return located(self, statistic, self.family)

    def nodes(self, key=None) -> Nodes:
        """The nodes of a place, by default of the best. Raises InputError for no place."""
        key = self.best if key is None else key
        if key not in self.keys:
            raise InputError(f"{key!r} is no place of the pool: {listed(self.keys)}")
        return node_tests(f"place {key} of the pool", self.places[key], self.labels)

    def summary(self) -> str:
        at = self.keys.index(self.best)
        return (
            f"{len(self.keys)} places, {self.exchange}, {self.permutations} permutations, "
            f"statistic {self.statistic}: highest at {self.best} (z {self.z[at]:.1f}, family-wise "
            f"p {self.p_family[at]:.3g}, least possible {self.floor:.2g}); {len(self.found)} "
            f"places with family-wise p <= {LEVEL:g}"
        )

    def __repr__(self) -> str:
        return f"Located({self.summary()})"

    def to_frame(self):
        """A pandas DataFrame with a row for each place (extra `frames`)."""
        import pandas

        return pandas.DataFrame(
            {"place": list(map(str, self.keys)), "z": self.z, "p": self.p,
             "p_family": self.p_family}
            | {name: values[:, 0] for name, values in self.values.items()}
        )  # fmt: skip


def locate(
    pool,
    positive,
    *,
    pairs=None,
    entities=None,
    within=None,
    statistic: str = "direction",
    permutations: int = 999,
    family: str = "studentised",
    seed: int = 0,
) -> Located:
    """Where labelled rows differ: permutation p-values of places, and of the nodes of each.

    Args:
      pool: activations [P, N, D], [N, D], a sequence of [N, D], or a mapping {key: [N, D]} of any
        widths and origins: the places of the family, read one at a time.
      positive: bool [N], True where a row belongs to H1.
      pairs: a label a row; the two rows of a pair, one of each side, swap their labels.
      entities: a label a row; each entity has one label, which its rows keep together.
      within: a label a row; labels move among the rows of one group alone.
      statistic: "direction" (a shrunken Hotelling statistic: differences of means along any
        direction), "nodes" (the largest |t| of a node: few strong nodes) or "distribution" (energy
        distance: also differences of spread). The first two are always there (`by`).
      permutations: labellings; all there are where these are fewer, and the least p says so.
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
    none = np.full(len(values["nodes"]), np.nan)
    whole = Located(
        tuple(places), statistic, values, none, none, none, exchange, places, labelled, family
    )
    return located(whole, statistic, family)


def statistics_at(places: Mapping, key, labelled: Labelled, statistics) -> dict[str, np.ndarray]:
    """Those of one place. Raises InputError where its rows are not those of the labels."""
    name, rows = f"place {key} of the pool", labelled.exchange.positive_N.size
    place_ND = places[key]
    shape = getattr(place_ND, "shape", (len(place_ND),))
    if shape[:1] != (rows,):
        raise InputError(f"{name} has {shape[0]} rows and there are {rows} labels")
    return place_statistics(name, place_ND, labelled, statistics)


def located(whole: Located, statistic: str, family: str) -> Located:
    """The p-values of one statistic."""
    values_PT = whole.values[statistic]
    return Located(
        whole.keys, statistic, whole.values, place_p(values_PT), family_p(values_PT, family),
        by_permutations(values_PT)[:, 0], whole.exchange, whole.places, whole.labels, family,
    )  # fmt: skip


def place_p(values_PT) -> np.ndarray:
    """The share of labellings that reach the observed value, itself among them: [P]."""
    return (values_PT >= lowest_equal(values_PT)).mean(1)


def lowest_equal(values_PT) -> np.ndarray:
    """The observed values, less what single precision may have rounded: [P, 1]."""
    return values_PT[:, :1] - TIE * np.abs(values_PT).max(1, keepdims=True)


def family_p(values_PT, family: str) -> np.ndarray:
    """Family-wise p of every place [P]: single step, ties beaten."""
    if family == "min_p":
        ranked_PT = ranks(values_PT)
        return (ranked_PT.max(0) >= ranked_PT[:, :1]).mean(1)
    z_PT, observed_P1 = studentised(values_PT), values_PT[:, :1]
    deviation_P1 = values_PT.std(1, keepdims=True)
    some_P1 = deviation_P1 > 1e-12 * np.abs(values_PT).max(1, keepdims=True)
    slack_P1 = np.where(
        some_P1, (observed_P1 - lowest_equal(values_PT)) / np.where(some_P1, deviation_P1, 1), 0
    )
    return (z_PT.max(0) >= z_PT[:, :1] - slack_P1).mean(1)


def ranks(values_PT) -> np.ndarray:
    """How many labellings each value beats or equals not: minus the number that reach it."""
    step_P1 = TIE * np.abs(values_PT).max(1, keepdims=True)
    ordered_PT = np.sort(values_PT, axis=1)
    return np.stack([
        np.searchsorted(ordered_T, values_T - step, "left")
        for ordered_T, values_T, step in zip(ordered_PT, values_PT, step_P1[:, 0], strict=True)
    ])  # fmt: skip


def by_permutations(values_PT) -> np.ndarray:
    """In deviations of the permutations from their mean; 0 where they are equal: [P, T + 1]."""
    mean_P1 = values_PT[:, 1:].mean(1, keepdims=True)
    deviation_P1 = values_PT[:, 1:].std(1, keepdims=True)
    equal_P1 = deviation_P1 <= 1e-12 * np.abs(values_PT).max(1, keepdims=True)
    return np.where(equal_P1, 0.0, (values_PT - mean_P1) / np.where(equal_P1, 1.0, deviation_P1))
