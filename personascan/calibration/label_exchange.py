"""Which labels may be exchanged: those of rows, pairs, whole entities, or rows within groups.

Under H0 labels mean nothing, and any exchange that keeps the design is equally likely. The rows of
a unit share one label (an entity whose rows are all on one side), and labels are exchanged only
within a group (the two rows of a pair; an entity that is on both sides).
Letters: N rows, U units, T labellings (index 0 of T + 1 is observed).
"""

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np

from personascan.errors import InputError
from personascan.scan.samples import check_labels, check_seed

LEAST = 19  # permutations: with fewer no p-value reaches 0.05
MOST = 10**5
BLOCK = 1024  # labellings drawn together


@dataclass(frozen=True)
class Exchange:
    """The labels of a comparison, and how they may be exchanged."""

    positive_N: np.ndarray  # bool: True where a row belongs to H1
    unit_N: np.ndarray  # the unit of each row
    group_N: np.ndarray  # the group of each row, within which units exchange their labels
    kind: str  # "rows", "pairs", "entities" or "rows within groups"

    @functools.cached_property
    def units(self) -> tuple[np.ndarray, np.ndarray]:
        """Label and group of each unit: [U]."""
        first = np.unique(self.unit_N, return_index=True)[1]
        return self.positive_N[first], self.group_N[first]

    @functools.cached_property
    def distinct(self) -> int:
        """Number of distinct labellings, including the observed one."""
        return math.prod(math.comb(size, h1) for size, h1 in self.sizes)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Number of units, and of units of H1, in each group."""
        label_U, group_U = self.units
        size_G, h1_G = np.bincount(group_U), np.bincount(group_U, label_U).astype(int)
        return list(zip(size_G.tolist(), h1_G.tolist(), strict=True))

    @property
    def mirrored(self) -> bool:
        """Whether H1 and H0 may be swapped as a whole, to which two-sided statistics are blind."""
        return all(2 * h1 == size for size, h1 in self.sizes)

    def floor(self, permutations: int) -> float:
        """Returns the least p-value of a two-sided statistic with so many permutations."""
        least = (2 if self.mirrored else 1) / self.distinct
        return max(1 / (permutations + 1), least)

    @property
    def many(self) -> str:
        """Number of distinct labellings as text."""
        return f"{self.distinct:,}" if self.distinct < 10**9 else "over a billion"

    def __str__(self) -> str:
        return f"{self.many} labellings of {self.kind}"


def exchange_of(positive_N, *, pairs=None, entities=None, within=None) -> Exchange:
    """Returns the exchange that a design allows.

    Args:
      positive_N: bool [N], True where a row belongs to H1.
      pairs: a name for each row; the two rows of a pair, one of H1 and one of H0, swap labels.
      entities: a name for each row; each entity has one label, which all its rows share.
      within: a name for each row; rows exchange labels only with rows of the same group.

    Raises:
      InputError: labels that are no bools, fewer than two rows of a side, a sequence of another
        length, a pair that is not one row of each side, an entity on both sides, no group with
        both sides, pairs together with entities or within.
    """
    positive_N = check_positive(positive_N)
    rows = positive_N.size
    if pairs is not None:
        if entities is not None or within is not None:
            raise InputError("pairs cannot be combined with entities or within; give pairs alone")
        pair_N = name_numbers("pairs", pairs, rows)
        check_pairs(pair_N, pairs, positive_N)
        return Exchange(positive_N, np.arange(rows), pair_N, "pairs")
    kind, unit_N, group_N = "rows", np.arange(rows), np.zeros(rows, int)
    if within is not None:
        kind, group_N = "rows within groups", name_numbers("within", within, rows)
    if entities is not None:
        unit_N = name_numbers("entities", entities, rows)
        check_units(unit_N, entities, positive_N, group_N)
        if unit_N.max() + 1 < rows:
            kind = kind.replace("rows", "entities")
        else:
            unit_N = np.arange(rows)  # every row its own
    exchange = Exchange(positive_N, unit_N, group_N, kind)
    if exchange.distinct == 1:
        raise InputError(
            f"no other labelling of these {kind} exists, so that nothing can be tested; give more "
            "than one unit on each side, and groups that have both sides"
        )
    return exchange


def comparison_exchange(positive_N, entities_N=None, pairs_N=None) -> Exchange:
    """Returns the exchange of a comparison: in pairs of any size, by entities, or by rows."""
    if pairs_N is None:
        return exchange_of(positive_N, entities=entities_N)
    both_P2 = np.stack([np.bincount(pairs_N, ~positive_N), np.bincount(pairs_N, positive_N)], 1)
    if (both_P2[both_P2.any(1)] == 1).all():
        return exchange_of(positive_N, pairs=pairs_N)
    return exchange_of(positive_N, within=pairs_N)


def check_positive(positive_N) -> np.ndarray:
    """Returns labels as bool [N]. Raises InputError unless each side has two rows."""
    values = np.asarray(positive_N)
    if values.dtype.kind == "f" and values.ndim == 1 and values.size:
        raise InputError(
            f"positive holds floats ({values.dtype}); give bools, for example probability > 0.5"
        )
    labels_N = check_labels(positive_N, "positive")
    h1 = int(labels_N.sum())
    for side, count in (("H1 (True)", h1), ("H0 (False)", labels_N.size - h1)):
        if count < 2:
            raise InputError(f"{side} has {count} of {labels_N.size} rows; each side needs two")
    return labels_N


def name_numbers(name: str, labels, rows: int) -> np.ndarray:
    """Returns the names of rows as numbers from 0: [N]. Raises InputError for missing ones."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.size != rows:
        raise InputError(f"{name} needs one label for each of {rows} rows, got {labels.shape}")
    missing = labels != labels  # NaN
    if np.any(missing) or (labels.dtype.kind == "O" and any(x is None for x in labels)):
        raise InputError(f"{name} holds missing labels; name each row's, or drop these rows")
    try:
        return np.unique(labels, return_inverse=True)[1]
    except TypeError as error:
        raise InputError(f"{name} holds labels of several types; use one") from error


def check_pairs(pair_N, pairs, positive_N) -> None:
    """Raises InputError unless each pair is one row of H1 and one of H0."""
    both_P2 = np.stack([np.bincount(pair_N, ~positive_N), np.bincount(pair_N, positive_N)], 1)
    wrong = np.flatnonzero((both_P2 != 1).any(1))
    if wrong.size:
        name = np.asarray(pairs)[np.flatnonzero(pair_N == wrong[0])[0]]
        h0, h1 = both_P2[wrong[0]].astype(int)
        raise InputError(
            f"pair {name!s} has {h1} rows of H1 and {h0} of H0 ({wrong.size} such pairs); a pair "
            "is one of each"
        )


def check_units(unit_N, entities, positive_N, group_N) -> None:
    """Raises InputError unless each unit has one label and one group."""
    for values_N, fault in (
        (positive_N, "is on both sides; give it as `within`, so that labels move inside it"),
        (group_N, "is in several groups of `within`; an entity stays in one"),
    ):
        low_U, high_U = np.full(unit_N.max() + 1, np.inf), np.zeros(unit_N.max() + 1)
        np.minimum.at(low_U, unit_N, values_N)
        np.maximum.at(high_U, unit_N, values_N)
        wrong = np.flatnonzero(low_U != high_U)
        if wrong.size:
            name = np.asarray(entities)[np.flatnonzero(unit_N == wrong[0])[0]]
            raise InputError(f"entity {name!s} {fault} ({wrong.size} such entities)")


def draw_exchanges(exchange: Exchange, permutations: int, seed: int) -> np.ndarray:
    """Draws distinct labellings, the observed labels first: bool [T + 1, N].

    If no more than `permutations` + 1 exist, all of them are returned and T may be smaller. With
    fewer permutations the result is the first part of that with more.

    Raises:
      InputError: permutations or a seed that is no such number.
    """
    check_seed(seed)
    if isinstance(permutations, bool) or not isinstance(permutations, int | np.integer):
        raise InputError(f"permutations must be a whole number, got {permutations!r}")
    if not LEAST <= permutations <= MOST:
        raise InputError(
            f"permutations = {permutations}; use {LEAST} (fewer reach no p of 0.05) to {MOST}"
        )
    label_U, group_U = exchange.units
    if exchange.distinct <= permutations + 1:
        labels_TU = all_labellings(label_U, group_U)
    else:
        labels_TU = distinct_labellings(label_U, group_U, permutations, seed)
    return labels_TU[:, exchange.unit_N]


def all_labellings(label_U, group_U) -> np.ndarray:
    """Returns every labelling of the units, the observed one first: bool [T + 1, U]."""
    members = [np.flatnonzero(group_U == group) for group in range(group_U.max() + 1)]
    ways = [itertools.combinations(units, int(label_U[units].sum())) for units in members]
    chosen = [np.concatenate(way).astype(int) for way in itertools.product(*ways)]
    labels_TU = np.zeros((len(chosen), label_U.size), bool)
    for labels_U, units in zip(labels_TU, chosen, strict=True):
        labels_U[units] = True
    others = labels_TU[(labels_TU != label_U).any(1)]
    return np.concatenate([label_U[None], others])


def distinct_labellings(label_U, group_U, permutations: int, seed: int) -> np.ndarray:
    """Draws so many labellings, no two equal, after the observed one: bool [T + 1, U]."""
    rng = np.random.default_rng([seed, label_U.size])
    ordered_U = label_U[np.argsort(group_U, kind="stable")]
    seen, labellings = {np.packbits(label_U).tobytes()}, [label_U]
    while len(labellings) <= permutations:
        # Units are ordered by group, and at random within it: the n-th unit gets the n-th label.
        block = min(BLOCK, permutations + 1 - len(labellings))
        order_BU = (group_U + rng.random((block, label_U.size))).argsort(1)
        label_BU = np.empty(order_BU.shape, bool)
        np.put_along_axis(label_BU, order_BU, np.broadcast_to(ordered_U, order_BU.shape), 1)
        for drawn_U, key in zip(label_BU, np.packbits(label_BU, axis=1), strict=True):
            if key.tobytes() not in seen:
                seen.add(key.tobytes())
                labellings.append(drawn_U)
    return np.array(labellings)


def label_contrasts(labels_TN, group_N) -> np.ndarray:
    """Returns labels less their mean in each group, of length 1: [N, T + 1] float64.

    Their product with rows of `standardise` is a correlation of nodes and labels.
    """
    size_G = np.bincount(group_N)
    by_group_NT = labels_TN.T.astype(np.float64)
    sums_GT = np.zeros((size_G.size, len(labels_TN)))
    np.add.at(sums_GT, group_N, by_group_NT)
    centred_NT = by_group_NT - (sums_GT / size_G[:, None])[group_N]
    return centred_NT / np.sqrt((centred_NT**2).sum(0))
