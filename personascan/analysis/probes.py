"""Probes: ridge logistic regressions, fitted for all folds and seeds of a place at once.

The loss of one fit is scikit-learn's: C * (log loss summed over its training rows) + |w|^2 / 2, on
columns standardised by those rows, with an intercept that is not penalised. Standardisation is
folded into the weights, so that one product [N, D] @ [D, F] serves all fits, which differ in their
training rows only. Letters: F fits, P places.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.stats import rankdata

from personascan.errors import InputError

STEPS = 500  # of L-BFGS at most
# A fit is done when its slopes show each weight to be this near to the best. The limits below keep
# it from waiting for slopes that float32 cannot resolve.
ACCURACY = 5e-4
FLATTEST, STEEPEST = 2e-6, 1e-4  # largest slope; scikit-learn stops at the latter
PAIRS = 10  # of steps and slopes that L-BFGS remembers
ENOUGH = 1e-4  # share of the slope by which the loss must fall
HALVINGS = 15  # of a step at most
ROUNDING = 1e-6  # of the loss, relative
ROWS = 32  # rows are filled up to a multiple, so that pools of similar size share a compilation
# A column whose variance in the training rows is smaller than this share of its mean square is
# constant there: the rest is rounding.
CONSTANT = 1e-13


class Fit(NamedTuple):
    """The arrays that are one fit's own."""

    train_N: jax.Array  # 1 for its training rows, else 0
    mean_D: jax.Array  # over those rows
    scale_D: jax.Array  # 1 / deviation over those rows; 0 for a constant column


class Probe(NamedTuple):
    """Weights of the standardised columns, and the intercept."""

    weight_D: jax.Array
    intercept: jax.Array


def fit_probes(rows_ND, label_N, train_FN, c: float) -> np.ndarray:
    """Returns decision values of all rows under every fit: float32 [F, N], above 0 for label True.

    They are those of scikit-learn's StandardScaler and LogisticRegression(C=c) on the training rows
    of each fit, nearer to the minimum of the loss than scikit-learn's default tolerance.

    Args:
      rows_ND: activations of one place.
      label_N: bool.
      train_FN: bool, the training rows of each fit.
      c: inverse strength of the ridge.

    Raises:
      InputError: shapes that do not agree, rows that are not finite, or a fit whose training rows
        all carry one label.
    """
    return fit_places(np.asarray(rows_ND)[None], label_N, train_FN, c)[0]


def fit_places(rows_PND, label_N, train_FN, c: float) -> np.ndarray:
    """Applies `fit_probes` to places of one width that share rows and fits: float32 [P, F, N].

    Accelerators fit all places at once; CPUs fit them one by one, so that a place's numbers do not
    depend on the other places.
    """
    label_N, train_FN = np.asarray(label_N, bool), np.asarray(train_FN, bool)
    check_fits(np.asarray(rows_PND), label_N, train_FN)
    rows = len(label_N)
    label_N = np.pad(label_N, (0, -rows % ROWS))
    places = [place_arrays(rows_ND, train_FN) for rows_ND in rows_PND]
    fit = compile_fit(jax.default_backend())
    shared = np.float32(label_N), np.float32(c)
    if jax.default_backend() == "cpu":
        return np.stack([fit(*place, *shared) for place in places])[..., :rows]
    z_PND, fits = jax.tree.map(lambda *leaves: np.stack(leaves), *places)
    return np.asarray(fit(z_PND, fits, *shared))[..., :rows]


@functools.cache
def compile_fit(backend: str):
    """Compiles all fits of a place [N, D] on CPU, and of all places [P, N, D] on accelerators."""
    if backend == "cpu":
        # A worker of the study has one core, and sums in parts would depend on how many there are.
        return jax.jit(fit_all, compiler_options={"xla_cpu_multi_thread_eigen": False})
    return jax.jit(jax.vmap(fit_all, in_axes=(0, 0, None, None)))


def fit_all(z_ND, fits: Fit, label_N, c):
    """Returns decision values [F, N], by L-BFGS from zero until every fit is done."""
    # The curvature of the loss is at least that of its ridge.
    ridge_F = 1 / (c * jnp.sum(fits.train_N, axis=1))
    flat_F = jnp.clip(ACCURACY * ridge_F, FLATTEST, STEEPEST)
    solver = optax.lbfgs(memory_size=PAIRS, linesearch=halving_search())

    def start(fit):
        probe = Probe(jnp.zeros_like(fit.scale_D), jnp.zeros((), jnp.float32))
        value, slope = jax.value_and_grad(loss)(probe, z_ND, fit, label_N, c)
        return probe, optax.tree.set(solver.init(probe), value=value, slope=slope)

    def step(probe, state, fit):
        value, slope = (optax.tree.get(state, name) for name in ("value", "slope"))
        updates, state = solver.update(
            slope, state, probe, value=value, grad=slope,
            value_fn=lambda at: loss(at, z_ND, fit, label_N, c),
        )  # fmt: skip
        return optax.apply_updates(probe, updates), state

    def is_unfinished(carry):
        weight_FD, intercept_F = optax.tree.get(carry[1], "slope")
        largest_F = jnp.maximum(jnp.max(jnp.abs(weight_FD), axis=1), jnp.abs(intercept_F))
        return (optax.tree.get(carry[1], "count") < STEPS) & jnp.any(largest_F > flat_F)

    # Steps are counted once for all fits: a count for each would turn memory access into a gather.
    _, state = jax.eval_shape(start, jax.tree.map(lambda leaf: leaf[0], fits))
    axes = optax.tree.set(jax.tree.map(lambda _: 0, state), count=None)
    steps = jax.vmap(step, (0, axes, 0), (0, axes))
    started = jax.vmap(start, out_axes=(0, axes))(fits)
    probes, _ = jax.lax.while_loop(is_unfinished, lambda carry: steps(*carry, fits), started)
    return jax.vmap(decisions, (0, None, 0))(probes, z_ND, fits)


class Accepted(NamedTuple):
    """The loss and its slopes where a search ended."""

    value: jax.Array
    slope: Probe


def halving_search() -> optax.GradientTransformationExtraArgs:
    """Returns a line search that halves the step until the loss falls enough (Armijo).

    It keeps the slopes there, and allows for rounding. For a convex loss this is enough. Optax's
    own searches branch on whether slopes are needed, and under vmap a branch copies the rows for
    every fit.
    """

    def init(probe):
        return Accepted(jnp.zeros((), jnp.float32), jax.tree.map(jnp.zeros_like, probe))

    def update(updates, state, probe, *, value, grad, value_fn):
        del state
        fall = ENOUGH * optax.tree.vdot(updates, grad)

        def reach(halvings, share):
            to = optax.tree.add_scale(probe, share, updates)
            reached, slope = jax.value_and_grad(value_fn)(to)
            enough = reached <= value * (1 + ROUNDING) + share * fall
            # The decision is made once and carried: under vmap both the loop and its step use it,
            # and if two roundings of one comparison differed, the loop would never end.
            return ~enough & (halvings < HALVINGS), halvings, share, reached, slope

        def halve(state):
            _, halvings, share, *_ = state
            return reach(halvings + 1, share / 2)

        state = jax.lax.while_loop(lambda state: state[0], halve, reach(0, jnp.float32(1)))
        *_, share, reached, slope = state
        return optax.tree.scale(share, updates), Accepted(reached, slope)

    return optax.GradientTransformationExtraArgs(init, update)


def decisions(probe: Probe, z_ND, fit: Fit):
    """Returns the scores of all rows: [N]."""
    weight_D = probe.weight_D * fit.scale_D
    offset = probe.intercept - jnp.dot(fit.mean_D, weight_D, precision="highest")
    return jnp.dot(z_ND, weight_D, precision="highest") + offset


def loss(probe: Probe, z_ND, fit: Fit, label_N, c):
    """Returns the mean log loss of the training rows plus the ridge, scaled as in scikit-learn."""
    logits_N = decisions(probe, z_ND, fit)
    log_loss_N = jax.nn.softplus(logits_N) - label_N * logits_N
    rows = jnp.sum(fit.train_N)
    ridge = jnp.sum(jnp.square(probe.weight_D)) / (2.0 * c * rows)
    return jnp.dot(fit.train_N, log_loss_N, precision="highest") / rows + ridge


def place_arrays(rows_ND, train_FN) -> tuple[np.ndarray, Fit]:
    """Returns the rows, standardised by all of them and padded, and the arrays of each fit.

    A fit's own standardisation undoes any other: this one keeps float32 accurate.
    """
    share_FN = train_FN / train_FN.sum(1, keepdims=True)
    # Done in place: allocating new memory would take longer than the sums.
    centred_ND = np.array(rows_ND, np.float64)
    centred_ND -= centred_ND.mean(0)
    deviation_D = np.sqrt(np.einsum("nd,nd->d", centred_ND, centred_ND) / len(centred_ND))
    deviation_D[deviation_D == 0] = 1
    fill = -len(rows_ND) % ROWS
    z_ND = np.zeros((len(rows_ND) + fill, rows_ND.shape[1]), np.float32)
    np.divide(centred_ND, deviation_D, out=z_ND[: len(rows_ND)], casting="same_kind")
    mean_FD = share_FN @ centred_ND
    square_FD = share_FN @ np.square(centred_ND, out=centred_ND)
    variance_FD = square_FD - np.square(mean_FD)
    varies_FD = variance_FD > CONSTANT * square_FD
    scale_FD = np.where(varies_FD, deviation_D / np.sqrt(np.where(varies_FD, variance_FD, 1)), 0)
    fits = Fit(np.pad(train_FN, ((0, 0), (0, fill))), mean_FD / deviation_D, scale_FD)
    return z_ND, Fit(*(leaf.astype(np.float32) for leaf in fits))


def check_fits(rows_PND, label_N, train_FN) -> None:
    """Raises InputError as `fit_probes`."""
    rows = rows_PND.shape[1]
    if label_N.shape != (rows,) or train_FN.ndim != 2 or train_FN.shape[1] != rows:
        raise InputError(
            f"{rows} rows need labels ({rows},) and training masks (fits, {rows}), not "
            f"{label_N.shape} and {train_FN.shape}"
        )
    if not np.isfinite(rows_PND).all():
        raise InputError("the rows of a probe are not all finite; drop those that are not")
    sides_F = (train_FN & label_N).any(1) & (train_FN & ~label_N).any(1)
    if not sides_F.all():
        raise InputError(
            f"fit {int(np.argmin(sides_F))} of a probe is trained on rows of one label; give it "
            "rows of both"
        )


def auroc(scores_FN, label_N, held_FN) -> np.ndarray:
    """Returns the AUROC of each fit over its held-out rows, ties counted half: [F].

    Args:
      scores_FN: decision values of all rows.
      label_N: bool.
      held_FN: bool, the rows that count; both labels are among them.
    """
    label_N, held_FN = np.asarray(label_N, bool), np.asarray(held_FN, bool)
    # Rows that do not count are ranked above all that do, so that no other rank changes.
    rank_FN = rankdata(np.where(held_FN, scores_FN, np.inf), axis=1)
    positive_FN = held_FN & label_N
    positives_F = positive_FN.sum(1)
    pairs_F = positives_F * (held_FN.sum(1) - positives_F)
    above_F = (rank_FN * positive_FN).sum(1) - positives_F * (positives_F + 1) / 2
    return above_F / pairs_F
