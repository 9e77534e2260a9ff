"""Group scans of many runs and layers over one pool, and the single scan as their special case."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.scan.group import Subset, ascend, make_planes, starting_rows
from personascan.scan.pvalues import (
    LevelTables,
    Ranks,
    as_matrix,
    count_background,
    level_tables,
    rank_pool,
    stack_pool,
)
from personascan.scan.result import RunScans, ScanResult
from personascan.scan.scores import score_function
from personascan.scan.splits import check_seed


class Searches(NamedTuple):
    """What each search scans: M rows of the pool, padded where other searches have more."""

    background_RN: np.ndarray  # bool
    rows_RM: np.ndarray  # int32 row numbers
    valid_RM: np.ndarray  # bool, False at padding
    starts_RSM: np.ndarray | None  # bool row sets to start from, or None to draw them


def scan_runs(
    pool_LND,
    background_RN,
    evaluation_RN,
    *,
    score: str = "bj",
    tail: str = "two",
    alpha_max: float = 0.5,
    alpha_min: float = 0.0,
    alphas="exact",
    starts=50,
    groups=None,
    seed: int = 0,
    compat: bool = False,
) -> RunScans:
    """One group scan for every layer and run; each layer is sorted once.

    The score of a subset is F(S) = max over alpha of phi(alpha, N_alpha(S), N(S)) (FGSS, JMLR
    14:1533, eq. 4), maximised by alternating ascent from several starts.

    Args:
      pool_LND: activations [L, N, D], or [N, D] for one layer, or a sequence of [N, D] arrays that
        is read one layer at a time.
      background_RN, evaluation_RN: bool masks over the pool: the background rows and the scanned
        rows of each run. They must not overlap within a run.
      score: "bj", "hc" or "ks".
      tail: "right", "left" or "two".
      alpha_max, alpha_min: the range of alphas searched, inside (0, 1); alpha_min 0 is no bound.
      alphas: "exact" (every attainable p in the range), "grid" (50 equal steps up to alpha_max) or
        an ascending sequence (one value: a fixed alpha).
      starts: how many starts of the ascent, in the order all rows, all nodes, random row sets; or
        a bool array [S, N] of row sets over the pool.
      groups: one label for each pool row; the returned rows then all carry one label.
      seed: seed of the random starts; each run has its own key, the same in every layer.
      compat: test the published code's p-values (needs a grid or a sequence).

    Returns:
      RunScans: score and alpha [L, R], rows [L, R, N] and nodes [L, R, D] as bool masks.

    Raises:
      InputError: NaN or Inf in a layer (with its place), masks of the wrong shape, overlapping or
        empty, alphas outside (0, 1), unknown names.
    """
    phi = score_function(score)
    check_seed(seed)
    layers = [pool_LND] if getattr(pool_LND, "ndim", 3) == 2 else pool_LND
    background_RN, evaluation_RN = check_masks(background_RN, evaluation_RN)
    runs, n_pool = background_RN.shape
    if groups is not None:
        # A scan held to one group is a scan of that group's rows; the best group is kept.
        inside_GN = group_masks(groups, n_pool)
        background_RN = np.repeat(background_RN, len(inside_GN), axis=0)
        evaluation_RN = (evaluation_RN[:, None] & inside_GN).reshape(-1, n_pool)
    tables = level_tables(
        background_RN.sum(1),
        tail=tail,
        alpha_max=alpha_max,
        alpha_min=alpha_min,
        alphas=alphas,
        compat=compat,
    )
    searches = plan_searches(background_RN, evaluation_RN, starts)
    keys_R = jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(
        np.arange(len(background_RN))
    )
    n_starts = 0 if searches.starts_RSM is not None else int(starts)

    results = []
    for index, layer in enumerate(layers):
        layer_ND = as_matrix(f"layer {index} of the pool", layer)
        if len(layer_ND) != n_pool:
            raise InputError(f"the masks cover {n_pool} rows but layer {index} has {len(layer_ND)}")
        if results and layer_ND.shape[1] != results[0][3].shape[1]:
            raise InputError(f"layer {index} has {layer_ND.shape[1]} nodes, unlike layer 0")
        found = search(rank_pool(layer_ND), searches, tables, keys_R, phi=phi, starts=n_starts)
        results.append(keep_best(found, tables.alphas_RA, searches, phi, runs))
    if not results:
        raise InputError("the pool has no layers")
    return RunScans(*(np.stack(field) for field in zip(*results, strict=True)))


def group_scan(
    background_BD,
    evaluation_ND,
    *,
    score: str = "bj",
    tail: str = "two",
    alpha_max: float = 0.5,
    alpha_min: float = 0.0,
    alphas="exact",
    starts=50,
    groups=None,
    seed: int = 0,
    compat: bool = False,
) -> ScanResult:
    """The evaluation rows and nodes that together diverge most from the background.

    `scan_runs` with one layer and one run; see there for the keywords. Here a `starts` array is
    [S, N] and `groups` has N labels, both over the evaluation rows.

    Args:
      background_BD, evaluation_ND: activations, NumPy or JAX, with the same D nodes.

    Returns:
      ScanResult: score, alpha, rows and nodes (sorted ints), start_scores, at_smallest_alpha.

    Raises:
      InputError: as `scan_runs`, and for differing widths.
    """
    pool_ND, background_N = stack_pool(background_BD, evaluation_ND)
    n = int(background_N.sum())
    if not isinstance(starts, int | np.integer):
        starts = as_row_sets(starts)
        starts = np.pad(starts, ((0, 0), (n, 0))) if starts.ndim == 2 else starts
    if groups is not None:
        labels = np.asarray(groups).tolist() if isinstance(groups, np.ndarray) else groups
        if not isinstance(labels, list | tuple) or len(labels) != len(pool_ND) - n:
            raise InputError(f"groups needs one label for each of the {len(pool_ND) - n} rows")
        groups = [labels[0]] * n + list(labels)
    found = scan_runs(
        pool_ND,
        background_N[None],
        ~background_N[None],
        score=score,
        tail=tail,
        alpha_max=alpha_max,
        alpha_min=alpha_min,
        alphas=alphas,
        starts=starts,
        groups=groups,
        seed=seed,
        compat=compat,
    )
    return ScanResult(
        score=float(found.score[0, 0]),
        alpha=float(found.alpha[0, 0]),
        rows=np.flatnonzero(found.rows[0, 0]) - n,
        nodes=np.flatnonzero(found.nodes[0, 0]),
        start_scores=found.start_scores[0, 0],
        at_smallest_alpha=bool(found.at_smallest_alpha[0, 0]),
    )


def check_masks(background_RN, evaluation_RN) -> tuple[np.ndarray, np.ndarray]:
    """Both masks as [R, N] bool, or an InputError."""
    masks = [np.asarray(background_RN), np.asarray(evaluation_RN)]
    for name, mask in zip(("background", "evaluation"), masks, strict=True):
        if mask.ndim != 2 or mask.dtype != bool or not mask.size:
            raise InputError(
                f"the {name} mask must be bool [runs, pool rows], got {mask.dtype} {mask.shape}"
            )
        if not mask.any(1).all():
            raise InputError(f"run {int(mask.any(1).argmin())} has no {name} rows")
    if masks[0].shape != masks[1].shape:
        raise InputError(f"the masks differ in shape: {masks[0].shape} and {masks[1].shape}")
    both = (masks[0] & masks[1]).any(1)
    if both.any():
        raise InputError(f"run {int(both.argmax())} scans rows of its own background")
    return masks[0], masks[1]


def group_masks(groups, n_pool: int) -> np.ndarray:
    """[G, N] bool: the pool rows of each label."""
    try:
        labels = list(groups)
        numbers = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    except TypeError as error:
        raise InputError("groups must be a sequence of labels, one for each row") from error
    if len(labels) != n_pool:
        raise InputError("groups needs one label for each row")
    labels_N = np.array([numbers[label] for label in labels])
    return labels_N == np.arange(len(numbers))[:, None]


def as_row_sets(starts) -> np.ndarray:
    try:
        return np.asarray(starts)
    except ValueError as error:
        raise InputError("starts must be a number or a bool array [row sets, rows]") from error


def plan_searches(background_RN, evaluation_RN, starts) -> Searches:
    """Row numbers instead of masks, so that a search holds only the rows it scans."""
    sizes_R = evaluation_RN.sum(1)
    rows_RM = np.argsort(~evaluation_RN, axis=1, kind="stable")[:, : sizes_R.max()].astype(np.int32)
    valid_RM = np.arange(rows_RM.shape[1]) < sizes_R[:, None]
    if isinstance(starts, int | np.integer) and not isinstance(starts, bool):
        if starts < 1:
            raise InputError(f"starts = {starts}; the ascent needs at least one start")
        return Searches(background_RN, rows_RM, valid_RM, None)
    starts_SN = as_row_sets(starts)
    if starts_SN.dtype != bool or starts_SN.ndim != 2 or not len(starts_SN):
        raise InputError("starts must be a number or a bool array [row sets, rows]")
    if starts_SN.shape[1] != evaluation_RN.shape[1]:
        raise InputError("starts must have one column for each row that can be scanned")
    starts_RSM = np.swapaxes(starts_SN[:, rows_RM], 0, 1) & valid_RM[:, None]
    if not starts_RSM.any((0, 2)).all():
        raise InputError("a row set of starts holds no row that is scanned in any run")
    return Searches(background_RN, rows_RM, valid_RM, starts_RSM)


@partial(jax.jit, static_argnames=("phi", "starts"))
def search(ranks: Ranks, searches: Searches, tables: LevelTables, keys_R, *, phi, starts) -> Subset:
    """Every start of every search: Subset with leading axes [R, S]."""

    def one(problem):
        (background_N, rows_M, valid_M, starts_SM), run_tables, key = problem
        below_MD, above_MD = count_background(ranks, background_N, rows_M)
        levels_MD = jnp.minimum(run_tables.below_RB[below_MD], run_tables.above_RB[above_MD])
        alphas_A = run_tables.alphas_RA.astype(jnp.float32)
        # Padding is significant at no alpha, so no step ever picks it.
        levels_MD = jnp.where(valid_M[:, None], levels_MD, alphas_A.size)
        planes = make_planes(levels_MD, alphas_A.size)
        if starts_SM is None:
            starts_SM = starting_rows(planes, key, valid_M, starts, alphas_A, phi)
        return jax.vmap(lambda rows_M: ascend(planes, rows_M, alphas_A, phi))(starts_SM)

    return jax.lax.map(one, (searches, tables, keys_R))


def keep_best(found: Subset, alphas_RA, searches: Searches, phi, runs: int):
    """Score every start again in float64, keep the best start, and of several groups the best."""
    level_RS = np.asarray(found.level)
    search_R = np.arange(len(level_RS))
    n_alpha_RS = np.asarray(found.n_alpha, np.float64)
    size_RS = np.asarray(found.rows_M.sum(-1), np.float64) * np.asarray(found.nodes_D.sum(-1))
    alpha_RS = alphas_RA[search_R[:, None], level_RS]
    scores_RS = np.asarray(phi(n_alpha_RS, size_RS, alpha_RS, xp=np))
    groups = len(search_R) // runs
    start_scores = scores_RS.reshape(runs, groups, -1).max(1)
    best_R = scores_RS.reshape(runs, -1).argmax(1)
    best_search, best_start = np.divmod(best_R, scores_RS.shape[1])
    best_search += np.arange(runs) * groups
    score_R = scores_RS[best_search, best_start]
    some_R = score_R > 0
    rows_RM = np.asarray(found.rows_M[best_search, best_start]) & some_R[:, None]
    rows_RN = np.zeros((runs, searches.background_RN.shape[1]), bool)
    np.logical_or.at(rows_RN, (np.arange(runs)[:, None], searches.rows_RM[best_search]), rows_RM)
    return (
        score_R,
        np.where(some_R, alpha_RS[best_search, best_start], np.nan),
        rows_RN,
        np.asarray(found.nodes_D[best_search, best_start]) & some_R[:, None],
        start_scores,
        some_R & (level_RS[best_search, best_start] == 0),
    )
