"""Group scans of many runs and layers over one pool."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, overload

import jax
import numpy as np

from personascan.array_like import ArrayLike
from personascan.bars import bar
from personascan.compilations import keep_by_default, notice
from personascan.errors import InputError
from personascan.scan.backgrounds import open_source
from personascan.scan.devices import run_search
from personascan.scan.fractional import scan_fractional
from personascan.scan.memory import refuse_too_large
from personascan.scan.options import DEFAULT_STARTS, ScanOptions
from personascan.scan.pvalues import as_matrix
from personascan.scan.result import RunScans
from personascan.scan.samples import run_keys
from personascan.scan.task import Task, layout_of, make_task
from personascan.scan.winners import best_fractional, keep_best, stack_layers

K = TypeVar("K")
# Activations of several places: an array [L, N, D], a sequence of its layers, or a mapping by key.
Pool = ArrayLike | Iterable[ArrayLike] | Mapping[Any, ArrayLike]


@overload
def scan_runs(
    pool: Mapping[K, ArrayLike],
    background_RN: ArrayLike,
    evaluation_RN: ArrayLike,
    *,
    score: str = "bj",
    tail: str = "signed",
    alpha_max: float = 0.5,
    alpha_min: float = 0.0,
    alphas: str | ArrayLike = "exact",
    starts: int | str | ArrayLike = DEFAULT_STARTS,
    groups: ArrayLike | None = None,
    background_groups: ArrayLike | None = None,
    ties: str = "whole",
    seed: int = 0,
    compat: bool = False,
) -> dict[K, RunScans]: ...


@overload
def scan_runs(
    pool: ArrayLike | Sequence[ArrayLike],
    background_RN: ArrayLike,
    evaluation_RN: ArrayLike,
    *,
    score: str = "bj",
    tail: str = "signed",
    alpha_max: float = 0.5,
    alpha_min: float = 0.0,
    alphas: str | ArrayLike = "exact",
    starts: int | str | ArrayLike = DEFAULT_STARTS,
    groups: ArrayLike | None = None,
    background_groups: ArrayLike | None = None,
    ties: str = "whole",
    seed: int = 0,
    compat: bool = False,
) -> RunScans: ...


def scan_runs(
    pool: Pool,
    background_RN: ArrayLike,
    evaluation_RN: ArrayLike,
    *,
    score: str = "bj",
    tail: str = "signed",
    alpha_max: float = 0.5,
    alpha_min: float = 0.0,
    alphas: str | ArrayLike = "exact",
    starts: int | str | ArrayLike = DEFAULT_STARTS,
    groups: ArrayLike | None = None,
    background_groups: ArrayLike | None = None,
    ties: str = "whole",
    seed: int = 0,
    compat: bool = False,
) -> RunScans | dict[Any, RunScans]:
    """Runs one group scan for every layer and run; each layer is sorted once.

    The score of a subset is F(S) = max over alpha of phi(alpha, N_alpha(S), N(S)) (FGSS, JMLR
    14:1533, eq. 4), maximised by alternating ascent from several starts. The search is
    `ascent.py: ascend`, mapped over starts and runs in `devices.py`; phi, `scores.py: berk_jones`.

    Args:
      pool: activations [L, N, D], or [N, D] for one layer, or a sequence of [N, D] arrays that is
        read one layer at a time; or a mapping {key: [N, D]} of any widths, such as what `extract`
        returns.
      background_RN, evaluation_RN: bool masks over the pool: the background rows and the scanned
        rows of each run. They must not overlap within a run.
      score: "bj", "hc" or "ks".
      tail: "signed" (every node is an upper and a lower half, each chosen by itself, so that the
        rows agree on its direction), "right" (unusually high), "left", or "two" (either, by row).
      alpha_max, alpha_min: the range of alphas searched, inside (0, 1); alpha_min 0 is no bound.
      alphas: "exact" (every attainable p in the range), "grid" (50 equal steps up to alpha_max),
        "log" (60 attained ones in geometric steps) or an ascending sequence (one value: a fixed
        alpha).
      starts: number of starts of the ascent, in the order all rows, all nodes, eight from the exact
        individual scan and the leading singular vector, random; "auto" (as many as pay); or a bool
        array [S, N] of row sets.
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
      of each node, and the score of every start; for a mapping {key: RunScans}, each with L = 1.

    Raises:
      InputError: NaN or Inf in a layer (names row and node), masks of the wrong shape, overlapping
        or empty, alphas outside (0, 1), unknown names, a background group that a row needs and a
        run lacks, more memory than there is.
    """
    options = ScanOptions(
        score=score, tail=tail, alpha_max=alpha_max, alpha_min=alpha_min, alphas=alphas,
        starts=starts, ties=ties, compat=compat,
    )  # fmt: skip
    return scan_pool(
        pool, background_RN, evaluation_RN, options,
        groups=groups, background_groups=background_groups, seed=seed,
    )  # fmt: skip


def scan_pool(pool, background_RN, evaluation_RN, options: ScanOptions, **chosen):
    """Runs `scan_runs` with its options as a record; `chosen` holds its other keywords."""
    keyed = isinstance(pool, Mapping)
    layers = [pool] if getattr(pool, "ndim", 3) == 2 else pool
    refuse_no_places(layers)
    count = len(layers) if hasattr(layers, "__len__") else 1
    task = make_task(background_RN, evaluation_RN, options, layers=count, **chosen)
    n_pool = task.background_RN.shape[1]
    results = {}
    items = layers.items() if keyed else enumerate(layers)
    for key, layer in bar(items, "layers") if count > 1 else items:
        layer_ND = as_matrix(f"layer {key} of the pool", layer)
        if len(layer_ND) != n_pool:
            raise InputError(f"the masks cover {n_pool} rows but layer {key} has {len(layer_ND)}")
        if not keyed and results and layer_ND.shape[1] != results[0].high_LRD.shape[1]:
            raise InputError(
                f"layer {key} has {layer_ND.shape[1]} nodes, unlike layer 0; pools of several "
                "widths are mappings {key: [rows, nodes]}"
            )
        scan = scan_layer_fractional if options.ties == "fractional" else scan_layer
        results[key] = scan(layer_ND, task)
    if not results:
        raise InputError("the pool has no layers")
    if keyed:
        return {
            key: dataclasses.replace(stack_layers([scans]), note=task.note)
            for key, scans in results.items()
        }
    return dataclasses.replace(stack_layers(list(results.values())), note=task.note)


def refuse_no_places(pool) -> None:
    """Raises InputError for a pool that holds no arrays, such as None or a number."""
    try:
        iter(pool)
    except TypeError as error:
        raise InputError(
            "the pool must be an array [rows, nodes] or [layers, rows, nodes], a sequence of "
            f"arrays or a mapping of them, got {type(pool).__name__}"
        ) from error


def scan_layer(layer_ND, task: Task) -> RunScans:
    """Makes all runs of one layer, on the devices."""
    n_pool, n_nodes = layer_ND.shape
    layout, memory = layout_of(task, n_pool, n_nodes)
    refuse_too_large(memory)
    source = open_source(
        layer_ND, task.background_RN, task.evaluated_N, task.tables, task.group_N,
        task.options.sides,
    )  # fmt: skip
    keys_R = run_keys(jax.random.key(task.seed), len(task.background_RN))
    keep_by_default()
    key = (layout, task.searches.rows_RM.shape)
    with notice(key, f"a scan of {task.evaluated_N.sum()} rows x {n_nodes} nodes"):
        ascents = run_search(source, task.searches, task.tables, keys_R, layout)
    return keep_best(ascents, task, n_pool, n_nodes)


def scan_layer_fractional(layer_ND, task: Task) -> RunScans:
    """Makes all runs of one layer with ties counted in part, on the host."""
    rngs = [np.random.default_rng([task.seed, r]) for r in range(len(task.background_RN))]
    results = scan_fractional(
        layer_ND, task.background_RN, task.searches, task.group_N, rngs, task.options
    )
    return best_fractional(results, task.searches, task.runs, len(layer_ND))
