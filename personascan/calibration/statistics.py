"""Statistics of labelled rows at one place, for all labellings at once, each a few products.

Nodes are centred (within groups of exchange) and scaled to length 1, labels likewise, so that a
product of both is a correlation. With A = Z Z' / D and a labelling v:

- direction: H = v' A (A + c I)^-1 v, which is N times a Hotelling T^2 whose covariance is shrunken
  (c = 0.01), and lies in [0, 1): the share of the labels' variance that a ridge regression of them
  on the nodes explains. One Cholesky factor of the smaller of rows and nodes serves all labellings.
- nodes: the largest |correlation| of a node with the labels, which orders as the largest |t| does.
- distribution: the energy distance of both sides (Szekely and Rizzo 2013), which sees differences
  of spread as well as of means; rows are compared as they are, not within groups.
- node scan: the best set of nodes for the rows of a side over every alpha, each alpha ranked among
  the labellings (`scan.node_scan`): differences of spread in few nodes.

Letters: N rows, D nodes (D of them vary), T labellings.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from personascan.calibration.label_exchange import Exchange, label_contrasts
from personascan.memory import refuse_too_much
from personascan.ridge import CONSTANT, SHRINKAGE
from personascan.scan.node_scan import calibrated_scores, labelled_scores
from personascan.scan.pvalues import as_matrix

STATISTICS = ("direction", "nodes", "distribution", "node scan")
AT_ONCE = 1024  # labellings
EXACT = jax.lax.Precision.HIGHEST  # else an accelerator multiplies in fewer bits
SMALL, LARGE = 1e-18, 1e18  # values whose squares single precision holds


@dataclass(frozen=True)
class Standardised:
    """The rows of a place, all nodes on one scale."""

    z_ND: np.ndarray  # float32, centred within groups, of length 1; 0 where a node is constant
    length_D: np.ndarray  # float64: of the centred nodes, in the activations' units
    varying: int  # nodes that are not constant


def standardise(name: str, place_ND, group_N) -> Standardised:
    """Returns the rows of a place, standardised. Raises InputError as `as_matrix`."""
    rows_ND = as_matrix(name, place_ND)
    groups = int(group_N.max()) + 1
    if rows_ND.dtype == np.float32 and SMALL < np.abs((rows_ND.min(), rows_ND.max())).max() < LARGE:
        z_ND, length_D, scale_D = standard_form_float32(rows_ND, group_N, groups, jnp)
    else:  # squares that single precision would lose or overflow
        z_ND, length_D, scale_D = standard_form_float64(rows_ND, group_N, groups)
    length_D = np.asarray(length_D, np.float64) * np.asarray(scale_D, np.float64)
    return Standardised(np.asarray(z_ND), length_D, int((length_D > 0).sum()))


def standard_form_float64(rows_ND, group_N, groups: int):
    """Returns `standard_form`, computed in double precision on the host."""
    z_ND, length_D, scale_D = standard_form(rows_ND.astype(np.float64), group_N, groups, np)
    return z_ND.astype(np.float32), length_D, scale_D


def standard_form(rows_ND, group_N, groups: int, xp):
    """Returns (Z, lengths of centred nodes over their scale, scale); `xp` is NumPy or JAX."""
    largest_1D = xp.abs(rows_ND).max(0, keepdims=True)
    scale_1D = xp.where(largest_1D > 0, largest_1D, 1)
    rows_ND = rows_ND / scale_1D
    for _ in range(2):  # the second pass removes what rounding left of the means
        rows_ND = rows_ND - group_means(rows_ND, group_N, groups, xp)
    length_1D = xp.sqrt((rows_ND * rows_ND).sum(0, keepdims=True))
    varies_1D = length_1D > CONSTANT * np.sqrt(rows_ND.shape[0]).astype(rows_ND.dtype)
    z_ND = rows_ND * xp.where(varies_1D, 1 / xp.where(varies_1D, length_1D, 1), 0)
    return z_ND, xp.where(varies_1D, length_1D, 0)[0], scale_1D[0]


standard_form_float32 = jax.jit(standard_form, static_argnames=("groups", "xp"))


def group_means(values_NX, group_N, groups: int, xp):
    """Returns the mean of each row's group."""
    if groups == 1:
        return values_NX.mean(0, keepdims=True)
    one_GN = (xp.arange(groups)[:, None] == group_N[None]).astype(values_NX.dtype)
    sums_GX = one_GN @ values_NX if xp is np else xp.matmul(one_GN, values_NX, precision=EXACT)
    return (sums_GX / one_GN.sum(1, keepdims=True))[group_N]


def centre(values_NX, group_N) -> np.ndarray:
    """Returns values less their mean in each group."""
    return values_NX - group_means(values_NX, group_N, int(group_N.max()) + 1, np)


class LabelContrasts:
    """Labellings of a comparison with their contrasts in single precision, for all places."""

    def __init__(self, exchange: Exchange, labels_TN):
        self.exchange, self.labels_TN = exchange, labels_TN
        self.contrasts_NT = label_contrasts(labels_TN, exchange.group_N).astype(np.float32)
        # For the energy distance, whose rows are not centred within groups.
        one_group_N = np.zeros_like(exchange.group_N)
        self.plain_NT = (
            label_contrasts(labels_TN, one_group_N).astype(np.float32)
            if exchange.group_N.any()
            else self.contrasts_NT
        )

    def parts(self, contrasts_NT):
        """Yields contrasts in parts of AT_ONCE labellings."""
        for first in range(0, contrasts_NT.shape[1], AT_ONCE):
            yield contrasts_NT[:, first : first + AT_ONCE]


def place_statistics(
    name: str, place_ND, labels: LabelContrasts, statistics
) -> dict[str, np.ndarray]:
    """Returns each statistic of all labellings at a place: {name: [T + 1] float64}.

    All are 0 if every node is constant.

    Raises:
      InputError: as `as_matrix`; rows and nodes whose products do not fit into memory.
    """
    rows = standardise(name, place_ND, labels.exchange.group_N)
    refuse_large(name, rows.z_ND.shape, "distribution" in statistics)
    values = {}
    if not rows.varying:
        return {one: np.zeros(len(labels.labels_TN)) for one in statistics}
    z_ND = jnp.asarray(rows.z_ND)
    if {"direction", "nodes"} & set(statistics):
        factor = ridge_factor(z_ND, rows.varying)
        both = [
            ridge_and_nodes(z_ND, factor, v, rows.varying)
            for v in labels.parts(labels.contrasts_NT)
        ]
        values["direction"], values["nodes"] = map(np.concatenate, zip(*both, strict=True))
    if "distribution" in statistics:
        plain = rows
        if labels.exchange.group_N.any():
            plain = standardise(name, place_ND, np.zeros_like(labels.exchange.group_N))
        distance_NN = distances(jnp.asarray(plain.z_ND))
        parts = [energy(distance_NN, v) for v in labels.parts(labels.plain_NT)]
        values["distribution"] = np.concatenate(parts)
    if "node scan" in statistics:
        score_AT = labelled_scores(np.asarray(rows.z_ND), labels.labels_TN)
        values["node scan"] = calibrated_scores(score_AT)
    return {one: np.asarray(values[one], np.float64) for one in statistics}


def refuse_large(name: str, shape_ND, distances_too: bool) -> None:
    """Raises InputError if the products of rows or nodes do not fit into memory."""
    rows, nodes = shape_ND
    side = rows if distances_too else min(rows, nodes)
    refuse_too_much(
        f"{name}: the {side} x {side} products of {rows} rows and {nodes} nodes",
        3 * 4 * side**2,
        "give fewer rows or nodes, or fewer of both",
    )


@functools.partial(jax.jit, static_argnames="varying")
def ridge_factor(z_ND, varying: int):
    """Returns the lower Cholesky factor of D (A + c I), of the smaller of rows and nodes."""
    rows, nodes = z_ND.shape
    product = "nd,md->nm" if rows <= nodes else "nd,ne->de"
    gram = jnp.einsum(product, z_ND, z_ND, precision=EXACT)
    return jnp.linalg.cholesky(gram + SHRINKAGE * varying * jnp.eye(len(gram), dtype=jnp.float32))


@functools.partial(jax.jit, static_argnames="varying")
def ridge_and_nodes(z_ND, factor, contrasts_NT, varying: int):
    """Returns H and the largest |correlation| of each labelling: [T] each."""
    r_DT = jnp.matmul(z_ND.T, contrasts_NT, precision=EXACT)
    rows, nodes = z_ND.shape
    if rows <= nodes:  # v' A (A + c I)^-1 v = 1 - c v' (A + c I)^-1 v
        solved_NT = jax.scipy.linalg.solve_triangular(factor, contrasts_NT, lower=True)
        ridge_T = 1 - SHRINKAGE * varying * (solved_NT**2).sum(0)
    else:
        ridge_T = (jax.scipy.linalg.solve_triangular(factor, r_DT, lower=True) ** 2).sum(0)
    return ridge_T, jnp.abs(r_DT).max(0)


@jax.jit
def distances(z_ND):
    """Returns Euclidean distances of rows, in deviations of the nodes: [N, N]."""
    z_ND = z_ND * np.float32(np.sqrt(len(z_ND)))
    gram_NN = jnp.matmul(z_ND, z_ND.T, precision=EXACT)
    square_N = jnp.diagonal(gram_NN)
    return jnp.sqrt(jnp.maximum(square_N[:, None] + square_N[None] - 2 * gram_NN, 0.0))


@jax.jit
def energy(distance_NN, contrasts_NT):
    """Returns minus the quadratic form of the distances: the energy distance up to a factor."""
    return -(contrasts_NT * jnp.matmul(distance_NN, contrasts_NT, precision=EXACT)).sum(0)
