"""The memory that a scan will hold, computed before it starts."""

import os
from dataclasses import dataclass

from personascan.memory import human_bytes, refuse_too_much
from personascan.scan.counts import block_width
from personascan.scan.planes import word_count

SCORES_AT_ONCE = 2**16  # rows x alphas that a thread scores together
ROWS_AT_ONCE = 64
COMPILED = 2**24  # bytes that stay held after compiling


@dataclass(frozen=True)
class ScanMemory:
    """Bytes at the peak of the scan of one layer."""

    activations: int  # one layer of the pool, float32
    planes: int  # packed threshold planes of every row that is scanned
    working: int  # on the devices: planes, ranks, orders and the counts of a step
    sorting: int  # on the host, while it orders the layer
    results: int  # subsets of every start of the layer, and of every run of all layers

    @property
    def total(self) -> int:
        return self.activations + self.working + self.sorting + self.results

    def summary(self) -> str:
        parts = (self.activations, self.planes, self.working, self.sorting, self.results)
        return (
            "activations {}, planes {}, devices hold {}, sorting {}, results {}: {} in all".format(
                *map(human_bytes, (*parts, self.total))
            )
        )


def scan_memory(layout, searches, tables, evaluated: int, n_pool: int, shared: bool, layers: int):
    """Returns the ScanMemory of searches as `search_layout` lays them out."""
    runs, rows = searches.rows_RM.shape
    row_bytes = 4 * word_count(layout.columns)
    rank_bytes = 8 * row_bytes * tables.below_RGB.itemsize  # a rank for each bit of a word
    alphas = layout.n_alphas if layout.holds_planes else layout.chunk
    step = (2 * rows.bit_length() + 8) * alphas * row_bytes
    one_search = alphas * rows * row_bytes + rows * rank_bytes + step
    if shared:
        once = (evaluated + 1) * (rank_bytes + layout.shares_planes * layout.n_alphas * row_bytes)
        # Blocks of nodes, and the ranks of either tail before they are joined.
        sorting = block_bytes(n_pool - evaluated, evaluated, layout.n_nodes, layout.n_alphas)
        sorting += 2 * evaluated * layout.n_nodes * tables.below_RGB.itemsize
    else:
        # The pool's order, and the running counts of one background.
        once = n_pool * layout.n_nodes * (3 * (2 if n_pool < 2**16 else 4) + 4)
        sorting = 2 * 4 * n_pool * layout.n_nodes  # keys, and the values they are made from
    starts = layout.starts or searches.starts_RSM.shape[1]
    ascents = runs * starts * (rows + 3 * row_bytes)
    scans = layers * runs * (n_pool + 2 * layout.n_nodes)
    return ScanMemory(
        activations=4 * n_pool * layout.n_nodes,
        planes=layout.n_alphas * (evaluated if shared else rows) * row_bytes,
        working=len(layout.devices) * (once + one_search),
        sorting=sorting,
        results=2 * ascents + scans,
    )


def refuse_too_large(memory: ScanMemory) -> None:
    """Raises InputError if the scan needs more memory than is free now."""
    refuse_too_much(
        "the scan", memory.total, f"({memory.summary()}) scan fewer runs, starts or rows at a time"
    )


@dataclass(frozen=True)
class IndividualMemory:
    """Bytes that individual scans hold."""

    inputs: int  # background and evaluation rows, held before the scan begins
    ranks: int  # of every row and node, in either tail: they are returned
    blocks: int  # of nodes while they are sorted and compared: one for each thread of the host
    scores: int  # sizes and scores of some rows at every alpha, for each thread

    @property
    def added(self) -> int:
        """Bytes beyond the inputs; those of one block may be reused by the next."""
        return self.ranks + self.blocks + self.scores + COMPILED

    def summary(self) -> str:
        parts = (self.inputs, self.ranks, self.blocks, self.scores, self.added)
        return "inputs {}, ranks {}, blocks {}, scores {}: {} beyond the inputs".format(
            *map(human_bytes, parts)
        )


def individual_memory(background_BD, evaluation_ND, tables) -> IndividualMemory:
    """Returns the IndividualMemory of checked rows."""
    (rows, nodes), n_alphas = evaluation_ND.shape, tables.n_alphas
    at_once = rows_at_once(n_alphas)
    return IndividualMemory(
        inputs=background_BD.nbytes + evaluation_ND.nbytes,
        ranks=2 * rows * nodes * tables.below_RGB.itemsize,
        blocks=block_bytes(len(background_BD), rows, nodes, n_alphas),
        scores=min(os.cpu_count(), -(-rows // at_once)) * at_once * (80 * n_alphas + 16 * nodes),
    )


def block_bytes(background: int, rows: int, nodes: int, n_alphas: int) -> int:
    """Returns the bytes that all threads hold while blocks of nodes are sorted and compared."""
    width = block_width(nodes, background + rows)
    # Values and their keys, on the way and by node; the sort; a tail's steps, padded; its counts.
    of_node = 4 * (5 * (background + rows) + background + 3 * n_alphas + 2 * rows)
    return min(os.cpu_count(), -(-nodes // width)) * width * of_node


def rows_at_once(n_alphas: int) -> int:
    """Returns the number of rows that a thread scores together."""
    return max(1, min(ROWS_AT_ONCE, SCORES_AT_ONCE // n_alphas))


def refuse_individual(memory: IndividualMemory) -> None:
    """Raises InputError if individual scans need more memory than is free now."""
    refuse_too_much(
        "the scan", memory.added, f"({memory.summary()}) scan fewer rows or nodes at a time"
    )
