"""Permutation tests of where two labelled sides differ: a family of places, and their nodes.

The labels are known, so that no search is needed: every statistic is a few matrix products for all
labellings together. If rows must be searched for as well, use `calibrate` and the scans.
Letters: P places, N rows, D nodes, T permutations (index 0 of T + 1 is observed).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from personascan.array_like import ArrayLike
from personascan.bars import bar
from personascan.calibration.family import (
    FAMILIES,
)
from personascan.calibration.label_exchange import draw_exchanges, exchange_of
from personascan.calibration.node_tests import Nodes, node_mask, node_tests
from personascan.calibration.place_tests import PlaceTests
from personascan.calibration.pool import as_places, place_key
from personascan.calibration.statistics import STATISTICS, LabelContrasts, place_statistics
from personascan.direction import MEAN_DIFFERENCE, Direction, unit_lengths
from personascan.errors import InputError
from personascan.places import Place
from personascan.row_labels import RowLabels, exchange_by_rows, refuse_other_rows, sides_of
from personascan.scan.pvalues import as_matrix
from personascan.scan.runs import Pool

if TYPE_CHECKING:
    pass

ALWAYS = ("direction", "nodes")  # computed together, whichever statistic is asked for


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

    def scores(self, rows: ArrayLike | Mapping[Any, ArrayLike], key: Any = None) -> Any:
        """Scores rows of a place by its readout: float [M], the higher, the more like H1.

        The readout is the direction that tells the sides best; `direction` is the one to steer
        along. Rows that were not used here show how well a place tells the sides: their AUROC is
        `sklearn.metrics.roc_auc_score(positive, scores)`.

        Args:
          rows: activations of other rows at the place [M, D], or a mapping that has it.
          key: the place, by default the best; also by its name.

        Raises:
          InputError: a key that is not there, rows of another width.
        """
        key = self.keys[self.best] if key is None else place_key(self.places, key)
        readout_D = self.nodes(key).readout
        rows_MD = as_matrix("rows", rows[key] if isinstance(rows, Mapping) else rows)
        if rows_MD.shape[1] != readout_D.size:
            raise InputError(f"rows has {rows_MD.shape[1]} nodes; {key} has {readout_D.size}")
        return rows_MD @ readout_D

    def direction(self, key: Any = None, nodes: ArrayLike | None = None) -> Direction:
        """Returns the mean of H1 less the mean of H0 at a place, to steer along.

        Strength 1 moves a row from one mean to the other; `in_unit("deviation")` gives it the unit
        of studies and of `personascan steer`. The rows that chose the place and made the direction
        say nothing of how well it works: judge it on others.

        Args:
          key: the place, by default the best; also by its name.
          nodes: numbers or a mask of the nodes to keep, such as those with a small q; None: all.

        Raises:
          InputError: a key that is not there, or names no place of a language model; nodes that are
          not there, or none.
        """
        key = self.keys[self.best] if key is None else place_key(self.places, key)
        if not isinstance(key, Place) or key.network:
            raise InputError(
                f"{key!r} names no place of a language model, along which it can be steered; give "
                "activations of extract or read_torch"
            )
        shift_D = np.array(self.nodes(key).mean_difference, np.float32)
        shift_D = np.where(node_mask(nodes, shift_D.size), shift_D, np.float32(0))
        if not shift_D.any():
            raise InputError(
                f"no nodes are left of the direction at {key}: it would change nothing"
            )
        background_BD = np.asarray(self.places[key])[~self.exchange.positive_N]
        made = {
            "kind": "mean difference", "place": [key.site, key.layer, key.position],
            "strength": MEAN_DIFFERENCE, "lengths": unit_lengths(shift_D, background_BD, shift_D),
        }  # fmt: skip
        return Direction(f"H1 less H0 at {key}", {(key.site, key.layer): shift_D}, record=made)


def locate(
    pool: Pool,
    positive: RowLabels,
    *,
    pairs: ArrayLike | None = None,
    entities: ArrayLike | None = None,
    within: ArrayLike | None = None,
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
      positive: bool [N], True where a row belongs to H1; or the rows, such as statements, whose
        pairs or entities then say how labels are exchanged, unless one of the next three does.
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
    refuse_other_rows(pool, positive)
    design = {"pairs": pairs, "entities": entities, "within": within}
    if all(names is None for names in design.values()):
        design |= exchange_by_rows(positive)
    exchange = exchange_of(sides_of(positive), **design)
    places = as_places(pool)
    labels = LabelContrasts(exchange, draw_exchanges(exchange, permutations, seed))
    names = dict.fromkeys((*ALWAYS, statistic))
    by_place = [statistics_at(places, key, labels, names) for key in bar(places, "places")]
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
