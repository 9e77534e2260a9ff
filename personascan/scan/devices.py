"""The compiled search: every start of every run of one layer, spread over the devices.

Each start is a call of `ascent.py: ascend`; scores are those of `scores.py`.

Letters: R searches, S starts, N pool rows, E rows evaluated by any search, M rows of one search, D
nodes, W words of packed nodes, A alphas, G background groups.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from personascan.scan.ascent import ascend
from personascan.scan.backgrounds import OwnBackgrounds, SharedBackground, own_ranks
from personascan.scan.batches import MOST, ascend_in_batches, device_starts, start_limits
from personascan.scan.options import ScanOptions
from personascan.scan.planes import pack_planes, word_count
from personascan.scan.problem import Ascent, Problem
from personascan.scan.ranks import RankTables, rounded_size
from personascan.scan.starts import BATCH, starting_points
from personascan.scan.tails import Tail

SEARCHES_AT_ONCE = 100
# Under one vmap on an accelerator. More would keep it busier, and hold as many times the planes;
# not raised before it is measured on one: scripts/benchmark_device.py times 1, 10 and 100.
SEARCHES_SIDE_BY_SIDE = 1
PLANES_BYTES = 2**28  # planes are held up to here, and packed in chunks of alphas beyond


class Searches(NamedTuple):
    """The M rows that each search scans, padded where other searches have more."""

    rows_RM: np.ndarray  # int32 row numbers of the pool
    valid_RM: np.ndarray  # bool, False at padding
    starts_RSM: np.ndarray | None  # bool row sets to start from, or None for the mix

    def rounded(self) -> "Searches":
        """Returns the searches padded to a `rounded_size` of rows: few compilations serve all."""
        rows = self.rows_RM.shape[1]
        spare = ((0, 0), (0, rounded_size(rows) - rows))
        starts_RSM = self.starts_RSM
        if starts_RSM is not None:
            starts_RSM = np.pad(starts_RSM, ((0, 0), *spare))
        return Searches(np.pad(self.rows_RM, spare), np.pad(self.valid_RM, spare), starts_RSM)


@dataclass(frozen=True)
class SearchLayout:
    """How a search is laid out; all static, so that equal layouts share one compilation."""

    n_nodes: int
    sides: Tail
    n_alphas: int
    starts: int  # 0: row sets are given
    batch: int  # starts made at a time until the best is confirmed; 0: all at once
    phi: Any
    climb: bool
    holds_planes: bool  # the planes of one search fit
    shares_planes: bool  # the planes of all evaluated rows fit, and searches share them
    chunk: int  # alphas packed at a time where planes are not held
    side_by_side: bool  # starts of a search under vmap, else one after the other
    searches_side_by_side: int  # searches under one vmap; 1: one after the other
    devices: tuple
    splits_starts: bool  # devices share out the starts instead of the searches

    @property
    def columns(self) -> int:
        return self.sides.columns(self.n_nodes)


def search_layout(
    searches: Searches, tables: RankTables, options: ScanOptions, n_nodes: int, evaluated: int,
    shared: bool,
) -> SearchLayout:  # fmt: skip
    """Chooses what is held in memory and how devices share the work."""
    runs, rows = searches.rows_RM.shape
    sides, has_row_sets = options.sides, searches.starts_RSM is not None
    row_bytes = 4 * word_count(sides.columns(n_nodes))
    one, all_rows = (tables.n_alphas * n * row_bytes for n in (rows, evaluated + 1))
    devices = tuple(jax.local_devices())
    starts = 0 if has_row_sets else options.number
    if options.starts_vary:
        limit_R = start_limits(searches, tables, sides.columns(n_nodes))
        starts = MOST if runs == 1 else int(limit_R.max())
    return SearchLayout(
        n_nodes=n_nodes,
        sides=sides,
        n_alphas=tables.n_alphas,
        starts=starts,
        batch=BATCH if options.starts_vary else 0,
        phi=options.phi,
        climb=not options.compat,
        holds_planes=one <= PLANES_BYTES,
        shares_planes=shared and all_rows <= PLANES_BYTES,
        chunk=min(tables.n_alphas, max(1, PLANES_BYTES // (4 * rows * row_bytes))),
        # On a CPU the slowest of the lanes would hold up the others.
        side_by_side=devices[0].platform != "cpu",
        searches_side_by_side=SEARCHES_SIDE_BY_SIDE if devices[0].platform != "cpu" else 1,
        devices=devices,
        splits_starts=runs < len(devices),
    )


def run_search(
    source, searches: Searches, tables: RankTables, keys_R, layout: SearchLayout
) -> Ascent:
    """Runs every start of every search: Ascent with leading axes [R, S].

    Many searches are run in parts of one size, so that scans of any number share a compilation.
    """
    runs = len(searches.rows_RM)
    if runs <= SEARCHES_AT_ONCE:
        shared, per_search = search_inputs(source, searches, tables, keys_R, layout)
        ascents = search(shared, per_search, layout=layout)
        starts = int(per_search[3].max()) if layout.batch else None
        return jax.tree.map(lambda field: np.asarray(field[:runs, :starts]), ascents)
    source, parts = put_order(source, layout), []
    for first in range(0, runs, SEARCHES_AT_ONCE):
        part = np.minimum(np.arange(first, first + SEARCHES_AT_ONCE), runs - 1)
        parts.append(run_search(*some_searches(part, source, searches, tables, keys_R), layout))
    return jax.tree.map(lambda *fields: np.concatenate(fields)[:runs], *parts)


def put_order(source, layout: SearchLayout):
    """Puts the order of the pool on every device, which would else get a copy for each part."""
    if not isinstance(source, OwnBackgrounds):
        return source
    alike = NamedSharding(Mesh(np.array(layout.devices), "devices"), PartitionSpec())
    return source._replace(order=jax.device_put(source.order, alike))


def some_searches(chosen, source, searches: Searches, tables: RankTables, keys_R):
    """Returns the inputs of the chosen searches."""
    if isinstance(source, OwnBackgrounds):
        own = ("background_RN", "below_RGB", "above_RGB")
        source = source._replace(**{name: getattr(source, name)[chosen] for name in own})
    searches = jax.tree.map(lambda field: field[chosen], searches)
    per_search = ("alphas_RA", "below_RGB", "above_RGB")
    tables = tables._replace(**{name: getattr(tables, name)[chosen] for name in per_search})
    return source, searches, tables, keys_R[chosen]


def search_inputs(source, searches: Searches, tables: RankTables, keys_R, layout: SearchLayout):
    """Returns the arguments of `search`: arrays that all searches share, and those of each."""
    runs, devices = len(searches.rows_RM), len(layout.devices)
    spare = 0 if layout.splits_starts else -runs % devices
    per_search = (searches, tables.alphas_RA.astype(np.float32), keys_R)
    per_search += (start_limits(searches, tables, layout.columns),)
    if isinstance(source, OwnBackgrounds):
        own = (source.background_RN, source.below_RGB, source.above_RGB)
        source = source._replace(background_RN=None, below_RGB=None, above_RGB=None)
        per_search += (own,)
    repeat = np.concatenate([np.arange(runs), np.full(spare, runs - 1)])
    per_search = jax.tree.map(lambda field: field[repeat], per_search) if spare else per_search
    return source, per_search


@partial(jax.jit, static_argnames="layout")
def search(source, per_search, *, layout: SearchLayout) -> Ascent:
    """Shares searches, or starts, out over the devices: the compiled part of `run_search`."""
    mesh = Mesh(np.array(layout.devices), "devices")
    across, alike = PartitionSpec("devices"), PartitionSpec()
    if layout.splits_starts:
        specs, out = (alike, alike), alike if layout.batch else PartitionSpec(None, "devices")
    else:
        specs, out = (alike, across), across
    ascents = jax.shard_map(
        partial(search_part, layout=layout),
        mesh=mesh,
        in_specs=specs,
        out_specs=out,
        check_vma=False,
    )(source, per_search)
    if layout.splits_starts and not layout.batch:
        starts = layout.starts or per_search[0].starts_RSM.shape[1]
        ascents = jax.tree.map(lambda field: field[:, :starts], ascents)
    return ascents


def search_problem(
    source, planes_AEW, searches: Searches, alphas_A, own: list, layout: SearchLayout
) -> Problem:
    """Returns the ranks and planes of one search, which `own` gives a background of its own."""
    rows_M, valid_M = searches.rows_RM, searches.valid_RM
    if isinstance(source, SharedBackground):
        spare = source.ranks_EX.shape[0] - 1
        index_M = jnp.where(valid_M, source.index_N[rows_M], spare)
        ranks_MX = source.ranks_EX[index_M]
        right_MW = None if source.right_EW is None else source.right_EW[index_M]
    else:
        ranks_MX, right_MW = own_ranks(
            source, own[0], rows_M, valid_M, layout.n_alphas, layout.sides
        )
    planes_AMW = None
    if layout.holds_planes and layout.shares_planes:
        planes_AMW = planes_AEW[:, index_M]
    elif layout.holds_planes:
        planes_AMW = pack_planes(ranks_MX, 0, layout.n_alphas)
    return Problem(ranks_MX, right_MW, alphas_A, planes_AMW)


def search_part(source, per_search, *, layout: SearchLayout) -> Ascent:
    """Makes the searches, or the starts, of one device."""
    planes_AEW = pack_planes(source.ranks_EX, 0, layout.n_alphas) if layout.shares_planes else None

    def search_one(inputs):
        searches, alphas_A, key, limit, *own = inputs
        valid_M = searches.valid_RM
        problem = search_problem(source, planes_AEW, searches, alphas_A, own, layout)
        if layout.batch:
            return ascend_in_batches(problem, key, valid_M, limit, layout)
        if searches.starts_RSM is None:
            points = starting_points(
                problem, key, valid_M, layout.columns, layout.starts, layout.chunk, layout.phi
            )
        else:
            points = searches.starts_RSM, jnp.full(len(searches.starts_RSM), -1)
        if not layout.climb:
            points = points[0], jnp.full_like(points[1], -1)
        if layout.splits_starts:
            points = device_starts(points, len(layout.devices))

        def climb(point):
            return ascend(problem, *point, chunk=layout.chunk, phi=layout.phi, climb=layout.climb)

        return jax.vmap(climb)(points) if layout.side_by_side else jax.lax.map(climb, points)

    together = layout.searches_side_by_side
    return jax.lax.map(search_one, per_search, batch_size=together if together > 1 else None)
