"""The task of a scan, checked and in arrays: the same for every layer."""

from dataclasses import dataclass

import numpy as np

from personascan.scan.backgrounds import is_shared
from personascan.scan.devices import Searches, SearchLayout, search_layout
from personascan.scan.masks import background_sizes, check_masks, number_labels, plan_searches
from personascan.scan.memory import ScanMemory, scan_memory
from personascan.scan.options import ScanOptions
from personascan.scan.ranks import RankTables, rank_tables
from personascan.scan.samples import check_seed


@dataclass(frozen=True)
class Task:
    """The part of a scan that all layers share. With groups, a run is a search in each group."""

    options: ScanOptions
    background_RN: np.ndarray  # bool, one row for each search
    evaluated_N: np.ndarray  # bool: scanned by some search
    group_N: np.ndarray  # background group of each pool row
    searches: Searches
    tables: RankTables
    runs: int
    seed: int
    layers: int
    note: str = ""  # why no subset can score, whatever the data are


def make_task(
    background_RN,
    evaluation_RN,
    options: ScanOptions,
    *,
    layers: int,
    groups=None,
    background_groups=None,
    seed: int = 0,
) -> Task:
    """Checks the arguments of `scan_runs` and returns them as a Task."""
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
        # A scan limited to one group is a scan of that group's rows; the best group is returned.
        label_N, distinct = number_labels("groups", groups, n_pool)
        inside_GN = label_N == np.arange(len(distinct))[:, None]
        background_RN, n_RG = (np.repeat(a, len(inside_GN), axis=0) for a in (background_RN, n_RG))
        evaluation_RN = (evaluation_RN[:, None] & inside_GN).reshape(-1, n_pool)
    tables = rank_tables(n_RG, options)
    searches = plan_searches(evaluation_RN, options.starts)
    # Many runs share a compilation, and would pay for padding; a number of starts draws by shape.
    if len(background_RN) == 1 and options.starts_vary:
        tables, searches = tables.rounded(), searches.rounded()
    return Task(
        options=options,
        background_RN=background_RN,
        evaluated_N=evaluation_RN.any(0),
        group_N=group_N,
        searches=searches,
        tables=tables,
        runs=runs,
        seed=seed,
        layers=layers,
        note=options.unattainable(n_RG),
    )


def layout_of(task: Task, n_pool: int, n_nodes: int) -> tuple[SearchLayout, ScanMemory]:
    """Returns the layout of the search of a layer, and the memory that it will hold."""
    evaluated = int(task.evaluated_N.sum())
    shared = is_shared(task.background_RN, task.tables)
    layout = search_layout(task.searches, task.tables, task.options, n_nodes, evaluated, shared)
    memory = scan_memory(layout, task.searches, task.tables, evaluated, n_pool, shared, task.layers)
    return layout, memory
