"""How many nodes sets share by chance: sets that tell random halves of the H0 rows apart.

Such sets have no meaning, but keep correlated nodes together. Permuted labels would not do: H1 rows
lie on both sides of them, so that nodes that tell H1 apart are in every permuted set as well.
Letters: T halvings, N rows of H0, D nodes.
"""

from collections.abc import Sequence

import numpy as np

from personascan.analysis.localisation import in_half
from personascan.array_like import ArrayLike
from personascan.calibration.label_exchange import draw_exchanges, exchange_of
from personascan.calibration.statistics import LabelContrasts, standardise
from personascan.errors import InputError


def halving_labels(rows: int, seed: int, clusters_N: ArrayLike | None = None) -> np.ndarray:
    """Draws one half of H0 at random: bool [N]. Rows of a cluster stay together.

    Args:
      rows: N, of H0.
      seed: of the draw.
      clusters_N: a number for each row; None: every row is its own.
    """
    return in_half(np.zeros(rows), seed, clusters_N) == 1


def can_halve(half_N, halvings: int, clusters_N=None) -> bool:
    """Returns whether H0 has more than this many halvings."""
    try:
        return exchange_of(half_N, entities=clusters_N).distinct > halvings
    except InputError:
        return False


def halving_sizes(
    h0_ND: ArrayLike,
    half_N: ArrayLike,
    halvings: int,
    seed: int,
    clusters_N: ArrayLike | None = None,
) -> np.ndarray:
    """Returns how far each node differs between random halves of H0: [T, D].

    Sizes are |correlations| with the halving, which order nodes as |t| does. `overlaps` takes them
    as `chance`.

    Args:
      h0_ND: activations of the H0 rows of one place.
      half_N: bool, one half (`halving_labels`), which is drawn anew for each halving.
      halvings: T.
      seed: of the halvings.
      clusters_N: rows of one cluster stay in one half; None: every row is its own.

    Raises:
      InputError: as `locate`: halves of fewer than two rows, NaN or Inf.
    """
    exchange = exchange_of(half_N, entities=clusters_N)
    labels = LabelContrasts(exchange, draw_exchanges(exchange, halvings, seed))
    rows = standardise("H0", h0_ND, exchange.group_N)
    return np.abs(labels.contrasts_NT[:, 1:].T @ rows.z_ND)


def sets_of_size(size_TD: np.ndarray, size: int, seed: int | Sequence[int]) -> np.ndarray:
    """Selects the nodes that differ most in each halving, ties at random: bool [T, D].

    Args:
      size_TD: how far each node differs in each halving (`halving_sizes`).
      size: nodes of a set.
      seed: of ties.
    """
    chosen_TD = np.zeros(size_TD.shape, bool)
    if not size:
        return chosen_TD
    ties_TD = np.random.default_rng(seed).random(size_TD.shape)
    ordered_TD = np.lexsort((ties_TD, -size_TD), axis=1)
    np.put_along_axis(chosen_TD, ordered_TD[:, :size], True, axis=1)
    return chosen_TD
