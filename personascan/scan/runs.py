"""Group scans of many runs and layers over one pool, and the single scan as their special case."""

import dataclasses

import jax
import numpy as np

from personascan.errors import InputError
from personascan.scan.fractional import scan_fractional
from personascan.scan.levels import level_tables, unattainable
from personascan.scan.masks import (
    as_row_sets,
    background_sizes,
    check_masks,
    number_labels,
    pair_labels,
    plan_searches,
)
from personascan.scan.memory import ScanMemory, refuse_too_large, scan_memory
from personascan.scan.pvalues import as_matrix, stack_pool
from personascan.scan.result import RunScans, ScanResult
from personascan.scan.scores import score_function
from personascan.scan.search import SearchPlan, is_shared, open_source, plan_search, run_search
from personascan.scan.splits import check_seed, run_keys
from personascan.scan.winners import Task, best_fractional, keep_best, stack_layers

DEFAULT_STARTS = 10


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
    starts=DEFAULT_STARTS,
    groups=None,
    background_groups=None,
    ties: str = "whole",
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
      starts: how many starts of the ascent, in the order all rows, all nodes, eight from the exact
        individual scan and the leading singular vector, random; or a bool array [S, N] of row sets.
      groups: one label for each pool row; the returned rows then all carry one label.
      background_groups: one label for each pool row; a row is then compared with the background
        rows of its own label alone (conditional p-values).
      ties: "whole" (p <= alpha tests p_max) or "fractional" (a p-value range counts by its share
        below alpha, as in FGSS; in float64 on the host, without a speed target; its starts are all
        rows, all nodes and random row sets).
      seed: seed of the random starts; each run has its own key, the same in every layer.
      compat: test the published code's p-values (needs a grid or a sequence).

    Returns:
      RunScans: score and alpha [L, R], rows [L, R, N] and nodes [L, R, D] as bool masks, the tail
      of each node, and what every start reached.

    Raises:
      InputError: NaN or Inf in a layer (with its place), masks of the wrong shape, overlapping or
        empty, alphas outside (0, 1), unknown names, a background group that a row needs and a run
        lacks, more memory than there is.
    """
    check_ties(ties, compat)
    layers = [pool_LND] if getattr(pool_LND, "ndim", 3) == 2 else pool_LND
    alpha_keywords = dict(tail=tail, alphas=alphas, alpha_max=alpha_max, alpha_min=alpha_min)
    task = make_task(
        background_RN,
        evaluation_RN,
        score=score,
        starts=starts,
        groups=groups,
        background_groups=background_groups,
        seed=seed,
        compat=compat,
        layers=len(layers) if hasattr(layers, "__len__") else 1,
        **alpha_keywords,
    )
    n_pool = task.background_RN.shape[1]
    results = []
    for index, layer in enumerate(layers):
        layer_ND = as_matrix(f"layer {index} of the pool", layer)
        if len(layer_ND) != n_pool:
            raise InputError(f"the masks cover {n_pool} rows but layer {index} has {len(layer_ND)}")
        if results and layer_ND.shape[1] != results[0].nodes.shape[1]:
            raise InputError(f"layer {index} has {layer_ND.shape[1]} nodes, unlike layer 0")
        if ties == "fractional":
            results.append(scan_layer_fractional(layer_ND, task, alpha_keywords))
        else:
            results.append(scan_layer(layer_ND, task))
    if not results:
        raise InputError("the pool has no layers")
    return dataclasses.replace(stack_layers(results), note=task.note)


def make_task(
    background_RN,
    evaluation_RN,
    *,
    layers: int,
    score: str = "bj",
    starts=DEFAULT_STARTS,
    groups=None,
    background_groups=None,
    seed: int = 0,
    compat: bool = False,
    tail: str = "two",
    alpha_max: float = 0.5,
    alpha_min: float = 0.0,
    alphas="exact",
) -> Task:
    """What `scan_runs` was asked for, checked; keywords as there."""
    alpha_keywords = dict(tail=tail, alphas=alphas, alpha_max=alpha_max, alpha_min=alpha_min)
    phi = score_function(score)
    check_seed(seed)
    background_RN, evaluation_RN = check_masks(background_RN, evaluation_RN)
    runs, n_pool = background_RN.shape
    group_N, labels = number_labels(
        "background_groups",
        np.zeros(n_pool, int) if background_groups is None else background_groups,
        n_pool,
    )
    n_RG = background_sizes(background_RN, evaluation_RN, group_N, labels)
    if groups is not None:
        # A scan held to one group is a scan of that group's rows; the best group is kept.
        label_N, held_to = number_labels("groups", groups, n_pool)
        inside_GN = label_N == np.arange(len(held_to))[:, None]
        background_RN, n_RG = (np.repeat(a, len(inside_GN), axis=0) for a in (background_RN, n_RG))
        evaluation_RN = (evaluation_RN[:, None] & inside_GN).reshape(-1, n_pool)
    tables = level_tables(n_RG, compat=compat, **alpha_keywords)
    searches = plan_searches(evaluation_RN, starts)
    return Task(
        background_RN=background_RN,
        evaluated_N=evaluation_RN.any(0),
        group_N=group_N,
        searches=searches,
        tables=tables,
        runs=runs,
        starts=0 if searches.starts_RSM is not None else int(starts),
        phi=phi,
        seed=seed,
        climb=not compat,
        layers=layers,
        note="" if compat else unattainable(n_RG, **alpha_keywords),
    )


def scan_layer(layer_ND, task: Task) -> RunScans:
    """All runs of one layer, on the devices."""
    n_pool, n_nodes = layer_ND.shape
    plan, memory = laid_out(task, n_pool, n_nodes)
    refuse_too_large(memory)
    source = open_source(layer_ND, task.background_RN, task.evaluated_N, task.tables, task.group_N)
    keys_R = run_keys(jax.random.key(task.seed), len(task.background_RN))
    found = run_search(source, task.searches, task.tables, keys_R, plan)
    return keep_best(found, task, n_pool, n_nodes)


def laid_out(task: Task, n_pool: int, n_nodes: int) -> tuple[SearchPlan, ScanMemory]:
    """How the search of a layer is laid out, and what it will hold."""
    evaluated = int(task.evaluated_N.sum())
    shared = is_shared(task.background_RN, task.tables)
    plan = plan_search(
        task.searches, task.tables, n_nodes, evaluated, shared, task.phi, task.starts, task.climb
    )
    memory = scan_memory(plan, task.searches, task.tables, evaluated, n_pool, shared, task.layers)
    return plan, memory


def scan_layer_fractional(layer_ND, task: Task, bounds: dict) -> RunScans:
    """All runs of one layer with ties counted in part, on the host."""
    rngs = [np.random.default_rng([task.seed, r]) for r in range(len(task.background_RN))]
    keywords = bounds | {"starts": task.starts}
    found = scan_fractional(
        layer_ND, task.background_RN, task.searches, task.group_N, rngs, task.phi, keywords
    )
    return best_fractional(found, task.searches, task.runs, len(layer_ND))


def group_scan(
    background_BD,
    evaluation_ND,
    *,
    score: str = "bj",
    tail: str = "two",
    alpha_max: float = 0.5,
    alpha_min: float = 0.0,
    alphas="exact",
    starts=DEFAULT_STARTS,
    groups=None,
    background_groups=None,
    ties: str = "whole",
    seed: int = 0,
    compat: bool = False,
) -> ScanResult:
    """The evaluation rows and nodes that together diverge most from the background.

    `scan_runs` with one layer and one run; see there for the keywords. Here a `starts` array is
    [S, N], `groups` has N labels, both over the evaluation rows; `background_groups` is a pair of
    label sequences, for the background rows and for the evaluation rows.

    Args:
      background_BD, evaluation_ND: activations, NumPy or JAX, with the same D nodes.

    Returns:
      ScanResult: score, alpha, rows and nodes (sorted ints), the tail of each node, start_scores,
      starts_at_best, at_smallest_alpha.

    Raises:
      InputError: as `scan_runs`, and for differing widths.
    """
    pool_ND, background_N = stack_pool(background_BD, evaluation_ND)
    n = int(background_N.sum())
    if not isinstance(starts, int | np.integer):
        starts = as_row_sets(starts)
        starts = np.pad(starts, ((0, 0), (n, 0))) if starts.ndim == 2 else starts
    if groups is not None:
        _, distinct = number_labels("groups", groups, len(pool_ND) - n)
        groups = [distinct[0]] * n + list(groups)
    if background_groups is not None:
        background_groups = pair_labels(background_groups, n, len(pool_ND) - n)
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
        background_groups=background_groups,
        ties=ties,
        seed=seed,
        compat=compat,
    )
    tails_D = found.tails[0, 0]
    nodes = np.flatnonzero(found.nodes[0, 0])
    return ScanResult(
        score=float(found.score[0, 0]),
        alpha=float(found.alpha[0, 0]),
        rows=np.flatnonzero(found.rows[0, 0]) - n,
        nodes=nodes,
        tails=np.array(["both", "right", "left"])[tails_D[nodes]],
        start_scores=found.start_scores[0, 0],
        at_smallest_alpha=bool(found.at_smallest_alpha[0, 0]),
        note=found.note,
    )


def check_ties(ties: str, compat: bool) -> None:
    if ties not in ("whole", "fractional"):
        raise InputError(f'ties = {ties!r} is unknown; use "whole" or "fractional"')
    if ties == "fractional" and compat:
        raise InputError('compat tests whole p-values; use ties="whole"')
